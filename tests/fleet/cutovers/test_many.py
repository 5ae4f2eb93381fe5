"""Many agents in one cutover: the statements do not grow with them, and its pages are cut."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fleet.cutovers.actions.going_back import roll_back
from fleet.cutovers.actions.stepping import step_cutovers
from fleet.cutovers.models import Cutover
from fleet.cutovers.queries.cutovers import bound_digest
from fleet.health.models import Incident
from ledger.models import Entry
from routing.models import Call, Shift
from tests.factories import browser_of, client_of, make_call
from tests.fleet.cutovers.world import SWEEP, World

MANY = int(os.environ.get("UNSPRAWL_SOAK_CUTOVER_AGENTS", "30"))
pytestmark = pytest.mark.django_db


def statements(deed: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as queries:
        deed()
    return len(queries)


def story(world: World, count: int) -> dict[str, int]:
    """Move so many agents and bring them back; return how many statements each part took."""
    agents = [world.agent(f"a-{count}-{number:04}") for number in range(count)]
    api, page = client_of(world.cast.pat), browser_of(world.cast.pat)
    owner = client_of(world.cast.alice)
    body = {
        "agents": [agent.name for agent in agents],
        "model": world.source.public_id,
        "to": world.target.public_id,
        "steps": [{"percent": 50, "hold_seconds": 0, "least_calls": 0},
                  {"percent": 100, "hold_seconds": 0, "least_calls": 0}],
    }  # fmt: skip
    took = {"begin": statements(lambda: api.post("/api/v1/cutovers", body, format="json"))}
    cutover = Cutover.objects.get(state="signing")
    at, digest = f"/api/v1/cutovers/{cutover.public_id}", bound_digest(cutover)
    took["sign"] = statements(lambda: owner.post(f"{at}/sign", {"digest": digest}, format="json"))
    took["step"] = statements(lambda: step_cutovers(actor=SWEEP))
    took["page"] = statements(lambda: page.get(f"/cutovers/{cutover.public_id}/"))
    took["list"] = statements(lambda: api.get(f"{at}/agents?state=shifting&ordering=name"))
    bad = {"status": "error", "http_status": 500, "arm": "target"}
    for shift in Shift.objects.filter(ended_at=None).order_by("id")[: count // 2]:
        agent = next(each for each in agents if each.public_id == shift.agent_id)
        for _ in range(20):
            make_call(agent, shift=shift.public_id, **bad)
    took["breach"] = statements(lambda: step_cutovers(actor=SWEEP))
    cutover.refresh_from_db()
    assert (cutover.state, Shift.objects.filter(ended_at=None).count()) == ("rolled_back", 0)
    Call.objects.all().delete()
    return took


def test_the_statements_of_a_cutover_do_not_grow_with_its_agents(world: World) -> None:
    few, many = story(world, 12), story(world, MANY)
    assert {part: many[part] - few[part] for part in few if many[part] > few[part] + 2} == {}
    assert max(many.values()) < 80
    assert Entry.objects.filter(verb__startswith="cutover.").count() < 20
    # What brings many back is one incident, whose facts say why.
    assert {each.agent for each in Incident.objects.filter(kind="cutover")} == {None}


def test_the_page_of_many_is_cut_and_searched(world: World) -> None:
    agents = [world.agent(f"a-{number:04}") for number in range(35)]
    cutover = world.started(*agents)
    at, api = f"/cutovers/{cutover.public_id}/", client_of(world.cast.pat)
    shown = browser_of(world.cast.pat).get(at).content.decode()
    assert ("35 agents" in shown, "a-0029" in shown, "a-0030" in shown) == (True, True, False)
    found = browser_of(world.cast.pat).get(f"{at}?search=0034&state=shifting").content.decode()
    assert ("a-0034" in found, "a-0020" in found) == (True, False)
    rest = api.get(f"/api/v1{at}agents?ordering=name&page_size=30").json()
    assert [rest["results"][0]["agent"], bool(rest["next"])] == ["a-0000", True]
    assert api.get(f"/api/v1{at[:-1]}").json()["agents_count"] == 35
    assert client_of(world.cast.mallory).get(f"/api/v1{at}agents").status_code == 404
    roll_back(cutover.public_id, actor=world.alice, reason="No.", agents=["a-0003"])
    found = browser_of(world.cast.pat).get(f"{at}?state=rolled_back").content.decode()
    assert ("a-0003" in found, "a-0020" in found) == (True, False)
