"""Asking what is due: a round of golden cases through the gateway, each held for before it leaves.

One worker holds a plan. A round that was broken off goes on with the cases it has not asked; a
question whose answer nobody noted is lost, and the most that it could cost stays counted. Nothing
is asked that the month's cap could not pay for at its worst.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import structlog
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from fleet.drift.actions.judging import judge_plan
from fleet.drift.models import Probe, ProbePlan, Round
from fleet.drift.queries.plans import cases_of, spent_of
from fleet.evaluations.actions.asking import Answered, ask_opened, open_golden
from fleet.evaluations.expecting.content import GoldenContent
from fleet.evaluations.models import GoldenCase
from fleet.evaluations.sampling.estimating import price_of
from fleet.health.schedules import next_expected
from kernel import clock
from kernel.errors import DomainError
from kernel.refs import new_id
from registry.actors import Actor
from routing.errors import GatewayUnreachable
from routing.models import Model

logger = structlog.get_logger("unsprawl.drift")

LABEL: Final = "golden probes"
SECONDS: Final = 240.0  # for all plans of one sweep
PATIENCE: Final = timedelta(hours=2)  # for a round that is held up
KEPT: Final = timedelta(days=180)
USUAL_OUTPUT: Final = 16_384  # where neither the case nor the model says how long an answer may be
_AT_A_SWEEP: Final = 50
_PASSES: Final = frozenset({"limit_reached", "shutting_down", "not_governed", "undecided"})
_OUTPUTS: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens")
Status = Probe.Status


def ask_due_plans(*, actor: Actor) -> int:
    """Ask what is due of every plan, one after the other; return how many rounds ended.

    Records: payload.read for each case, drift.seen and drift.over; the gateway records the calls.
    """
    until = time.monotonic() + SECONDS
    now = clock.now()
    begun = Round.objects.filter(plan=OuterRef("pk"), ended_at__isnull=True)
    due = ProbePlan.objects.filter(
        Q(next_at__lte=now) | Q(asked_at__isnull=False) | Exists(begun),
        state=ProbePlan.State.RUNNING,
    )
    ended = 0
    for pk in list(due.order_by("next_at").values_list("pk", flat=True)[:_AT_A_SWEEP]):
        if time.monotonic() >= until:
            break
        ended += _carry_on(pk, actor, until)
    Probe.objects.filter(asked_at__lt=now - KEPT).delete()
    Round.objects.filter(began_at__lt=now - KEPT, probes__isnull=True).delete()
    return ended


def _carry_on(pk: int, actor: Actor, until: float) -> int:
    rows = ProbePlan.objects.select_related("watch", "agent", "model__vendor")
    with _claimed(pk) as is_ours:
        plan = rows.filter(pk=pk, state=ProbePlan.State.RUNNING).first()
        if not is_ours or plan is None:
            return 0
        asked = _round_of(plan)
        if asked is None or not _ask_round(asked, actor, until):
            return 0
        _end_round(asked)
        judge_plan(plan, actor=actor)
        return 1


@transaction.atomic
def _round_of(plan: ProbePlan) -> Round | None:
    """Return the round that is under way, or begin the one that is due."""
    now = clock.now()
    found = plan.rounds.filter(ended_at__isnull=True).first()
    if found is None and (plan.next_at <= now or plan.asked_at is not None):
        found = Round.objects.create(public_id=new_id("rnd"), plan=plan, began_at=now)
        # What was missed while nobody worked is not asked after: one round is as good as ten.
        plan.next_at = next_expected(plan.cron, plan.zone, now)
        plan.asked_at = None
        plan.save(update_fields=["next_at", "asked_at"])
    if found is not None:
        found.plan = plan
        # Asked by a worker that is gone: nobody will note an answer.
        found.probes.filter(status=Status.ASKING).update(status=Status.LOST)
    return found


def _ask_round(asked: Round, actor: Actor, until: float) -> bool:
    """Ask what is left of a round; return whether it is over."""
    plan = asked.plan
    done = set(asked.probes.values_list("golden_id", flat=True))
    for golden in cases_of(plan):
        if golden.pk in done:
            continue
        if time.monotonic() >= until:
            return False
        state = ProbePlan.objects.filter(pk=plan.pk).values_list("state", flat=True).get()
        if state != ProbePlan.State.RUNNING:
            asked.waits = "paused"
            return True
        waits = _ask(asked, golden, actor)
        if waits in _PASSES or waits == "gateway":
            asked.waits = waits
            return clock.now() - asked.began_at > PATIENCE
        if waits:
            asked.waits = waits
            return True
    asked.waits = "" if asked.probes.exists() or done else "no_cases"
    return True


def _ask(asked: Round, golden: GoldenCase, actor: Actor) -> str:
    """Ask one case; return what kept it from being asked."""
    plan = asked.plan
    try:
        content = open_golden(golden, actor=actor, reason=f"to ask it again ({LABEL})")
    except DomainError as error:
        _kept(asked, golden, 0, status=Status.REFUSED, error=error.code)
        return ""
    plan.model.refresh_from_db()
    most = most_of(content, plan)
    if most is None:
        return "unpriced"
    probe = _held(asked, golden, most)
    if probe is None:
        return "cap"
    try:
        answered = ask_opened(golden, content, plan.model, label=LABEL)
    except GatewayUnreachable:
        probe.delete()  # nothing has left
        return "gateway"
    if answered.status == "refused" and answered.error in _PASSES:
        probe.delete()
        return answered.error
    _note(probe, answered)
    return ""


def most_of(content: GoldenContent, plan: ProbePlan) -> int | None:
    """Return the most that a case can cost: every byte a token, every answer as long as allowed."""
    model: Model = plan.model
    said: Mapping[str, Any] = content.request
    outputs = [said[name] for name in _OUTPUTS if isinstance(said.get(name), int)]
    longest = outputs[0] if outputs else model.max_output_tokens or USUAL_OUTPUT
    times = said.get("n") if isinstance(said.get("n"), int) else 1
    size = len(content.body(plan.watch.route))
    return price_of(model, size, max(longest, 0) * max(int(times or 1), 1))


@transaction.atomic
def _held(asked: Round, golden: GoldenCase, most: int) -> Probe | None:
    """Hold what a case can cost; nothing where the cap would not pay for it."""
    plan = ProbePlan.objects.select_for_update(of=("self",)).get(pk=asked.plan_id)
    if spent_of(plan, clock.now()) + most > plan.cap_micros:
        return None
    return _kept(asked, golden, most, status=Status.ASKING)


def _kept(asked: Round, golden: GoldenCase, most: int, *, status: str, error: str = "") -> Probe:
    return Probe.objects.create(
        public_id=new_id("prb"), round=asked, golden=golden, status=status, error=error[:80],
        held_micros=most, asked_at=clock.now(),
    )  # fmt: skip


def _note(probe: Probe, answered: Answered) -> None:
    known = {"ok": Status.OK, "refused": Status.REFUSED}
    probe.status = known.get(answered.status, Status.ERROR)
    probe.error = answered.error[:80]
    probe.holds = answered.holds if probe.status == Status.OK else None
    # Where in a schema it breaks is written by whoever wrote the case.
    fault = answered.fault
    probe.fault = "breaks its schema" if fault.startswith("breaks") else fault[:80]
    probe.entry_id = answered.entry_id
    named = answered.reported_model[:120]
    probe.reported_model = named if named.isprintable() else "?"
    probe.is_substituted = answered.is_substituted
    probe.fingerprint = answered.fingerprint
    probe.duration_ms, probe.cost_micros = answered.duration_ms, answered.cost_micros
    if probe.status == Status.REFUSED:
        probe.held_micros = 0
    probe.save(
        update_fields=[
            "status", "error", "holds", "fault", "entry_id", "reported_model", "is_substituted",
            "fingerprint", "duration_ms", "cost_micros", "held_micros",
        ]
    )  # fmt: skip


def _end_round(asked: Round) -> None:
    asked.ended_at = clock.now()
    asked.save(update_fields=["ended_at", "waits"])
    ProbePlan.objects.filter(pk=asked.plan_id).update(waits=asked.waits)


@contextmanager
def _claimed(pk: int) -> Iterator[bool]:
    """Hold a plan alone: a session's lock, which goes with the session if that dies."""
    place = ["unsprawl.probes", str(pk)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s), hashtext(%s))", place)
        row = cursor.fetchone()
    if not (row and row[0]):
        yield False
        return
    try:
        yield True
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtext(%s), hashtext(%s))", place)
