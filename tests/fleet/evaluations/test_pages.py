"""Evaluations in the portal and over REST: who sees, what is shown, what is read on record."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.evaluations.actions.asking import cut_short
from fleet.evaluations.actions.beginning import begin_evaluation
from fleet.evaluations.actions.criteria import set_criteria
from fleet.evaluations.actions.ending import cancel_evaluation, carry_out, carry_out_waiting
from fleet.evaluations.errors import (
    CandidateUnusable,
    CriteriaInvalid,
    EstimateAboveCap,
    EvaluationRunning,
    MayNotEvaluate,
    NothingToEvaluate,
)
from fleet.evaluations.models import Asking, Evaluation
from fleet.evaluations.queries.reports import stale_because
from ledger.models import Entry
from registry.actors import Actor, RoleMissing
from routing.errors import GatewayUnreachable
from tests.factories import browser_of, client_of, make_agent
from tests.fleet.evaluations.scene import WORKER, Scene, question

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def filled(scene: Scene) -> Scene:
    scene.runs(12, lambda number: (question(f"Say {number}."), f"{number}\u202e and <b>more</b>"))
    return scene


def begun(scene: Scene, *candidates: Any, **over: Any) -> Evaluation:
    told = {"agent": scene.agent, "baseline": scene.baseline, "actor": Actor.of(scene.cast.alice)}
    return begin_evaluation(candidates=candidates, **told | over)


def test_it_is_for_those_who_answer_for_the_agent_and_those_who_govern(filled: Scene) -> None:
    model = filled.model("new-ai", "new-1")
    cast = filled.cast
    for who in (cast.alice, cast.bob, cast.sam, cast.pat):
        made = begun(filled, model, actor=Actor.of(who))
        cancel_evaluation(made, actor=Actor.of(who))
    for who in (cast.ann, cast.mallory):
        with pytest.raises(MayNotEvaluate):
            begun(filled, model, actor=Actor.of(who))


def test_what_cannot_be_compared_is_said_before_anything_is_asked(filled: Scene) -> None:
    model = filled.model("new-ai", "new-1")
    for candidates in ([], [filled.baseline], [model, model]):
        with pytest.raises(CandidateUnusable):
            begun(filled, *candidates)
    with pytest.raises(NothingToEvaluate):
        begun(filled, filled.baseline, baseline=model)
    other = make_agent("empty", owner=filled.cast.alice, stage="live")
    with pytest.raises(NothingToEvaluate):
        begun(filled, model, agent=other)
    with pytest.raises(EstimateAboveCap):
        begun(filled, model, cap_micros=1)
    assert not Evaluation.objects.exists()
    made = begun(filled, model)
    with pytest.raises(EvaluationRunning):
        begun(filled, model)
    assert made.estimate_micros == 2 * 12 * 20  # 10 tokens in at 1, 5 out at 2, of each twice
    assert Asking.objects.count() == 24


def test_criteria_are_set_by_those_who_govern_and_make_what_passed_stale(filled: Scene) -> None:
    made = begun(filled, filled.model("new-ai", "new-1"))
    assert stale_because(made) == ""
    with pytest.raises(RoleMissing):
        set_criteria(filled.agent, {"cost_ratio": 9}, actor=Actor.of(filled.cast.alice))
    for wrong in ({"wish": 1}, {"cost_ratio": "2"}, {"least_runs": 1.5}, {"judge": "no-route"}):
        with pytest.raises(CriteriaInvalid):
            set_criteria(filled.agent, wrong, actor=Actor.of(filled.cast.sam))
    set_criteria(filled.agent, {"cost_ratio": 9}, actor=Actor.of(filled.cast.sam))
    assert "criteria" in stale_because(made)
    told = client_of(filled.cast.alice).get(
        f"/api/v1/agents/{filled.agent.name}/evaluation-criteria"
    )
    assert told.data["cost_ratio"] == 9


def test_a_gateway_that_is_away_leaves_it_waiting_and_cut_short_nothing_passes(
    filled: Scene, settings: Any
) -> None:
    settings.GATEWAY_INTERNAL_URL = "http://127.0.0.1:9"
    made = begun(filled, filled.model("new-ai", "new-1"))
    with pytest.raises(GatewayUnreachable):
        carry_out(made, actor=WORKER)
    assert carry_out_waiting(actor=WORKER) == 1
    made.refresh_from_db()
    assert (made.state, made.held_up) == ("running", "routing.gateway_unreachable")
    assert Asking.objects.filter(state="waiting").count() == 24
    cut_short(made, "cap")
    made = carry_out(made, actor=WORKER)
    assert (made.state, made.cut_short) == ("inconclusive", "cap")
    assert made.digest


def test_a_report_is_read_in_the_portal_and_a_pair_only_on_record(
    filled: Scene, gateway: Any, serving: Any
) -> None:
    vendor = serving(lambda body: "\x1b[31m7\u202e other <i>words</i>")
    model = filled.model("new-ai", "new-1", vendor.address)
    browser, cast = browser_of(filled.cast.alice), filled.cast
    form = f"/agents/{filled.agent.name}/evaluate/"
    wanted = {"baseline": "old-ai/old-1", "candidates": "new-ai/new-1", "sample": "12"}
    assert "old-ai/old-1" in browser.get(form).content.decode()
    plan = browser.get(form, wanted).content.decode()
    assert "12 calls" in plan
    assert "Begin" in plan
    assert browser.post(form, wanted).status_code == 302
    made = Evaluation.objects.get()
    page = f"/evaluations/{made.public_id}/"
    assert "0 of 12 calls made" in browser.get(page).content.decode()
    carry_out(made, actor=WORKER)
    made.refresh_from_db()
    assert (made.state, model.name) == ("inconclusive", "new-1")
    report = browser.get(page).content.decode()
    assert "cannot be told yet" in report
    assert "Worst differences first" in report
    assert "another text" in report
    assert "No pair differs" in browser.get(page, {"axis": "tools"}).content.decode()
    assert "old-ai/old-1" in browser.get("/evaluations/").content.decode()
    assert page in browser.get(f"/agents/{filled.agent.name}/golden-cases/").content.decode()
    pair = Asking.objects.select_related("arm", "case").first()
    assert pair is not None
    address = f"{page}pairs/{pair.arm.run_id}/{pair.case.public_id}/"
    before = Entry.objects.filter(verb="payload.read").count()
    assert "words" not in browser.get(address).content.decode()
    assert Entry.objects.filter(verb="payload.read").count() == before
    said = browser.post(address, {"reason": "to see why"}).content.decode()
    assert Entry.objects.filter(verb="payload.read").count() == before + 3
    assert "U+202E" in said
    assert "U+001B" in said
    assert "\u202e" not in said
    assert "\x1b" not in said
    assert "<i>" not in said
    # The team sees how it stands, and not what was said; others see nothing.
    assert browser_of(cast.ann).get(page).status_code == 200
    assert browser_of(cast.mallory).get(page).status_code == 404
    assert browser_of(cast.mallory).post(address, {"reason": "x"}).status_code == 404


def test_rest_begins_shows_lists_and_takes_out(filled: Scene, gateway: Any, serving: Any) -> None:
    filled.model("new-ai", "=new", serving(lambda body: 500).address)
    owner, place = client_of(filled.cast.alice), f"/api/v1/agents/{filled.agent.name}/evaluations"
    wanted = {"candidates": ["new-ai/=new"], "ask_baseline": False, "seed": "s"}
    shown = owner.post(place, wanted | {"preview": True}, format="json").data
    assert (shown["calls"], shown["strata"][0]["runs"]) == (12, 12)
    made = owner.post(place, wanted, format="json")
    assert made.status_code == 202, made.data
    one = f"/api/v1/evaluations/{made.data['id']}"
    carry_out(Evaluation.objects.get(), actor=WORKER)
    report = owner.get(one).data
    assert report["state"] == "failed"
    assert "Calls not answered".lower() in report["candidates"][0]["sentence"]
    pairs = owner.get(f"{one}/pairs?axis=failures&page_size=5").data
    assert (len(pairs["results"]), pairs["next"]) == (5, "5")
    assert pairs["results"][0]["outcome"]["answered"] is False
    table = owner.get(f"{one}/pairs.csv").content.decode()
    assert len(table.splitlines()) == 13
    assert "\n=new" not in table
    assert [each["id"] for each in owner.get(place).data["results"]] == [made.data["id"]]
    assert client_of(filled.cast.mallory).get(one).status_code == 404
    assert client_of(filled.cast.mallory).post(place, wanted, format="json").status_code == 403
    again = owner.post(place, wanted, format="json").data["id"]
    assert owner.delete(f"/api/v1/evaluations/{again}").data["state"] == "cancelled"
    unknown = owner.post(place, {"candidates": ["none/none"]}, format="json")
    assert unknown.data["code"] == "fleet.candidate_unusable"
