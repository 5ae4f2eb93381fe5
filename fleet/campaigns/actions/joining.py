"""Who is in a campaign: agents that begin to touch its model join, those that stop leave.

Owns the figures of each move too: they are what the sums say when its agents are looked for.
A move that is under way, or over, is nobody's to take out. One that the platform team agreed is not
needed stays so until its agent calls the model after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import transaction

from fleet.campaigns.actions.each import take_each
from fleet.campaigns.actions.recording import AGREED, note_campaign, note_move, turn
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.impact import DAYS, Figures, Touching, figures_of, touching_of
from kernel import clock
from kernel.canonical import canonical, digest
from kernel.refs import new_id
from ledger.verbs import Verb
from registry.actors import Actor

State = Move.State
EVERY: Final = timedelta(minutes=15)
AT_ONCE: Final = 500
_FIGURES: Final = (
    "ways", "calls", "input_tokens", "output_tokens", "cost_micros", "unpriced_calls",
    "last_called_at",
)  # fmt: skip
_LEFT: Final = f"It has not touched the model for {DAYS} days, or is retired."


@dataclass(frozen=True, slots=True)
class Looked:
    """Who joined and who left when a campaign's agents were looked for."""

    joined: int
    left: int


def add_moves(campaign: Campaign) -> list[str]:
    """Make a move for each agent that touches the model and has none; return their ids.

    Call it in the transaction that opens the campaign. Records: nothing.
    """
    touching = touching_of(campaign.model)
    figures = figures_of(campaign.model, [each.agent_id for each in touching])
    known = set(Move.objects.filter(campaign=campaign).values_list("agent_id", flat=True))
    new = [each for each in touching if each.agent_key not in known]
    now = clock.now()
    Move.objects.bulk_create(
        [
            Move(
                public_id=new_id("mov"), campaign=campaign, agent_id=each.agent_key,
                joined_at=now, state_changed_at=now, **_told(each, figures),
            )
            for each in new
        ],
        batch_size=1000,
        ignore_conflicts=True,  # of two that look at once, one makes it
    )  # fmt: skip
    return [each.agent_id for each in new]


def look_for_agents(*, actor: Actor) -> int:
    """Look again at the agents of every open campaign whose turn it is; return how many were.

    Records: campaign.looked where somebody joined or left, move.ended, move.reopened.
    """
    due = Campaign.objects.filter(
        state=Campaign.State.OPEN, looked_at__lt=clock.now() - EVERY
    ).order_by("looked_at")
    keys = list(due.values_list("pk", flat=True))
    return take_each(keys, lambda key: look_at(key, actor=actor) is not None, what="a look")


@transaction.atomic
def look_at(campaign_key: int, *, actor: Actor) -> Looked | None:
    """Look for the agents of one campaign; None where another worker does so just now.

    Records: campaign.looked where somebody joined or left, move.ended, move.reopened.
    """
    rows = Campaign.objects.select_for_update(skip_locked=True, of=("self",))
    campaign = rows.filter(pk=campaign_key, state=Campaign.State.OPEN).first()
    if campaign is None:
        return None
    touching = {each.agent_key: each for each in touching_of(campaign.model)}
    figures = figures_of(campaign.model, [each.agent_id for each in touching.values()])
    joined = add_moves(campaign)
    left = _part(campaign, touching, figures, actor)
    campaign.looked_at = clock.now()
    campaign.save(update_fields=["looked_at"])
    if joined or left:
        named = {"joined": sorted(joined), "left": sorted(left)}
        note_campaign(
            campaign, Verb.CAMPAIGN_LOOKED, actor=actor,
            facts={"joined": len(joined), "left": len(left), "named": digest(named)},
            payload=canonical(named),
        )  # fmt: skip
    return Looked(len(joined), len(left))


def _part(
    campaign: Campaign,
    touching: Mapping[int, Touching],
    figures: Mapping[str, Figures],
    actor: Actor,
) -> list[str]:
    """Bring the moves there are in step, and return the agents that are not concerned now."""
    left, changed = [], []
    for move in Move.objects.filter(campaign=campaign).select_related("agent", "campaign"):
        each = touching.get(move.agent_id)
        if each is None:
            if turn(move, State.UNNEEDED, State.OPEN, State.CONTESTED, State.READY, why=_LEFT):
                note_move(move, Verb.MOVE_ENDED, actor=actor, facts={"why": "untouched"})
                left.append(move.agent.public_id)
            continue
        again = _touches_again(move, each, campaign)
        if again and turn(move, State.OPEN, State.UNNEEDED, candidate=None):
            note_move(move, Verb.MOVE_REOPENED, actor=actor, facts={"why": "touches_again"})
        told = _told(each, figures)
        if any(getattr(move, name) != value for name, value in told.items()):
            for name, value in told.items():
                setattr(move, name, value)
            changed.append(move)
    Move.objects.bulk_update(changed, _FIGURES, batch_size=AT_ONCE)
    return left


def _touches_again(move: Move, each: Touching, campaign: Campaign) -> bool:
    """Say whether a move that was not needed is needed again.

    Who adapted, or was found right, is not asked the same again; from a model that ends, whoever
    calls it after that has to move all the same.
    """
    if move.state != State.UNNEEDED or move.ended_at is None or move.adapted_by:
        return False
    if move.ended_why != AGREED:
        return True
    if campaign.kind != Campaign.Kind.RETIREMENT or each.last_called_at is None:
        return False
    return each.last_called_at > move.ended_at


def _told(each: Touching, figures: Mapping[str, Figures]) -> dict[str, object]:
    found = figures.get(each.agent_id, Figures())
    values = (
        each.ways, found.calls, found.input_tokens, found.output_tokens, found.cost_micros,
        found.unpriced_calls, each.last_called_at,
    )  # fmt: skip
    return dict(zip(_FIGURES, values, strict=True))
