"""How moves go on: as their evaluations and cutovers say.

Owns the reading of both. A move is done when its cutover is, and no call of its agent has gone to
the model since; one that calls it again is open again. The source stays behind its target, so a
call that falls back there is no call to it while another model serves the agent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef

from fleet.campaigns.actions.adopting import adopt_cutovers
from fleet.campaigns.actions.each import take_each
from fleet.campaigns.actions.recording import must_turn, note_move, turn
from fleet.campaigns.errors import MoveImpossible
from fleet.campaigns.models import Move
from fleet.campaigns.queries.campaigns import require_say
from fleet.campaigns.queries.served import served_by, serving_of_moves
from fleet.cutovers.actions.beginning import begin_cutover
from fleet.cutovers.queries.standing import Standing, standing_in
from fleet.evaluations.models import Evaluation
from fleet.evaluations.queries.reports import is_good
from kernel import clock
from ledger.verbs import Verb
from registry.actors import Actor
from routing.gateway.shifting import BEHIND
from routing.models import Call

State = Move.State
MOVED: Final = "It was moved, and has not called the model since."
_FOLLOWED: Final = (State.EVALUATING, State.SIGNING, State.SHIFTING)


def advance_moves(*, actor: Actor) -> int:
    """Take every move on as far as what it waits for has come; return how many went on.

    Records: move.advanced, move.ended, move.reopened.
    """
    went = adopt_cutovers(actor=actor)
    rows = Move.objects.filter(state__in=_FOLLOWED).order_by("pk")
    keys = list(rows.values_list("pk", flat=True))
    went += take_each(keys, lambda key: advance_move(key, actor=actor), what="a move")
    return went + reopen_called(actor=actor)


@transaction.atomic
def advance_move(move_key: int, *, actor: Actor) -> bool:
    """Take one move on; say whether it went. One that somebody else has just now is left to them.

    Records: move.advanced, move.ended.
    """
    rows = Move.objects.select_for_update(skip_locked=True, of=("self",))
    move = rows.filter(pk=move_key, state__in=_FOLLOWED).select_related(
        "agent", "campaign__model__vendor", "candidate__vendor"
    ).first()  # fmt: skip
    if move is None:
        return False
    return _evaluated(move, actor) if move.state == State.EVALUATING else _cut_over(move, actor)


def begin_moves(moves: Sequence[Move], *, actor: Actor, override_reason: str = "") -> list[str]:
    """Begin the cutovers of moves that are ready, one for each model they go to; return their ids.

    With a reason the platform team begins what has not passed; then security decides too.
    Records: move.advanced, and what beginning a cutover records. Raises: NotYourMove,
    MoveImpossible, MoveOver, MoveUnderWay, and what beginning a cutover raises.
    """
    groups: dict[tuple[int, int], list[Move]] = {}
    for move in moves:
        require_say(actor, move)
        if move.candidate is None:
            raise MoveImpossible(f"Choose a model for {move.agent.name} first.")
        groups.setdefault((move.campaign_id, move.candidate.pk), []).append(move)
    begun = []
    for each in groups.values():
        with transaction.atomic():
            for move in each:
                must_turn(move, State.SIGNING, State.READY)
            first = each[0]
            assert first.candidate is not None  # noqa: S101  looked at above
            cutover = begin_cutover(
                agents=[move.agent for move in each],
                source=first.campaign.model,
                target=first.candidate,
                evaluations={
                    move.agent.public_id: move.evaluation_id for move in each if move.evaluation_id
                },
                subject=first.campaign.ref if len(each) > 1 else first.ref,
                actor=actor,
                override_reason=override_reason,
            ).public_id
            Move.objects.filter(pk__in=[move.pk for move in each]).update(cutover_id=cutover)
            for move in each:
                facts = {"to": first.candidate.public_id, "cutover": cutover}
                note_move(move, Verb.MOVE_ADVANCED, actor=actor, facts={**facts})
        begun.append(cutover)
    return begun


def reopen_called(*, actor: Actor) -> int:
    """Open again the moves that count as done though their agent called the model since.

    Records: move.reopened.
    """
    calls = Call.objects.filter(
        agent_id=OuterRef("agent__public_id"), started_at__gt=OuterRef("ended_at"), made_for="",
        vendor=OuterRef("campaign__model__vendor__name"), model=OuterRef("campaign__model__name"),
    ).exclude(status=Call.Status.DENIED)  # fmt: skip
    rows = Move.objects.filter(
        Exists(calls), ~Exists(serving_of_moves()), state=State.DONE, campaign__state="open"
    ).order_by("pk")
    keys = list(rows.values_list("pk", flat=True)[:500])
    return take_each(keys, lambda key: _reopen(key, actor), what="a move that calls again")


@transaction.atomic
def _reopen(move_key: int, actor: Actor) -> bool:
    move = Move.objects.select_related("agent", "campaign").get(pk=move_key)
    if not turn(move, State.READY, State.DONE, cut_over_at=None, cutover_id=""):
        return False
    note_move(move, Verb.MOVE_REOPENED, actor=actor, facts={"why": "called_again"})
    return True


def end_moved(move: Move, *, since: datetime, actor: Actor) -> bool:
    """End a move as done, unless a call of its agent went to the model since; say whether it is.

    Records: move.ended.
    """
    model = move.campaign.model
    called = Call.objects.filter(
        agent_id=OuterRef("agent__public_id"), started_at__gt=since, made_for="",
        vendor=model.vendor.name, model=model.name,
    ).exclude(status=Call.Status.DENIED)  # fmt: skip
    if served_by(move.agent, model) is not None:
        called = called.exclude(arm=BEHIND)
    now = clock.now()
    done = Move.objects.filter(
        ~Exists(called), pk=move.pk, ended_at__isnull=True, candidate__isnull=False
    ).update(
        state=State.DONE, cut_over_at=since, ended_at=now, ended_why=MOVED, state_changed_at=now
    )
    if done:
        move.refresh_from_db()
        note_move(move, Verb.MOVE_ENDED, actor=actor, facts={"why": "moved"})
    return bool(done)


def _evaluated(move: Move, actor: Actor) -> bool:
    evaluation = Evaluation.objects.filter(public_id=move.evaluation_id).first()
    if evaluation is not None and evaluation.state == Evaluation.State.RUNNING:
        return False
    passed = (
        evaluation is not None
        and move.candidate is not None
        and is_good(evaluation, move.candidate)
    )
    if not turn(move, State.READY if passed else State.OPEN, State.EVALUATING):
        return False
    told = evaluation.state if evaluation is not None else "gone"
    facts = {"evaluation": move.evaluation_id, "evaluated": str(told)}
    note_move(move, Verb.MOVE_ADVANCED, actor=actor, facts={**facts})
    return True


def _cut_over(move: Move, actor: Actor) -> bool:
    if not move.cutover_id:
        return False
    standing = standing_in(move.cutover_id, move.agent)
    if standing == Standing.DONE:
        return _moved(move, actor)
    to = {Standing.SIGNING: State.SIGNING, Standing.SHIFTING: State.SHIFTING}.get(
        standing, State.READY
    )
    if to == move.state:
        return False
    leaves = {"cutover_id": ""} if to == State.READY else {}
    if turn(move, to, *_FOLLOWED, **leaves):
        facts = {"cutover": move.cutover_id, "standing": standing.value}
        note_move(move, Verb.MOVE_ADVANCED, actor=actor, facts={**facts})
        return True
    return False


def _moved(move: Move, actor: Actor) -> bool:
    # Counted from the moment at which it is known: what was on its way has arrived by then.
    since = move.cut_over_at
    if since is not None and end_moved(move, since=since, actor=actor):
        return True
    Move.objects.filter(pk=move.pk).update(cut_over_at=clock.now())
    return False
