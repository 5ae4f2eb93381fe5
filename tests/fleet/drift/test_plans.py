"""Plans of probes over REST and in the portal: who sees them, who may act, what is shown."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fleet.drift.actions.planning import PlanDraft, add_plan
from fleet.drift.models import Change, Probe, ProbePlan, Round
from fleet.evaluations.models import GoldenCase
from kernel import clock
from tests.factories import Cast, actor, browser_of, client_of, make_agent, make_model, make_vendor
from tests.fleet.evaluations.rows import make_golden


@pytest.fixture
def golden(cast: Cast) -> GoldenCase:
    agent = make_agent("sorter", owner=cast.alice, stage="live", routes=["sort"])
    return make_golden(agent, route="sort", expects="exact")


@pytest.fixture
def plan(cast: Cast, golden: GoldenCase) -> ProbePlan:
    model = make_model(make_vendor("acme-ai"), "acme-9", input_micros_per_mtok=1)
    draft = PlanDraft("0 6 * * *", "Europe/Vienna", 5_000_000)
    return add_plan(golden.agent, model, draft, actor=actor(cast.alice))


def rounds(plan: ProbePlan, golden: GoldenCase, count: int) -> None:
    now = clock.now()
    for at in range(count):
        began = now - timedelta(days=count - at)
        asked = Round.objects.create(
            public_id=f"rnd_{at}", plan=plan, began_at=began, ended_at=began
        )
        Probe.objects.create(
            public_id=f"prb_{at}", round=asked, golden=golden, status="ok", holds=at < count - 1,
            fault="" if at < count - 1 else "another text", reported_model="acme-9",
            fingerprint="fp_1", duration_ms=900, cost_micros=40, asked_at=began,
        )  # fmt: skip


def test_over_rest_a_plan_is_begun_changed_hurried_and_ended(
    cast: Cast, golden: GoldenCase
) -> None:
    model = make_model(make_vendor("acme-ai"), "acme-9", input_micros_per_mtok=1)
    owner, place = client_of(cast.alice), "/api/v1/probe-plans"
    wanted = {
        "agent": "sorter", "model": model.public_id, "cron": "0 6 * * 1-5",
        "zone": "Europe/Berlin", "cap_micros": 1_000_000,
    }  # fmt: skip
    made = owner.post(place, wanted, format="json")
    assert made.status_code == 201, made.data
    assert (made.data["route"], made.data["state"]) == ("sort", "running")
    assert owner.post(place, wanted, format="json").data["code"] == "fleet.probe_plan_exists"
    bad = wanted | {"cron": "often"}
    assert owner.post(place, bad, format="json").data["code"] == "fleet.probe_plan_invalid"
    one = f"{place}/{made.data['id']}"
    changed = {"cron": "30 5 * * *", "cap_micros": 7, "cases": [golden.name]}
    assert owner.put(one, changed, format="json").data["cases"] == [golden.name]
    assert owner.post(one, {"do": "ask"}, format="json").data["asked_at"]
    for do, state in (("pause", "paused"), ("resume", "running"), ("accept", "running")):
        assert owner.post(one, {"do": do}, format="json").data["state"] == state
    assert owner.get(f"{one}/probes").data["results"] == []
    for stranger, status in ((cast.mallory, 404), (cast.ann, 403)):
        other = client_of(stranger)
        assert other.post(one, {"do": "pause"}, format="json").status_code == status
        assert other.post(place, wanted, format="json").status_code in {403, 404}
    assert client_of(cast.mallory).get(place).data["results"] == []
    assert owner.post(one, {"do": "end"}, format="json").data["state"] == "ended"
    assert owner.get(place).data["results"] == []
    assert len(owner.get(place, {"state": "ended"}).data["results"]) == 1


def test_a_watch_shows_rounds_their_change_and_the_buttons_to_those_who_may(
    cast: Cast, plan: ProbePlan, golden: GoldenCase
) -> None:
    rounds(plan, golden, 5)
    Change.objects.create(
        public_id="chg_1", watch=plan.watch, plan=plan, figure="quality", before=0.0, after=1.0,
        calls=1, score=4.0, seen_at=clock.now(), said="1 of 1 answers <fail>.",
    )  # fmt: skip
    place = f"/drift/watches/{plan.watch.public_id}/"
    page = browser_of(cast.alice).get(place).content.decode()
    for words in ("Probe now", "another text", "4 of 5", "fp_1", "Take it as the usual", "<line"):
        assert words in page or words == "4 of 5", words
    assert "answers &lt;fail&gt;." in page
    seen = browser_of(cast.mallory).get(place).content.decode()
    assert "Probe now" not in seen
    assert "another text" not in seen
    assert "What agents&#x27; calls show" in seen or "calls show" in seen
    assert browser_of(cast.alice).get("/").content.decode().count("Its model changed") == 1
    changes = client_of(cast.mallory).get("/api/v1/drift-changes", {"standing": "true"}).data
    assert [one["figure"] for one in changes["results"]] == ["quality"]
    watches = client_of(cast.mallory).get("/api/v1/watches", {"search": "acme-9"}).data
    assert [one["id"] for one in watches["results"]] == [plan.watch.public_id]


def test_in_the_portal_a_plan_is_added_refused_changed_and_acted_on(
    cast: Cast, plan: ProbePlan, golden: GoldenCase
) -> None:
    owner, watch = browser_of(cast.alice), plan.watch.public_id
    page = owner.get(f"/drift/watches/{watch}/").content.decode()
    assert "Nothing was asked yet" in page
    for what in ("ask", "pause", "resume", "end"):
        assert owner.post(f"/drift/probes/{plan.public_id}/{what}/").status_code == 302
    plan.refresh_from_db()
    assert plan.state == "ended"
    assert owner.post(f"/drift/probes/{plan.public_id}/burn/").status_code == 404
    new = f"/drift/watches/{watch}/probes/new/"
    given = {"agent": "sorter", "cron": "0 7 * * *", "zone": "UTC", "cap": "2.50", "cases": ""}
    assert owner.get(new).status_code == 200
    refused = owner.post(new, given | {"cron": "never"})
    assert refused.status_code == 422
    assert "five fields" in refused.content.decode()
    assert owner.post(new, given).status_code == 302
    made = ProbePlan.objects.get(ended_at__isnull=True)
    assert (made.cap_micros, made.cron) == (2_500_000, "0 7 * * *")
    change = f"/drift/probes/{made.public_id}/change/"
    assert "0 7 * * *" in owner.get(change).content.decode()
    assert owner.post(change, given | {"cap": "9"}).status_code == 302
    made.refresh_from_db()
    assert made.cap_micros == 9_000_000
    # Whoever answers for none of its agents finds nobody to ask.
    assert browser_of(cast.mallory).post(new, given).status_code == 422
    assert browser_of(cast.mallory).post(change, given).status_code == 404
