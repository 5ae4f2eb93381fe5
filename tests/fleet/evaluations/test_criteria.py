"""The criteria of a gate: who sets them, what they would change, and what became of that."""

from __future__ import annotations

import pytest

from fleet.evaluations.criteria import DEFAULTS
from fleet.evaluations.models import Asking, Case, GateCriteria
from fleet.evaluations.queries.criteria import criteria_of
from kernel import clock
from kernel.refs import new_id
from registry.models import Agent
from routing.models import Model
from tests.factories import Cast, browser_of, client_of, make_agent, make_cast, make_model
from tests.factories import make_vendor as vendor_named
from tests.fleet.evaluations.rows import make_arm, make_evaluation

pytestmark = pytest.mark.django_db
WIDER = DEFAULTS.told() | {"cost_ratio": 4.0}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def agent(cast: Cast) -> Agent:
    return make_agent(owner=cast.alice, stage="live")


def dear_report(agent: Agent, runs: int = 120) -> Model:
    """Make a report of a candidate that failed for one reason: it costs twice as much."""
    baseline = make_model(vendor_named("old-ai"), "old-1")
    dear = make_model(vendor_named("dear-ai"), "dear")
    made = make_evaluation(
        agent, baseline, state="failed", phase="over", digest="sha256:aa", ended_at=clock.now()
    )
    arm = make_arm(made, dear, verdict="failed")
    outcome = {
        "answered": True, "base_answered": True, "refusal": False, "base_refusal": False,
        "format": None, "tools": None, "text": None, "duration_ms": 10, "base_duration_ms": 10,
        "cost_micros": 20, "base_cost_micros": 10,
    }  # fmt: skip
    for number in range(runs):
        case = Case.objects.create(
            public_id=new_id("cas"), evaluation=made, kind="recorded", run_id=f"run_{number}",
            entry_id=f"ent_{number}", route="sandbox", operation="chat",
        )  # fmt: skip
        Asking.objects.create(
            arm=arm, case=case, state="answered", asked_at=clock.now(), outcome=outcome
        )
    return dear


def test_platform_sees_what_wider_bounds_would_change_before_it_sets_them(
    cast: Cast, agent: Agent
) -> None:
    dear_report(agent)
    address = f"/agents/{agent.name}/evaluation-criteria/"
    pat = browser_of(cast.pat)
    shown = pat.post(address, WIDER)
    page = shown.content.decode()
    assert shown.status_code == 200
    assert "cost_ratio" in page
    assert "dear-ai/dear" in page
    assert "changes" in page
    assert not GateCriteria.objects.exists()
    assert pat.post(address, WIDER | {"sure": "yes"}).status_code == 302
    assert criteria_of(agent).cost_ratio == 4.0
    assert "Criteria 1" in pat.get(address).content.decode()
    assert pat.post(address, WIDER | {"cost_ratio": 0}).status_code == 422


def test_an_owner_reads_the_criteria_and_does_not_set_them(cast: Cast, agent: Agent) -> None:
    address = f"/agents/{agent.name}/evaluation-criteria/"
    owner = browser_of(cast.alice)
    assert "Platform and security set them" in owner.get(address).content.decode()
    assert owner.post(address, WIDER | {"sure": "yes"}).status_code == 403
    assert browser_of(cast.mallory).get(address).status_code in {403, 404}
    assert not GateCriteria.objects.exists()


def test_over_rest_a_preview_sets_nothing(cast: Cast, agent: Agent) -> None:
    dear_report(agent)
    address = f"/api/v1/agents/{agent.name}/evaluation-criteria/preview"
    told = client_of(cast.pat).post(address, {"cost_ratio": 4.0}, format="json").data
    assert told["changed"] == [{"bound": "cost_ratio", "before": 1.5, "after": 4.0}]
    assert [(one["candidate"], one["before"]) for one in told["reports"]] == [
        ("dear-ai/dear", "failed")
    ]
    assert told["reports"][0]["after"] == "passed"
    assert client_of(cast.alice).post(address, {}, format="json").status_code == 403
    assert not GateCriteria.objects.exists()
