"""What campaigns and moves put on record, and the one way a move goes from state to state.

Owns the compare-and-set: an update names the states it leaves, so of two that race one wins.
What people typed lies in the sealed payload, never in the header.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fleet.campaigns.errors import MoveOver, MoveUnderWay
from fleet.campaigns.models import OVER, Campaign, Move
from kernel import clock
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor

AGREED: Final = "Its owner said so, and the platform team agreed."  # that it is not needed


def note_campaign(
    campaign: Campaign,
    verb: Verb,
    *,
    actor: Actor,
    facts: Mapping[str, Fact],
    payload: bytes | None = None,
) -> None:
    """Put one fact about a campaign on record. Records: what it is given."""
    record(verb, campaign.ref, actor=actor.ref, facts=facts, payload=payload)


def note_move(
    move: Move,
    verb: Verb,
    *,
    actor: Actor,
    facts: Mapping[str, Fact] | None = None,
    said: str = "",
) -> None:
    """Put one fact about a move on record, with what somebody typed sealed beside it.

    Records: what it is given.
    """
    told: dict[str, Fact] = {"campaign": move.campaign.public_id, "state": str(move.state)}
    record(
        verb,
        move.ref,
        actor=actor.ref,
        facts=told | dict(facts or {}),
        agent_id=move.agent.public_id,
        payload=said.encode() if said else None,
    )


def turn(move: Move, to: Move.State, *leaving: Move.State, **changes: Any) -> bool:
    """Take a move from one of some states to another; say whether it stood there.

    Records: nothing; whoever turns it says why.
    """
    now = clock.now()
    ends: dict[str, Any] = {"ended_at": None, "ended_why": ""}
    if to in OVER:
        ends = {"ended_at": now, "ended_why": changes.pop("why")}
    if changes.get("candidate", move) is None:
        changes |= {"chosen_by": "", "chosen_at": None}
    moved = Move.objects.filter(pk=move.pk, state__in=leaving).update(
        state=to, state_changed_at=now, **ends, **changes
    )
    if moved:
        move.refresh_from_db()
    return bool(moved)


def must_turn(move: Move, to: Move.State, *leaving: Move.State, **changes: Any) -> None:
    """Take a move to another state. Records: nothing. Raises: MoveOver, MoveUnderWay."""
    if not turn(move, to, *leaving, **changes):
        move.refresh_from_db()
        if move.is_over:
            raise MoveOver(f"{move.agent.name}: {move.ended_why}", state=move.state)
        raise MoveUnderWay(
            f"{move.agent.name} is {move.get_state_display().lower()} just now.", state=move.state
        )
