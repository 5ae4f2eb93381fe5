"""Golden cases are asked on a schedule through a real gateway, within a cap, and judged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from fleet.drift.actions.planning import (
    PlanDraft,
    accept_changes,
    add_plan,
    ask_now,
    end_plan,
    pause_plan,
    resume_plan,
)
from fleet.drift.actions.rounds import ask_due_plans
from fleet.drift.errors import PlanExists, PlanInvalid, PlanOver
from fleet.drift.models import Change, Probe, ProbePlan, Round
from fleet.drift.queries.plans import spent_of
from fleet.evaluations.actions.golden import add_golden
from fleet.evaluations.errors import MayNotEvaluate
from fleet.evaluations.expecting.content import checked
from fleet.health.models import Incident
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor
from routing.models import Call, Model
from tests.factories import actor as actor_of
from tests.fleet.evaluations.scene import Scene, spoken
from tests.journeys.vendor import Vendor, answer

pytestmark = [pytest.mark.django_db(transaction=True)]
SWEEP = Actor.system("drift-watch")
DAILY = PlanDraft(cron="0 6 * * *", zone="Europe/Vienna", cap_micros=10_000_000)


class Answering:
    """A vendor whose answer, name and set-up a test may change between two rounds."""

    def __init__(self) -> None:
        self.text, self.name, self.fingerprint = "Yes.", "", "fp_1"
        self.vendor = Vendor("", self._said)

    def _said(self, door: Any, body: dict[str, Any]) -> None:
        document = spoken(self.text, self.name or body["model"])
        answer(door, 200, document | {"system_fingerprint": self.fingerprint})


@pytest.fixture
def answering() -> Iterator[Answering]:
    made = Answering()
    made.vendor.is_open = True
    with made.vendor.serving():
        yield made


def golden(scene: Scene, name: str, text: str = "Yes.", **over: Any) -> None:
    content = checked(
        operation="chat",
        request={"messages": [{"role": "user", "content": f"{name}?"}], "max_tokens": 16} | over,
        expects="exact",
        expected={"text": text},
    )
    add_golden(scene.agent, name, content, actor=actor_of(scene.cast.alice))


def planned(scene: Scene, model: Model, draft: PlanDraft = DAILY) -> ProbePlan:
    return add_plan(scene.agent, model, draft, actor=actor_of(scene.cast.alice))


def asked(plan: ProbePlan, times: int = 1) -> None:
    for _ in range(times):
        assert plan.agent.owner is not None
        ask_now(plan, actor=actor_of(plan.agent.owner))
        ask_due_plans(actor=SWEEP)


def test_a_quiet_change_of_a_vendor_is_seen_told_and_over(
    scene: Scene, gateway: Any, answering: Answering
) -> None:
    for name in ("one", "two", "three"):
        golden(scene, name)
    model = scene.model("quiet-ai", "quiet-1", answering.vendor.address)
    plan = planned(scene, model)
    asked(plan, 5)
    probe = Probe.objects.latest("id")
    assert (probe.status, probe.holds, probe.fingerprint) == ("ok", True, "fp_1")
    assert (probe.reported_model, probe.cost_micros) == ("quiet-1", 22)
    assert Probe.objects.count() == 15
    assert Change.objects.count() == 0
    call = Call.objects.get(intent_id=probe.entry_id)
    assert (call.vendor, call.model) == ("quiet-ai", "quiet-1")

    answering.text, answering.name, answering.fingerprint = "No.", "quiet-2-mini", "fp_2"
    asked(plan, 3)
    changes = {change.figure: change for change in Change.objects.all()}
    assert set(changes) == {"answered", "fingerprint", "quality"}, changes
    assert changes["answered"].said == "quiet-2-mini answers, and not quiet-1."
    assert changes["fingerprint"].over_at is not None
    assert changes["quality"].after == 1.0
    incidents = Incident.objects.filter(kind="drift", resolved_at__isnull=True)
    assert {each.agent for each in incidents} == {scene.agent}
    assert incidents.count() == 2
    assert Entry.objects.filter(verb="drift.seen").count() == 3

    answering.text, answering.name = "Yes.", "quiet-1"
    asked(plan, 3)
    assert incidents.all().count() == 0
    assert not Change.objects.filter(over_at__isnull=True).exists()


def test_what_is_taken_as_the_usual_is_told_no_more(
    scene: Scene, gateway: Any, answering: Answering
) -> None:
    golden(scene, "one")
    answering.name = "other-model"  # answers at HTTP 200 in the place of what was asked
    plan = planned(scene, scene.model("quiet-ai", "quiet-1", answering.vendor.address))
    asked(plan)
    assert Change.objects.get().said == "other-model answers, and not quiet-1."
    assert accept_changes(plan, actor=actor_of(scene.cast.alice)) == 1
    asked(plan, 2)
    assert not Change.objects.filter(over_at__isnull=True).exists()
    assert Change.objects.count() == 1


def test_nothing_is_asked_that_the_cap_could_not_pay_for_at_its_worst(
    scene: Scene, gateway: Any, answering: Answering
) -> None:
    golden(scene, "one")
    golden(scene, "two")
    model = scene.model("quiet-ai", "quiet-1", answering.vendor.address)
    worst = 100 + 2 * 16  # about: a byte a token, and sixteen of an answer
    plan = planned(scene, model, PlanDraft("0 6 * * *", "UTC", worst + 22))
    asked(plan)
    first = Round.objects.latest("id")
    assert first.waits == "" if first.probes.count() == 2 else "cap"
    asked(plan, 8)
    last = Round.objects.latest("id")
    assert (last.waits, last.probes.count()) == ("cap", 0)
    plan.refresh_from_db()
    assert plan.waits == "cap"
    assert spent_of(plan, clock.now()) <= plan.cap_micros
    with clock.held_at(clock.now() + timedelta(days=32)):
        assert spent_of(plan, clock.now()) == 0


def test_a_round_that_was_broken_off_goes_on_and_its_lost_question_stays_counted(
    scene: Scene, gateway: Any, answering: Answering
) -> None:
    golden(scene, "one")
    golden(scene, "two")
    plan = planned(scene, scene.model("quiet-ai", "quiet-1", answering.vendor.address))
    begun = Round.objects.create(public_id="rnd_x", plan=plan, began_at=clock.now())
    one = scene.agent.golden_cases.get(name="one")
    Probe.objects.create(
        public_id="prb_x", round=begun, golden=one, held_micros=70, asked_at=clock.now()
    )
    assert ask_due_plans(actor=SWEEP) == 1
    begun.refresh_from_db()
    assert begun.ended_at is not None
    assert sorted(begun.probes.values_list("status", flat=True)) == ["lost", "ok"]
    assert spent_of(plan, clock.now()) == 70 + 22
    assert ask_due_plans(actor=SWEEP) == 0  # the schedule's next time is tomorrow


def test_a_gateway_that_is_away_costs_nothing_and_the_round_waits(
    scene: Scene, settings: Any, answering: Answering
) -> None:
    golden(scene, "one")
    plan = planned(scene, scene.model("quiet-ai", "quiet-1", answering.vendor.address))
    settings.GATEWAY_INTERNAL_URL = "http://127.0.0.1:9"
    asked(plan)
    assert Round.objects.get().ended_at is None
    assert spent_of(plan, clock.now()) == 0


def test_a_plan_says_what_it_cannot_do_and_who_may(scene: Scene) -> None:
    alice, mallory = actor_of(scene.cast.alice), actor_of(scene.cast.mallory)
    model = scene.baseline
    with pytest.raises(PlanInvalid, match="no golden case"):
        planned(scene, model)
    golden(scene, "one")
    with pytest.raises(MayNotEvaluate):
        add_plan(scene.agent, model, DAILY, actor=mallory)
    for draft in (
        PlanDraft("0 6 * *", "UTC", 1),
        PlanDraft("0 6 * * *", "Mars/Base", 1),
        PlanDraft("0 6 * * *", "UTC", 0),
        PlanDraft("0 6 * * *", "UTC", 1, cases=["nine"]),
    ):
        with pytest.raises(PlanInvalid):
            planned(scene, model, draft)
    unpriced = scene.model("free-ai", "who-knows", input_micros_per_mtok=None)
    with pytest.raises(PlanInvalid, match="no price"):
        planned(scene, unpriced)
    plan = planned(scene, model)
    with pytest.raises(PlanExists):
        planned(scene, model)
    pause_plan(plan, actor=alice)
    with pytest.raises(PlanOver):
        ask_now(plan, actor=alice)
    assert ask_due_plans(actor=SWEEP) == 0
    assert resume_plan(plan, actor=alice).state == "running"
    assert end_plan(plan, actor=alice).state == "ended"
    with pytest.raises(PlanOver):
        resume_plan(plan, actor=alice)
    verbs = Entry.objects.filter(verb__startswith="probe_plan.").order_by("id")
    assert [one.verb.split(".")[1] for one in verbs] == ["added", "paused", "resumed", "ended"]
    assert planned(scene, model).pk != plan.pk  # another may take its place
