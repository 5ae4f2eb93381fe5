"""Pages of cutovers: the form that begins one, the arms as drawn, and where others read of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from approvals.models import Review
from fleet.cutovers.actions.stepping import step_cutovers
from fleet.cutovers.models import Cutover, CutoverEvent
from fleet.cutovers.plan import LIMITS
from fleet.cutovers.queries.evidence import evidence_of
from fleet.cutovers.views.chart import Stage, charts_of
from fleet.cutovers.views.stages import trends_of
from fleet.demo.building import remove_company
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor
from routing.arm_sums import Sums
from routing.models import Shift
from tests.factories import browser_of, make_agent, make_call
from tests.fleet.cutovers.world import SWEEP, World

pytestmark = pytest.mark.django_db
NEW = "/cutovers/new/"


def test_what_a_cutover_would_be_is_shown_before_it_begins(world: World) -> None:
    agent = world.agent()
    world.agent("untested", passed=False)
    page, said = browser_of(world.cast.pat), {
        "model": world.source.public_id, "to": world.target.public_id, "agents": "sorter, nobody",
    }  # fmt: skip
    shown = page.post(NEW, said | {"do": "preview"}).content.decode()
    assert "There is no agent nobody" in shown
    assert "ask the owners" not in shown
    shown = page.post(NEW, said | {"agents": "", "group": "yes"}).content.decode()
    assert ("2 agents" in shown, "1 without a passed evaluation" in shown) == (True, True)
    assert Cutover.objects.count() == 0
    begun = page.post(NEW, said | {"agents": agent.name, "do": "begin"})
    cutover = Cutover.objects.get()
    assert begun["Location"] == f"/cutovers/{cutover.public_id}/"
    shown = page.post(NEW, said | {"agents": agent.name}).content.decode()
    assert f"It is on its way by {cutover.public_id}." in shown
    refused = page.post(NEW, said | {"agents": agent.name, "do": "begin"})
    assert (refused.status_code, "already" in refused.content.decode()) == (409, True)


def test_an_employee_begins_it_for_agents_of_their_own(world: World) -> None:
    world.agent()
    make_agent("theirs", owner=world.cast.bob, stage="live", routes=["classify"])
    page = browser_of(world.cast.alice)
    said = {"model": world.source.public_id, "to": world.target.public_id}
    shown = page.post(NEW, said | {"group": "yes"}).content.decode()
    assert ("1 agent<" in shown, "theirs" in shown) == (True, False)
    refused = page.post(NEW, said | {"agents": "theirs", "do": "begin"})
    assert (refused.status_code, Cutover.objects.count()) == (403, 0)


def test_home_and_the_agent_say_that_a_cutover_waits_and_moves(world: World) -> None:
    agent = world.agent()
    world.begin(agent)
    page = browser_of(world.cast.alice)
    assert "A cutover asks you to agree" in page.get("/").content.decode()
    shown = page.get(f"/agents/{agent.name}/").content.decode()
    assert ("old-1 → new-1" in shown, "waits for a signature" in shown) == (True, True)
    assert "A cutover asks you" not in browser_of(world.cast.bob).get("/").content.decode()


def test_security_sees_who_would_move_where_it_decides(world: World) -> None:
    agent = world.agent(data_classes=["confidential"])
    world.begin(agent)
    review = Review.objects.get(kind="cutover")
    shown = browser_of(world.cast.sam).get(f"/reviews/{review.public_id}/").content.decode()
    assert ("Who goes whereto" in shown, "confidential" in shown) == (True, True)
    assert f'name="digest" value="{review.asked_digest}"' in shown
    assert "Correct it and approve" not in shown


def test_a_question_about_a_cutover_that_was_taken_out_is_taken_back(world: World) -> None:
    cutover = world.begin(world.agent(data_classes=["confidential"], is_demo=True))
    remove_company(actor=Actor.system("demo"))
    assert not Cutover.objects.filter(pk=cutover.pk).exists()
    review = Review.objects.get(kind="cutover")
    assert review.state == "withdrawn"
    shown = browser_of(world.cast.sam).get(f"/reviews/{review.public_id}/")
    assert (shown.status_code, "not here any more" in shown.content.decode()) == (200, True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.xdist_group("cutover-races")
def test_both_arms_are_drawn_step_by_step_with_their_limits(world: World) -> None:
    agent = world.agent()
    cutover = world.started(agent)
    world.calls(agent, "source", 40)
    world.calls(agent, "target", 12)
    step_cutovers(actor=SWEEP)
    world.calls(agent, "target", 5, status="error", http_status=500)
    step_cutovers(actor=SWEEP)
    shown = browser_of(world.cast.pat).get(f"/cutovers/{cutover.public_id}/").content.decode()
    assert "Both arms, step by step" in shown
    assert "Errors at 10 %: 0.0 % → 0.0 %, limit 2.0 %" in shown
    assert "Errors at 100 %: – → 100.0 %, limit 2.0 %" in shown
    assert "1 agent with 100 % of their runs go back to old-1" in shown


@pytest.mark.django_db(transaction=True)
@pytest.mark.xdist_group("cutover-races")
def test_a_way_back_says_how_long_it_took_and_that_every_step_is_on_record(world: World) -> None:
    agent = world.agent()
    cutover = world.started(agent)
    shift = Shift.objects.get(ended_at=None)
    now = clock.now()
    with clock.held_at(now + timedelta(seconds=10)):
        step_cutovers(actor=SWEEP)
    world.calls(agent, "source", 40)
    world.calls(agent, "target", 30, status="error", http_status=500)
    with clock.held_at(now + timedelta(seconds=15)):
        step_cutovers(actor=SWEEP)
    # It had left a gateway that had not heard of the way back yet.
    make_call(agent, shift=shift.public_id, arm="target", started_at=now + timedelta(seconds=15.4))
    found = evidence_of(cutover, [shift.public_id])
    assert found.back is not None
    assert (found.back.seconds, found.back.calls_after, found.back.is_kept) == (5.4, 1, True)
    events = CutoverEvent.objects.filter(cutover=cutover).order_by("id")
    entries = Entry.objects.filter(stream=str(cutover.ref)).order_by("id")
    named = events.values_list("entry_id", flat=True)
    assert list(named) == list(entries.values_list("entry_id", flat=True))
    assert found.steps == found.recorded == len(named)
    shown = browser_of(world.cast.pat).get(f"/cutovers/{cutover.public_id}/").content.decode()
    assert f"{found.steps} of {found.steps} on the ledger" in shown
    assert ("5.4 s" in shown, named[0] in shown) == (True, True)


def test_errors_form_and_drift_are_drawn_stage_by_stage() -> None:
    now = clock.now()
    source = Sums(calls=200, errors=2, checked=200, broken=0)
    good, bad = (
        Sums(calls=300, errors=3, checked=300, broken=1),
        Sums(calls=300, errors=60, checked=300, broken=1),
    )
    stages = [
        Stage(1, now, {"source": source, "target": good}),
        Stage(10, now + timedelta(hours=1), {"source": source, "target": bad}),
    ]
    errors, form, drift = trends_of(stages, [0, 1], LIMITS)
    assert (errors.last, errors.marks, form.marks, drift.marks) == ("20.0 %", [100.0], [], [100.0])
    assert "at 1 % 1.0 % and 1.0 %, at 10 % 1.0 % and 20.0 %" in errors.words
    assert all(0 <= float(spot.split(",")[1]) <= 30 for spot in errors.limit.split())
    (alone, *_) = trends_of(stages[:1], [0], LIMITS)
    assert alone.target.startswith("0.0,")
    assert trends_of([], [], LIMITS) == []


def test_a_lane_is_beyond_its_limit_only_where_the_figures_prove_it() -> None:
    now = clock.now()
    source = Sums(calls=200, errors=2, cost_micros=2000)
    few, many = (
        Sums(calls=10, errors=1, cost_micros=90),
        Sums(calls=300, errors=60, cost_micros=9000),
    )
    stages = [
        Stage(1, now, {"source": source, "target": few}),
        Stage(10, now + timedelta(hours=1), {"source": source, "target": many}),
    ]
    errors, *_, cost = charts_of(stages, LIMITS, "USD")
    assert [lane.is_beyond for lane in errors.lanes] == [False, True]
    assert [lane.is_beyond for lane in cost.lanes] == [False, True]
    places = [lane.limit for lane in errors.lanes if lane.limit is not None]
    assert all(0 <= place <= 100 for place in places)
    assert charts_of([], LIMITS, "USD") == []


def test_in_the_admin_a_cutover_is_steered_by_buttons_that_ask_back(world: World) -> None:
    cutover, page = world.started(world.agent()), Client()
    page.force_login(world.cast.pat)
    assert "old-1" in page.get("/admin/cutovers/cutover/?q=old").content.decode()
    assert page.get("/admin/cutovers/cutoveragent/?q=sorter").status_code == 200
    at = f"/admin/cutovers/cutover/{cutover.pk}"
    assert page.get(f"{at}/change/").status_code == 200
    assert "served by the source" in page.get(f"{at}/back/").content.decode()
    assert page.post(f"{at}/advance/", {"reason": "Looked at."}).status_code == 302
    assert page.post(f"{at}/back/", {"reason": ""}).status_code == 422
    assert page.post(f"{at}/back/", {"reason": "It answers oddly."}).status_code == 302
    cutover.refresh_from_db()
    assert (cutover.state, cutover.step) == ("rolled_back", 1)
    refused = page.post(f"{at}/pause/", {"reason": "Late."})
    assert (refused.status_code, "rolled back" in refused.content.decode()) == (422, True)
