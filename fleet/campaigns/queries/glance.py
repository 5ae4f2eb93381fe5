"""A campaign at a glance: its moves counted by where they stand, narrowed to whom they wait for.

Owns what counts as late: nobody has chosen thirty days before the day, or it is not moving
seven days before. The nearer the day, the more is late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, Q, QuerySet

from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.campaigns import days_left
from registry.actors import Actor
from registry.models import Role

State = Move.State
CHOOSE_BY: Final = 30
MOVE_BY: Final = 7
NEEDS: Final[Mapping[str, str]] = {
    "late": "Late",
    "sign": "Wait for a signature",
    "under_way": "Under way",
    "orphaned": "Owner has left",
    "mine": "My agents",
}
_SIGN: Final = (State.READY, State.SIGNING)
_UNDER_WAY: Final = (State.EVALUATING, State.SHIFTING)
# In the order in which they are drawn: what is over first, what nobody has touched last.
_PARTS: Final[tuple[tuple[str, str, tuple[str, ...], str], ...]] = (
    ("Moved", "success", (State.DONE,), "state=done"),
    ("Paused", "warning", (State.PAUSED,), "state=paused"),
    ("Under way", "info", _UNDER_WAY, "need=under_way"),
    ("Wait for a signature", "accent", _SIGN, "need=sign"),
    ("Contested", "error", (State.CONTESTED,), "state=contested"),
    ("Nobody has chosen", "neutral", (State.OPEN,), "state=open"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """The one thing that a viewer can do next about a move."""

    label: str
    page: str  # of the move, evaluation or cutover that it leads to; ``begin`` is sent at once
    target: str = ""


def late_states(campaign: Campaign) -> tuple[str, ...]:
    """Return the states in which a move is late now."""
    left = days_left(campaign)
    # Nothing is off on the day of another change, and most begin with 30 days to answer.
    by = CHOOSE_BY if campaign.kind == Campaign.Kind.RETIREMENT else MOVE_BY
    if not campaign.is_open or left > by:
        return ()
    idle = (State.OPEN, State.CONTESTED)
    return idle if left > MOVE_BY else (*idle, State.EVALUATING, *_SIGN)


def narrowed(
    moves: QuerySet[Move], campaign: Campaign, actor: Actor, *, need: str
) -> QuerySet[Move]:
    """Return the moves of a campaign that wait for something."""
    person = actor.person
    mine = Q(agent__owner=person) | Q(agent__backup_owner=person) if person else Q(pk__in=[])
    wanted = {
        "late": Q(state__in=late_states(campaign)),
        "sign": Q(state__in=_SIGN),
        "under_way": Q(state__in=_UNDER_WAY),
        "orphaned": Q(agent__owner__deactivated_at__isnull=False, ended_at__isnull=True),
        "mine": mine,
    }.get(need)
    return moves if wanted is None else moves.filter(wanted)


def parts_of(moves: QuerySet[Move], here: str) -> list[dict[str, Any]]:
    """Return how many moves stand where, as a divided bar draws it; what is not needed is none."""
    rows = moves.select_related(None).order_by().values_list("state").annotate(n=Count("pk"))
    counts = dict(rows)
    return [
        {
            "label": label, "value": sum(counts.get(state, 0) for state in states),
            "tone": tone, "url": f"{here}?{query}",
        }
        for label, tone, states, query in _PARTS
        if any(counts.get(state) for state in states)
    ]  # fmt: skip


def waiting_for(
    moves: QuerySet[Move], campaign: Campaign, actor: Actor
) -> list[tuple[str, str, int]]:
    """Return how many moves wait for what: (need, words, how many); none that is nobody's."""
    counted = [
        (need, words, narrowed(moves, campaign, actor, need=need).count())
        for need, words in NEEDS.items()
        if need in ("late", "sign", "orphaned")
    ]
    return [each for each in counted if each[2]]


def next_steps(
    actor: Actor, moves: Iterable[Move], *, answers: Mapping[int, bool]
) -> list[tuple[Move, Step | None]]:
    """Return each move with what this viewer can do next about it."""
    return [(move, _next(actor, move, answers=answers[move.pk])) for move in moves]


def _next(actor: Actor, move: Move, *, answers: bool) -> Step | None:
    if move.is_over or not move.campaign.is_open:
        return None
    if move.state == State.CONTESTED:
        return Step("Answer", "move") if actor.has(Role.PLATFORM) else None
    if move.state == State.EVALUATING:
        return Step("Report", "evaluation", move.evaluation_id) if move.evaluation_id else None
    if move.state in (State.SIGNING, State.SHIFTING):
        label = "Sign" if move.state == State.SIGNING and answers else "Watch"
        return Step(label, "cutover", move.cutover_id) if move.cutover_id else None
    if not answers:
        return None
    return Step("Sign and move", "begin") if move.state == State.READY else Step("Choose", "move")
