"""Carrying an evaluation to its end: ask, judge, compare, say the verdict; or cancel it.

Owns the phases. Each is done again by whoever comes next when a worker dies in it, and comes
out the same; the end is one update that names the state it leaves, and its record.
"""

from __future__ import annotations

import time
from typing import Any, Final

import structlog
from django.db import transaction

from fleet.evaluations.actions.asking import (
    ASKED_KINDS,
    MENDED,
    HeldUp,
    ask_waiting,
    claimed,
)
from fleet.evaluations.actions.comparing import compare_answers
from fleet.evaluations.actions.judging import JUDGES, make_judges, note_judged
from fleet.evaluations.criteria import Criteria
from fleet.evaluations.gate.figures import FAILED, INCONCLUSIVE, PASSED, Row
from fleet.evaluations.gate.judges import judge_figures
from fleet.evaluations.gate.judging import Judged, judge_candidate
from fleet.evaluations.models import Arm, Asking, Evaluation
from fleet.evaluations.queries.evaluations import require_evaluate
from kernel import clock
from kernel.canonical import digest
from kernel.errors import DomainError
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor

logger = structlog.get_logger("unsprawl.evaluation")
SECONDS: Final = 240.0  # of one sweep: a task of the worker has its own end
_AT_A_SWEEP: Final = 3
_SELDOM_MINUTES: Final = 15
Phase = Evaluation.Phase


def carry_out(evaluation: Evaluation, *, actor: Actor, seconds: float = SECONDS) -> Evaluation:
    """Go on with one until it is over, or the time is; where somebody else does, leave it.

    Records: payload.read, evaluation.compared, evaluation.ended; the gateway records each
    call. Raises: GatewayUnreachable, and what a reading raises.
    """
    with claimed(evaluation) as is_ours:
        if not is_ours:
            return evaluation
        evaluation.refresh_from_db()
        until = time.monotonic() + seconds
        try:
            _go_on(evaluation, actor, until)
        except HeldUp as why:
            _note_held_up(evaluation, str(why))
        except DomainError as error:
            _note_held_up(evaluation, error.code)
            raise
        evaluation.refresh_from_db()
        return evaluation


def _go_on(evaluation: Evaluation, actor: Actor, until: float) -> None:
    if _is_in(evaluation, Phase.ASKING):
        if not ask_waiting(evaluation, ASKED_KINDS, actor=actor, until=until) and not _is_cut(
            evaluation
        ):
            return
        make_judges(evaluation, actor=actor)
        _enter(evaluation, Phase.JUDGING)
    if _is_in(evaluation, Phase.JUDGING):
        if not ask_waiting(evaluation, JUDGES, actor=actor, until=until) and not _is_cut(
            evaluation
        ):
            return
        _enter(evaluation, Phase.COMPARING)
    if _is_in(evaluation, Phase.COMPARING):
        compare_answers(evaluation, actor=actor)
        note_judged(evaluation, actor=actor)
        end_evaluation(evaluation, actor=actor)


def carry_out_waiting(*, actor: Actor) -> int:
    """Carry out what waits, the oldest first, as long as there is time; return how many.

    One that somebody else carries out, or that waits itself, costs no time: whatever comes
    after it has its turn. Records: as `carry_out`.
    """
    running = Evaluation.objects.filter(state=Evaluation.State.RUNNING)
    until, looked = time.monotonic() + SECONDS, 0
    for pk in list(running.order_by("id").values_list("pk", flat=True)):
        if (left := until - time.monotonic()) <= 0:
            break
        one = running.select_related("agent", "baseline__vendor").filter(pk=pk).first()
        if one is None or _rests(one):
            continue
        looked += 1
        try:
            carry_out(one, actor=actor, seconds=min(left, SECONDS / _AT_A_SWEEP))
        except DomainError as error:
            logger.warning("evaluation.held_up", evaluation=one.public_id, code=error.code)
    return looked


@transaction.atomic
def cancel_evaluation(evaluation: Evaluation, *, actor: Actor) -> Evaluation:
    """End one that runs: no further call is made. One that is over stays as it is.

    Records: evaluation.cancelled. Raises: MayNotEvaluate.
    """
    require_evaluate(actor, evaluation.agent)
    running = Evaluation.objects.filter(pk=evaluation.pk, state=Evaluation.State.RUNNING)
    if running.update(
        state=Evaluation.State.CANCELLED, phase=Phase.OVER, held_up="", ended_at=clock.now()
    ):
        record(
            Verb.EVALUATION_CANCELLED,
            evaluation.ref,
            actor=actor.ref,
            facts={"evaluation": evaluation.public_id},
            agent_id=evaluation.agent.public_id,
        )
    evaluation.refresh_from_db()
    return evaluation


@transaction.atomic
def end_evaluation(evaluation: Evaluation, *, actor: Actor) -> Evaluation:
    """Say the verdict on every candidate and bind it by a digest.

    Records: evaluation.ended.
    """
    criteria = Criteria(**evaluation.criteria)
    verdicts: dict[str, str] = {}
    told: dict[str, Any] = {}
    for arm in evaluation.arms.filter(kind=Arm.Kind.CANDIDATE).order_by("id"):
        judged = judge_arm(evaluation, arm, criteria)
        arm.verdict, arm.figures = judged.verdict, [one.told() for one in judged.figures]
        arm.save(update_fields=["verdict", "figures"])
        verdicts[arm.target] = judged.verdict
        told[arm.target] = {"verdict": judged.verdict, "figures": arm.figures}
    state = _state_of(list(verdicts.values()))
    bound = digest(_bound(evaluation) | {"candidates": told})
    running = Evaluation.objects.filter(pk=evaluation.pk, state=Evaluation.State.RUNNING)
    if running.update(
        state=state, phase=Phase.OVER, held_up="", digest=bound, ended_at=clock.now()
    ):
        record(
            Verb.EVALUATION_ENDED,
            evaluation.ref,
            actor=actor.ref,
            facts={
                "evaluation": evaluation.public_id,
                "verdict": state,
                "verdicts": [f"{name}: {verdict}" for name, verdict in verdicts.items()],
                "digest": bound,
                "for": evaluation.subject,
            },
            agent_id=evaluation.agent.public_id,
        )
    evaluation.refresh_from_db()
    return evaluation


def judge_arm(evaluation: Evaluation, arm: Arm, criteria: Criteria) -> Judged:
    """Return what the pairs of one candidate come to. Records: nothing."""
    again = dict(
        Asking.objects.filter(
            arm__evaluation=evaluation, arm__kind=Arm.Kind.AGAIN, outcome__isnull=False
        ).values_list("case_id", "outcome")
    )
    askings = arm.askings.filter(outcome__isnull=False).exclude(error="not_asked")
    rows = [
        Row(
            asking.case.run_id or asking.case.public_id,
            asking.outcome or {},
            again.get(asking.case_id),
            asking.case.golden_id is not None,
        )
        for asking in askings.select_related("case").order_by("case_id")
    ]
    return judge_candidate(
        rows,
        criteria,
        seed=evaluation.seed,
        further=judge_figures(rows, criteria, seed=evaluation.seed),
        is_whole=not _is_cut(evaluation) and not evaluation.altered,
        is_one_currency=arm.model is None or arm.model.currency == evaluation.baseline.currency,
    )


def _bound(evaluation: Evaluation) -> dict[str, Any]:
    """Return what a report speaks of: another version, sample or bound makes it another."""
    return {
        "evaluation": evaluation.public_id,
        "agent": evaluation.agent.public_id,
        "version": evaluation.version_digest,
        "baseline": evaluation.baseline_name,
        "criteria": evaluation.criteria_digest,
        "sample": evaluation.sample_digest,
        "seed": evaluation.seed,
    }


def _state_of(verdicts: list[str]) -> str:
    if PASSED in verdicts:
        return PASSED
    return INCONCLUSIVE if INCONCLUSIVE in verdicts or not verdicts else FAILED


def _rests(evaluation: Evaluation) -> bool:
    """Say whether it waits for a person: every try is on record, so they are made seldom."""
    return evaluation.held_up in MENDED and clock.now().minute % _SELDOM_MINUTES != 0


def _is_cut(evaluation: Evaluation) -> bool:
    evaluation.refresh_from_db(fields=["cut_short", "state", "altered"])
    return bool(evaluation.cut_short) and evaluation.state == Evaluation.State.RUNNING


def _is_in(evaluation: Evaluation, phase: str) -> bool:
    evaluation.refresh_from_db(fields=["state", "phase"])
    return evaluation.state == Evaluation.State.RUNNING and evaluation.phase == phase


def _enter(evaluation: Evaluation, phase: str) -> None:
    running = Evaluation.objects.filter(pk=evaluation.pk, state=Evaluation.State.RUNNING)
    running.update(phase=phase, held_up="")


def _note_held_up(evaluation: Evaluation, code: str) -> None:
    running = Evaluation.objects.filter(pk=evaluation.pk, state=Evaluation.State.RUNNING)
    running.update(held_up=code[:100])
