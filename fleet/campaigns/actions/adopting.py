"""Cutovers that were begun elsewhere: on the way they are, their moves are too.

An agent is moved by a cutover, whichever page it was begun on. Its move says so, is not asked
for any more, and is done when that cutover is.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef

from fleet.campaigns.actions.each import take_each
from fleet.campaigns.actions.recording import note_move, turn
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.served import served_by
from fleet.cutovers.models import Cutover, CutoverAgent
from fleet.cutovers.queries.cutovers import under_way
from fleet.cutovers.queries.standing import Standing, standing_in
from kernel import clock
from ledger.verbs import Verb
from registry.actors import Actor

State = Move.State
_OUT: Final = (CutoverAgent.State.ROLLED_BACK, CutoverAgent.State.LEFT_OUT)
_LOOSE: Final = (State.OPEN, State.EVALUATING, State.READY)


def adopt_cutovers(*, actor: Actor) -> int:
    """Let moves go on by cutovers that were begun elsewhere; return how many do.

    Records: move.advanced, for each.
    """
    ways = CutoverAgent.objects.filter(
        agent=OuterRef("agent"), cutover__source=OuterRef("campaign__model")
    ).exclude(cutover__state__in=Cutover.OVER)
    moves = Move.objects.filter(
        Exists(ways.exclude(state__in=_OUT)), state__in=(*_LOOSE, State.CONTESTED),
        campaign__state=Campaign.State.OPEN,
    ).order_by("pk")  # fmt: skip
    keys = list(moves.values_list("pk", flat=True))
    return take_each(keys, lambda key: _adopt(key, actor), what="a cutover begun elsewhere")


@transaction.atomic
def _adopt(move_key: int, actor: Actor) -> bool:
    rows = Move.objects.select_for_update(skip_locked=True, of=("self",))
    move = rows.filter(pk=move_key).select_related("agent", "campaign__model__vendor").first()
    return move is not None and adopt_cutover(move, actor=actor)


def adopt_cutover(move: Move, *, actor: Actor) -> bool:
    """Let a locked move go on by the cutover that its agent is in; say whether there is one.

    One that waits for signatures answers no objection. Records: move.advanced.
    """
    way = under_way([move.agent], move.campaign.model_id).order_by("-id").first()
    if way is None:
        return False
    cutover, standing = way.cutover, standing_in(way.cutover.public_id, move.agent)
    if standing == Standing.DONE and served_by(move.agent, move.campaign.model) is None:
        return False  # its target does not serve any more: it has to move again
    waits = standing == Standing.SIGNING
    leaves = _LOOSE if waits else (*_LOOSE, State.CONTESTED, State.SIGNING)
    change: dict[str, Any] = {"cutover_id": cutover.public_id, "evaluation_id": way.evaluation}
    if move.candidate_id != cutover.target_id:
        change |= {"candidate": cutover.target, "chosen_by": cutover.begun_as,
                   "chosen_at": clock.now()}  # fmt: skip
    if not turn(move, State.SIGNING if waits else State.SHIFTING, *leaves, **change):
        return False
    facts = {"cutover": cutover.public_id, "standing": standing.value}
    note_move(move, Verb.MOVE_ADVANCED, actor=actor, facts={**facts})
    return True
