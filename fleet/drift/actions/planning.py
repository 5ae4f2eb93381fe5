"""Plans of probes: begun, changed, paused, ended, hurried, and what is seen taken as it is.

Whoever may evaluate models for an agent may have its golden cases asked. A cap is a promise, so
a model whose price nobody knows cannot be probed: nothing could be held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db import IntegrityError, transaction

from fleet.drift.actions.telling import end_change
from fleet.drift.errors import PlanExists, PlanInvalid, PlanOver
from fleet.drift.models import Change, ProbePlan, Watch
from fleet.drift.queries.plans import MOST_CASES, askable_cases
from fleet.evaluations.queries.evaluations import require_evaluate
from fleet.health.errors import ScheduleInvalid
from fleet.health.schedules import next_expected
from kernel import clock
from kernel.db import constraint_of, ring
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent
from routing.models import Model

SWEEP: Final = "drift.ask_golden_cases"
State = ProbePlan.State


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """When cases are asked, which, and for how much."""

    cron: str
    zone: str
    cap_micros: int
    cases: Sequence[str] = field(default=())  # none: all of the route


def add_plan(
    agent: Agent, model: Model, draft: PlanDraft, *, actor: Actor, route: str = ""
) -> ProbePlan:
    """Have an agent's golden cases asked of a model from now on.

    Records: probe_plan.added. Raises: MayNotEvaluate, PlanInvalid, PlanExists.
    """
    require_evaluate(actor, agent)
    route = route or next(iter(agent.routes), "")
    if not route or route not in agent.routes:
        raise PlanInvalid("Choose a route that the agent names.", field="route")
    if model.disabled_at is not None or model.input_micros_per_mtok is None:
        raise PlanInvalid(
            "The model is disabled or has no price, so no cap can be held: set its price first.",
            field="model",
        )
    now = clock.now()
    plan = ProbePlan(
        public_id=new_id("pbp"), agent=agent, model=model, added_by=str(actor.ref), added_at=now,
        since=now, next_at=now,
    )  # fmt: skip
    try:
        with transaction.atomic():
            plan.watch, _ = Watch.objects.get_or_create(
                route=route,
                vendor=model.vendor.name,
                model=model.name,
                defaults={"public_id": new_id("wat"), "first_at": now, "last_at": now},
            )
            _take(plan, draft)
            plan.save(force_insert=True)
            _record(Verb.PROBE_PLAN_ADDED, plan, actor)
    except IntegrityError as error:
        if constraint_of(error) != "drift_probeplan_one_per_agent":
            raise
        raise PlanExists(f"{agent.name}'s cases are asked of {model} by {route} already.") from None
    return plan


@transaction.atomic
def change_plan(plan: ProbePlan, draft: PlanDraft, *, actor: Actor) -> ProbePlan:
    """Ask at other times, other cases, or for another amount.

    Records: probe_plan.changed. Raises: MayNotEvaluate, PlanInvalid, PlanOver.
    """
    row = _locked(plan, actor)
    _take(row, draft)
    row.save(update_fields=["cron", "zone", "cap_micros", "cases", "next_at"])
    _record(Verb.PROBE_PLAN_CHANGED, row, actor)
    return row


@transaction.atomic
def pause_plan(plan: ProbePlan, *, actor: Actor) -> ProbePlan:
    """Ask nothing until somebody resumes it.

    Records: probe_plan.paused. Raises: MayNotEvaluate, PlanOver.
    """
    return _turned(plan, State.RUNNING, State.PAUSED, Verb.PROBE_PLAN_PAUSED, actor)


@transaction.atomic
def resume_plan(plan: ProbePlan, *, actor: Actor) -> ProbePlan:
    """Ask again, from the next time of the schedule on.

    Records: probe_plan.resumed. Raises: MayNotEvaluate, PlanOver.
    """
    row = _turned(plan, State.PAUSED, State.RUNNING, Verb.PROBE_PLAN_RESUMED, actor)
    row.next_at = next_expected(row.cron, row.zone, clock.now())
    row.save(update_fields=["next_at"])
    return row


@transaction.atomic
def end_plan(plan: ProbePlan, *, actor: Actor) -> ProbePlan:
    """Ask no more; what was asked and seen stays.

    Records: probe_plan.ended, and drift.over for what stands. Raises: MayNotEvaluate, PlanOver.
    """
    row = _locked(plan, actor)
    row.state, row.ended_at, row.asked_at = State.ENDED, clock.now(), None
    row.save(update_fields=["state", "ended_at", "asked_at"])
    for change in _standing(row):
        end_change(change, why="The plan of probes has ended.", actor=actor)
    _record(Verb.PROBE_PLAN_ENDED, row, actor)
    return row


@transaction.atomic
def ask_now(plan: ProbePlan, *, actor: Actor) -> ProbePlan:
    """Have a round asked now, within the cap, beside those of the schedule.

    Records: nothing; the calls are. Raises: MayNotEvaluate, PlanOver.
    """
    row = _locked(plan, actor)
    if row.state != State.RUNNING:
        raise PlanOver("It is paused: resume it before asking.")
    row.asked_at = clock.now()
    row.save(update_fields=["asked_at"])
    ring(SWEEP)
    return row


@transaction.atomic
def accept_changes(plan: ProbePlan, *, actor: Actor) -> int:
    """Take what is seen now as the usual: later rounds are compared with those from here on.

    Return how many changes that ends. Records: probe_plan.changed, drift.over.
    Raises: MayNotEvaluate, PlanOver.
    """
    row = _locked(plan, actor)
    row.since = clock.now()
    row.save(update_fields=["since"])
    standing = _standing(row)
    for change in standing:
        end_change(change, why="It was taken as the usual.", actor=actor)
    _record(Verb.PROBE_PLAN_CHANGED, row, actor)
    return len(standing)


def _take(plan: ProbePlan, draft: PlanDraft) -> None:
    if draft.cap_micros <= 0:
        raise PlanInvalid("Say for how much a month it may ask.", field="cap")
    names = sorted(set(draft.cases))
    known = set(askable_cases(plan.agent, plan.watch.route).values_list("name", flat=True))
    if not known or not known >= set(names):
        missing = ", ".join(sorted(set(names) - known)[:5])
        raise PlanInvalid(
            f"Not among the golden cases of this route that need no judge model: {missing}."
            if missing
            else "The agent has no golden case on this route that needs no judge model: add one.",
            field="cases",
        )
    if len(names) > MOST_CASES:
        raise PlanInvalid(f"A plan asks at most {MOST_CASES} cases.", field="cases")
    try:
        plan.next_at = next_expected(draft.cron, draft.zone, clock.now())
    except ScheduleInvalid as error:
        raise PlanInvalid(error.detail, field="cron") from None
    plan.cron, plan.zone, plan.cases = draft.cron, draft.zone, names
    plan.cap_micros = draft.cap_micros


def _turned(plan: ProbePlan, before: str, after: str, verb: Verb, actor: Actor) -> ProbePlan:
    row = _locked(plan, actor)
    if row.state != before:
        raise PlanOver(f"It is {row.state}.")
    row.state = after
    row.save(update_fields=["state"])
    _record(verb, row, actor)
    return row


def _locked(plan: ProbePlan, actor: Actor) -> ProbePlan:
    require_evaluate(actor, plan.agent)
    rows = ProbePlan.objects.select_for_update(of=("self",))
    row = rows.select_related("watch", "agent", "model__vendor").get(pk=plan.pk)
    if row.state == State.ENDED:
        raise PlanOver("It has ended: add another.")
    return row


def _standing(plan: ProbePlan) -> list[Change]:
    rows = Change.objects.filter(plan=plan, over_at__isnull=True)
    return list(rows.select_related("watch", "plan__agent"))


def _record(verb: Verb, plan: ProbePlan, actor: Actor) -> None:
    facts: dict[str, Fact] = {
        "route": plan.watch.route,
        "vendor": plan.watch.vendor,
        "model": plan.watch.model,
        "cron": plan.cron,
        "zone": plan.zone,
        "cap_micros": plan.cap_micros,
        "cases": len(plan.cases),
    }
    record(verb, plan.ref, actor=actor.ref, facts=facts, agent_id=plan.agent.public_id)
