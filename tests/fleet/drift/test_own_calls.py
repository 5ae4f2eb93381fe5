"""What the platform asks in an agent's place is counted as the platform's, and nowhere else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fleet.conformance.actions.checking import check_runs
from fleet.conformance.models import CheckedRun
from fleet.discovery.queries.held import brokered_calls
from fleet.drift.actions.rounds import ask_due_plans
from fleet.drift.actions.watching import count_hours
from fleet.drift.models import Hour
from fleet.evaluations.actions.beginning import begin_evaluation
from fleet.evaluations.actions.ending import carry_out
from fleet.evaluations.queries.recorded import newest_at
from fleet.health.actions.counting import count_calls
from fleet.health.models import CallWindow
from fleet.worth.actions.counting import count_days
from fleet.worth.models import WorthDay
from kernel import clock
from routing.actions.run_sums import sum_runs
from routing.actions.usage import count_usage
from routing.models import Call, ModelUse, UsageDay, UsageOwn, UsageTotal
from routing.queries.budgets import used_since
from routing.queries.own_calls import own_calls
from tests.factories import actor as actor_of
from tests.factories import browser_of, make_budget, operator
from tests.fleet.drift.test_probing import SWEEP, Answering, answering, golden, planned
from tests.fleet.evaluations.scene import WORKER, Scene, question
from tests.transactions import wait_for_open_transactions

__all__ = ["answering"]
pytestmark = [pytest.mark.django_db(transaction=True)]


def counted() -> None:
    wait_for_open_transactions()
    for sweep in (count_usage, sum_runs, count_calls):
        sweep(actor=operator())


def test_probes_and_evaluations_are_no_use_of_their_agent(
    scene: Scene, gateway: Any, answering: Answering
) -> None:
    now = clock.now()
    scene.runs(3, lambda number: (question(f"Is {number} one?"), "Yes."))
    golden(scene, "one")
    golden(scene, "two")
    quiet = scene.model("quiet-ai", "quiet-1", answering.vendor.address)
    plan = planned(scene, quiet)
    plan.asked_at = now
    plan.save(update_fields=["asked_at"])
    assert ask_due_plans(actor=SWEEP) == 1
    made = begin_evaluation(
        agent=scene.agent, baseline=scene.baseline, candidates=[quiet], sample=3,
        asks_baseline=False, actor=actor_of(scene.cast.alice),
    )  # fmt: skip
    carry_out(made, actor=WORKER)
    marks = Call.objects.exclude(made_for="").values_list("made_for", flat=True)
    purposes = [mark.partition("_")[0] for mark in marks]
    asked = {name: purposes.count(name) for name in ("gld", "evl")}
    assert asked["gld"] == 2
    assert asked["evl"] >= 3
    assert made.public_id in set(marks)

    counted()
    # The agent made three calls of its old model, and none of the candidate.
    days = list(UsageDay.objects.all())
    assert sum(day.calls for day in days) == 3
    assert sum(day.cost_micros for day in days) == 90
    assert {day.model for day in days} == {"old-1"}
    assert sum(UsageTotal.objects.values_list("calls", flat=True)) == 3
    assert set(ModelUse.objects.values_list("model", flat=True)) == {"old-1"}
    assert sum(CallWindow.objects.filter(minutes=60).values_list("calls", flat=True)) == 3
    assert newest_at(scene.agent, quiet) is None
    with clock.held_at(now + timedelta(hours=2)):
        count_hours(clock.now())
        assert sum(Hour.objects.values_list("calls", flat=True)) == 3
        assert set(Hour.objects.values_list("watch__model", flat=True)) == {"old-1"}
        check_runs(actor=operator())
        assert CheckedRun.objects.count() == 3
        count_days(actor=operator())
    assert sum(WorthDay.objects.values_list("runs", flat=True)) == 3

    # What it cost stands where it is looked for, and budgets hold it.
    pat = actor_of(scene.cast.pat)
    found = {one.purpose.value: one for one in own_calls(pat)}
    assert {name: one.calls for name, one in found.items()} == asked
    assert found["gld"].cost_micros == 2 * 22
    assert [one.purpose.value for one in own_calls(actor_of(scene.cast.mallory))] == []
    budget = make_budget(subject_kind="agent", subject=scene.agent.public_id)
    whole = sum(UsageOwn.objects.values_list("cost_micros", flat=True))
    assert used_since(budget, now.date() - timedelta(days=1)) == 90 + whole
    day = clock.now().date()
    assert brokered_calls("quiet-ai", day - timedelta(days=1), day) == len(purposes)
    said = browser_of(scene.cast.pat).get("/drift/").content.decode()
    assert "What Unsprawl asked itself" in said
    report = browser_of(scene.cast.alice).get(f"/evaluations/{made.public_id}/").content.decode()
    assert "Cost so far" in report
