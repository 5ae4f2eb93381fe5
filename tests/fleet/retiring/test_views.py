"""The pages and the wire of ends: who sees what, what a form says, and what is asked at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from rest_framework.test import APIClient

from fleet.retiring.actions.carrying import carry_on
from fleet.retiring.actions.planning import retire_now
from fleet.retiring.models import Retirement
from kernel import clock
from registry.actors import Actor
from registry.models import Agent, Person
from tests.factories import Cast, make_agent, make_token

ALL = ("alice", "mallory", "sam", "pat", "ann")
PLAN = "/retirements-of-agents/plan/?agent=sorter"


@pytest.fixture
def agent(cast: Cast) -> Agent:
    return make_agent("sorter", owner=cast.alice, backup_owner=cast.bob, stage="live")


def seen_by(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def api(person: Person) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(person)[1]}")
    return client


@pytest.fixture
def tombstone(cast: Cast, agent: Agent) -> Retirement:
    make_agent("sorter-2", owner=cast.bob, stage="live")
    body = {"reason": "Replaced <b>now</b>.", "successor": "sorter-2"}
    answer = api(cast.alice).post("/api/v1/agents/sorter/retire", body, format="json")
    assert (answer.status_code, answer.json()["stage"]) == (200, "retired")
    return carry_on(Retirement.objects.get(), actor=Actor.system("retirement"))


@pytest.mark.parametrize("who", ALL)
def test_everybody_finds_the_tombstone_and_reads_what_follows(
    cast: Cast, tombstone: Retirement, who: str
) -> None:
    client = seen_by(getattr(cast, who))
    listed = client.get("/retirements-of-agents/?search=sorter&state=retired").content.decode()
    assert f"/retirements-of-agents/{tombstone.public_id}/" in listed
    page = client.get(f"/retirements-of-agents/{tombstone.public_id}/").content.decode()
    assert "Proven dead" in page
    assert "sorter-2" in page
    assert "Replaced &lt;b&gt;now&lt;/b&gt;." in page
    told = api(getattr(cast, who)).get(f"/api/v1/agent-retirements/{tombstone.public_id}").json()
    is_outside = who == "mallory"
    assert ("Path by path" in page, "paths" in told["proof"]) == (not is_outside,) * 2
    assert (told["proof"]["contained"], told["figures"] == {}) == (True, is_outside)
    asks = who in {"alice", "sam", "pat"}
    assert ("Ask to restore" in page) is asks
    found = api(getattr(cast, who)).get(f"/api/v1/agent-retirements/{tombstone.public_id}").json()
    assert (found["agent"], found["successor"]) == ("sorter", "sorter-2")
    assert len(found["steps"]) == 11


def test_nobody_who_is_not_signed_in_sees_anything(tombstone: Retirement) -> None:
    page = Client().get(f"/retirements-of-agents/{tombstone.public_id}/")
    assert page["Location"].startswith("/signin/")
    assert APIClient().get("/api/v1/agent-retirements").status_code == 401


def test_an_end_is_planned_looked_at_changed_and_cancelled(cast: Cast, agent: Agent) -> None:
    alice = seen_by(cast.alice)
    assert "Who depends on it" in alice.get(PLAN).content.decode()
    day = (clock.now() + timedelta(days=40)).date().isoformat()
    form = {"on": day, "drain_minutes": "30", "data": "keep", "reason": "Old.", "begin": "1"}
    refused = alice.post(PLAN, form | {"successor": "nobody"})
    assert (refused.status_code, Retirement.objects.count()) == (422, 0)
    refused = alice.post(PLAN, form | {"data": "shred"})
    assert "Platform and security plan" in refused.content.decode()
    assert alice.post(PLAN, form).status_code == 302
    row = Retirement.objects.get()
    assert (row.drain_minutes, row.state) == (30, "announced")
    assert day in alice.get(PLAN).content.decode()
    page = f"/retirements-of-agents/{row.public_id}/"
    alice.post(f"{page}cancel/", {"reason": "It stays."})
    agent.refresh_from_db()
    assert agent.stage == "live"
    assert "It stays." in alice.get(page).content.decode()


@pytest.mark.parametrize("who", ["mallory", "sam", "ann", "bob"])
def test_others_may_not_plan(cast: Cast, agent: Agent, who: str) -> None:
    assert seen_by(getattr(cast, who)).get(PLAN).status_code == 403
    body = {"reason": "x", "on": "2027-01-01"}
    answer = api(getattr(cast, who)).post("/api/v1/agents/sorter/deprecate", body, format="json")
    assert answer.status_code == 403


def test_over_rest_an_end_is_planned_listed_and_asked_back(cast: Cast, agent: Agent) -> None:
    alice = api(cast.alice)
    body = {"reason": "Old.", "on": "2027-03-01", "drain_minutes": 5}
    told = alice.post("/api/v1/agents/sorter/deprecate", body, format="json")
    assert told.json()["stage"] == "deprecated"
    (row,) = alice.get("/api/v1/agent-retirements?state=announced").json()["results"]
    assert row["drains_at"] == "2027-03-01T00:00:00Z"
    assert alice.post(f"/api/v1/agent-retirements/{row['id']}/cancel", {"reason": "Stay."}).json()[
        "state"
    ] == ("cancelled")
    again = retire_now("sorter", actor=Actor.of(cast.alice), reason="Old.")
    asked = alice.post(
        f"/api/v1/agent-retirements/{again.public_id}/restore", {"reason": "Needed."}
    )
    assert asked.status_code == 202
    assert asked.json()["review"].startswith("rev_")


def test_the_agents_page_leads_to_its_end(cast: Cast, tombstone: Retirement) -> None:
    page = seen_by(cast.alice).get("/agents/sorter/end/").content.decode()
    assert f"/retirements-of-agents/{tombstone.public_id}/" in page
