"""Beginning an evaluation: what is asked of whom is settled here, and everything is a row.

Owns the sample, the estimate and the arms. The calls are made by the worker (`asking`);
nothing that was said is opened here.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from fleet.evaluations.actions.altered import tell_altered
from fleet.evaluations.criteria import Criteria
from fleet.evaluations.errors import (
    CandidateUnusable,
    EstimateAboveCap,
    EvaluationRunning,
    NothingToEvaluate,
)
from fleet.evaluations.models import Arm, Asking, Case, Evaluation
from fleet.evaluations.queries.criteria import criteria_of
from fleet.evaluations.queries.evaluations import require_evaluate
from fleet.evaluations.queries.reports import version_digest
from fleet.evaluations.sampling.drawing import Sample, draw_sample
from fleet.evaluations.sampling.estimating import Estimate, estimate_of
from kernel import clock
from kernel.refs import Ref, new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent
from routing.gateway.runs import run_named
from routing.models import Model, Run

USUAL_RUNS: Final = 100
MOST_RUNS: Final = 500
MOST_CANDIDATES: Final = 5
_NAMED: Final = 50


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be asked, and what it would cost."""

    sample: Sample
    estimate: Estimate
    criteria: Criteria
    seed: str
    asks_baseline: bool


def plan_evaluation(
    *,
    agent: Agent,
    baseline: Model,
    candidates: Sequence[Model],
    sample: int | None = None,
    asks_baseline: bool | None = None,
    seed: str = "",
) -> Plan:
    """Return what an evaluation would ask and cost; nothing is written.

    Raises: CandidateUnusable, NothingToEvaluate.
    """
    _check_candidates(baseline, candidates)
    criteria, seed = criteria_of(agent), seed or secrets.token_hex(8)
    runs = max(1, min(sample or max(USUAL_RUNS, criteria.least_runs), MOST_RUNS))
    drawn = draw_sample(agent, baseline, runs, criteria.steps_per_run, seed)
    if not drawn.cases:
        raise NothingToEvaluate(
            f"{agent.name} has no run on {baseline} in the last 90 days that can be asked again,"
            " and no golden case. Add golden cases, or choose the model it is served by."
        )
    lives = baseline.disabled_at is None and baseline.vendor.disabled_at is None
    again = lives if asks_baseline is None else asks_baseline and lives
    return Plan(
        drawn,
        estimate_of(drawn, list(candidates), baseline if again else None),
        criteria,
        seed,
        again,
    )


def begin_evaluation(  # noqa: PLR0913  what is to be compared, said in one call
    *,
    agent: Agent,
    baseline: Model,
    candidates: Sequence[Model],
    actor: Actor,
    sample: int | None = None,
    subject: Ref | None = None,
    asks_baseline: bool | None = None,
    cap_micros: int | None = None,
    seed: str = "",
) -> Evaluation:
    """Begin to compare candidates with the model an agent is served by; the worker asks.

    Records: evaluation.begun. Raises: MayNotEvaluate, CandidateUnusable, NothingToEvaluate,
    EvaluationRunning, EstimateAboveCap.
    """
    require_evaluate(actor, agent)
    plan = plan_evaluation(
        agent=agent,
        baseline=baseline,
        candidates=candidates,
        sample=sample,
        asks_baseline=asks_baseline,
        seed=seed,
    )
    _check_cap(plan.estimate, cap_micros)
    with transaction.atomic():
        Agent.objects.select_for_update().get(pk=agent.pk)  # two at once begin one
        _check_running(agent, baseline, candidates)
        made = Evaluation.objects.create(
            public_id=new_id("evl"),
            agent=agent,
            version_digest=version_digest(agent),
            baseline=baseline,
            baseline_name=f"{baseline.vendor.name}/{baseline.name}",
            subject="" if subject is None else str(subject),
            criteria=plan.criteria.told(),
            criteria_digest=plan.criteria.digest,
            seed=plan.seed,
            runs=plan.sample.runs,
            strata=plan.sample.strata,
            excluded=plan.sample.excluded,
            altered=list(plan.sample.altered),
            sample_digest=plan.sample.digest,
            estimate_micros=plan.estimate.micros,
            estimate_seconds=plan.estimate.seconds,
            cap_micros=cap_micros,
            requested_by=str(actor.ref),
            requested_at=clock.now(),
        )
        _make_rows(made, plan, baseline, candidates)
        record(
            Verb.EVALUATION_BEGUN,
            made.ref,
            actor=actor.ref,
            facts=_facts(made, plan, candidates),
            agent_id=agent.public_id,
        )
        tell_altered(made, actor=actor)
    return made


def make_arm(
    evaluation: Evaluation,
    kind: Arm.Kind,
    *,
    target: str,
    model: Model | None = None,
    judged: Arm | None = None,
) -> Arm:
    """Make a target to ask, with the run that its calls go into. Records: nothing."""
    agent_id = evaluation.agent.public_id
    about = f" of {judged.target}" if judged is not None else ""
    label = f"{evaluation.public_id} {kind.value} {target}{about}"[:200]
    named = run_named(agent_id, label)
    Run.objects.get_or_create(
        run_id=named.run_id,
        defaults={"agent_id": agent_id, "label": named.label, "started_at": clock.now()},
    )
    return Arm.objects.create(
        evaluation=evaluation,
        kind=kind,
        model=model,
        target=target,
        judged=judged,
        run_id=named.run_id,
        label=named.label,
    )


def _make_rows(
    evaluation: Evaluation, plan: Plan, baseline: Model, candidates: Sequence[Model]
) -> None:
    cases = [
        Case(
            public_id=new_id("cas"),
            evaluation=evaluation,
            kind=Case.Kind.RECORDED,
            run_id=step.run_id,
            entry_id=step.entry_id,
            stratum=plan.sample.strata_of_runs[step.run_id],
            route=step.route,
            operation=step.operation,
            status=step.status,
            input_tokens=step.input_tokens,
            output_tokens=step.output_tokens,
            cost_micros=step.cost_micros,
            duration_ms=step.duration_ms,
        )
        for step in plan.sample.steps
    ]
    cases += [
        Case(
            public_id=new_id("cas"),
            evaluation=evaluation,
            kind=Case.Kind.GOLDEN,
            golden=one,
            entry_id=one.entry_id,
            stratum="golden",
            route=one.route,
            operation=one.operation,
        )
        for one in plan.sample.golden
    ]
    Case.objects.bulk_create(cases)
    arms = [(Arm.Kind.CANDIDATE, model) for model in candidates]
    if plan.asks_baseline:
        arms.insert(0, (Arm.Kind.AGAIN, baseline))
    for (kind, model), estimate in zip(arms, plan.estimate.arms, strict=True):
        arm = make_arm(evaluation, kind, target=estimate.name, model=model)
        arm.estimate_micros = estimate.micros
        arm.save(update_fields=["estimate_micros"])
        Asking.objects.bulk_create([Asking(arm=arm, case=case) for case in cases])


def _facts(made: Evaluation, plan: Plan, candidates: Sequence[Model]) -> dict[str, Fact]:
    return {
        "evaluation": made.public_id,
        "baseline": made.baseline_name,
        "candidates": [f"{one.vendor.name}/{one.name}" for one in candidates],
        "asks_baseline": plan.asks_baseline,
        "runs": plan.sample.runs,
        "cases": plan.sample.cases,
        "golden": len(plan.sample.golden),
        "sample": made.sample_digest,
        "criteria": made.criteria_digest,
        "seed": made.seed,
        "altered": made.altered[:_NAMED],
        "estimate_micros": made.estimate_micros,
        "for": made.subject,
        "effects": "blocked",
    }


def _check_candidates(baseline: Model, candidates: Sequence[Model]) -> None:
    if not 1 <= len(candidates) <= MOST_CANDIDATES:
        raise CandidateUnusable(f"Name 1 to {MOST_CANDIDATES} candidates.")
    if len({one.pk for one in candidates}) != len(candidates):
        raise CandidateUnusable("A candidate is named twice.")
    for one in candidates:
        if one.pk == baseline.pk:
            raise CandidateUnusable(f"{one} is the baseline: name another model.")
        if one.disabled_at is not None or one.vendor.disabled_at is not None:
            raise CandidateUnusable(f"{one} is disabled: enable it first, or name another.")


def _check_cap(estimate: Estimate, cap: int | None) -> None:
    if cap is None:
        return
    if estimate.micros is None:
        raise EstimateAboveCap(
            "The price of a model is unknown, so nobody can say whether the cap would hold."
            " Set its price, or begin without a cap: the agent's budgets hold anyway."
        )
    if estimate.micros > cap:
        raise EstimateAboveCap(
            f"It would cost about {estimate.micros / 1e6:.2f}; the cap is {cap / 1e6:.2f}."
            " Take a smaller sample, or fewer candidates.",
            estimate_micros=estimate.micros,
            cap_micros=cap,
        )


def _check_running(agent: Agent, baseline: Model, candidates: Sequence[Model]) -> None:
    wanted = {one.pk for one in candidates}
    running = Evaluation.objects.filter(
        agent=agent, baseline=baseline, state=Evaluation.State.RUNNING
    )
    for one in running:
        arms = one.arms.filter(kind=Arm.Kind.CANDIDATE)
        if set(arms.values_list("model_id", flat=True)) == wanted:
            raise EvaluationRunning(
                f"{one.public_id} compares the same models: wait for it, or cancel it.",
                evaluation=one.public_id,
            )
