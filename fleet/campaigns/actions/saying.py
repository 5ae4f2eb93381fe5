"""Telling those who answer for a move's agent that something about it has changed."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.campaigns.models import Move
from fleet.telling.actions.telling import tell
from registry.models import Person, Role


def tell_owner(move: Move, *, about: str, title: str, lines: Sequence[str]) -> None:
    """Tell the owner and the backup owner, or the platform where both have left; once for each.

    Records: nothing; what is told of is on record where it happened.
    """
    agent = move.agent
    people: list[Person] = [
        each for each in (agent.owner, agent.backup_owner) if each is not None and each.is_active
    ]
    tell(
        key=f"{move.public_id}:{about}"[:300],
        kind="move.changed",
        subject=move.ref,
        title=title,
        lines=list(lines),
        path=f"/campaigns/{move.campaign.public_id}/moves/{move.public_id}/",
        people=people,
        roles=[] if people else [Role.PLATFORM],
        urgent=True,
    )
