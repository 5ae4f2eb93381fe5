"""One step for many agents over REST: looked at, begun once for the number that was shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fleet.retiring.actions import batches
from fleet.retiring.models import Batch, Retirement
from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from routing.models import ModelUse, UsageDay
from tests.factories import Cast, browser_of, client_of, make_agent, make_key
from tests.fleet.retiring.test_batches import agents_of, choose, words

API = "/api/v1/agent-batches"


def opened(cast: Cast, step: str, agents: list[Agent], **options: Any) -> Any:
    body = {"step": step, "agents": [agent.name for agent in agents], "options": options}
    return client_of(cast.pat).post(API, body, format="json")


def busy(agent: Agent) -> Agent:
    """Have an agent a key that was used, and calls."""
    key, now = make_key(agent)[0], clock.now()
    type(key).objects.filter(pk=key.pk).update(last_used_at=now)
    named = {"agent_id": agent.public_id, "route": "r", "vendor": "v", "model": "m"}
    UsageDay.objects.create(day=now.date(), calls=7, **named)
    ModelUse.objects.create(calls=7, first_called_at=now, last_called_at=now, **named)
    return agent


def test_a_batch_is_looked_at_begun_and_followed(cast: Cast) -> None:
    agents = [busy(agent) for agent in agents_of(cast, 3)]
    draft = make_agent("a-draft", owner=cast.alice)
    answer = opened(cast, "retire", [*agents, draft], data="shred", shred_after_days=5)
    told = answer.json()
    assert (answer.status_code, told["state"], told["look"]["agents"]) == (201, "preview", 3)
    (first, *_), (left,) = told["look"]["each"], told["look"]["left_out"]
    assert (first["agent"], first["calls"], first["keys"], first["keys_used"]) == (
        "bulk-00000", 7, 1, 1,
    )  # fmt: skip
    assert first["data"].startswith("destroyed 5 days after the end")
    assert (left["why"], left["names"]) == ("it is draft", ["a-draft"])
    assert Retirement.objects.count() == 0

    pat, one = client_of(cast.pat), f"{API}/{told['id']}"
    wrong = pat.post(f"{one}/begin", {"reason": "Old.", "agents": 4}, format="json")
    assert (wrong.status_code, wrong.json()["code"]) == (409, "fleet.batch_changed")
    begun = pat.post(f"{one}/begin", {"reason": "Old.", "agents": 3}, format="json")
    assert (begun.status_code, begun.json()["done"], begun.json()["refused"]) == (202, 3, 1)
    again = pat.post(f"{one}/begin", {"reason": "Old.", "agents": 3}, format="json")
    assert again.json()["code"] == "fleet.batch_begun"
    items = pat.get(f"{one}/items?state=refused").json()["results"]
    assert [item["agent"] for item in items] == ["a-draft"]
    assert Agent.objects.filter(stage="retired").count() == 3
    assert pat.get(f"{API}?state=done").json()["results"][0]["id"] == told["id"]


def test_a_plan_says_who_calls_the_agent_and_what_ends_with_it(cast: Cast) -> None:
    busy(agents_of(cast, 1)[0])
    page = "/retirements-of-agents/plan/?agent=bulk-00000"
    said = words(browser_of(cast.alice), page)
    assert "7 calls, the last" in said
    assert "with 1 key." in said
    assert "1 key and 0 leases are revoked" in said


def test_it_is_let_be_before_it_is_begun_and_not_after(cast: Cast) -> None:
    pat = client_of(cast.pat)
    one = f"{API}/{opened(cast, 'deprecate', agents_of(cast, 2)).json()['id']}"
    assert pat.delete(one).json()["state"] == "dropped"
    assert pat.delete(one).status_code == 409
    begin = pat.post(f"{one}/begin", {"reason": "x", "agents": 2}, format="json")
    assert begin.json()["code"] == "fleet.batch_begun"
    assert set(Agent.objects.values_list("stage", flat=True)) == {"live"}


def test_what_nobody_began_for_a_week_is_let_be(cast: Cast) -> None:
    opened(cast, "deprecate", agents_of(cast, 1))
    batches.drop_forgotten(actor=Actor.system("retirement"))
    assert Batch.objects.get().state == "preview"
    with clock.held_at(clock.now() + timedelta(days=8)):
        batches.drop_forgotten(actor=Actor.system("retirement"))
    assert Batch.objects.get().state == "dropped"


@pytest.mark.parametrize(
    ("step", "agents", "options", "field"),
    [
        ("plan", ["sorter"], {}, "on"),
        ("suspend", ["sorter"], {"successor": "x"}, "options"),
        ("retire", ["nobody", "sorter"], {}, "agents"),
        ("reassign", ["sorter"], {"owner": "nobody@acme.test"}, "owner"),
        ("vanish", ["sorter"], {}, "step"),
        ("retire", [], {}, "agents"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_laid_out(
    cast: Cast, step: str, agents: list[str], options: dict[str, Any], field: str
) -> None:
    make_agent("sorter", owner=cast.alice, stage="live")
    body = {"step": step, "agents": agents, "options": options}
    answer = client_of(cast.pat).post(API, body, format="json")
    assert answer.status_code in {400, 422}
    assert field in answer.content.decode()
    assert Batch.objects.count() == 0


@pytest.mark.parametrize("who", ["alice", "mallory", "sam", "ann"])
def test_only_platform_lays_out_and_begins(cast: Cast, who: str) -> None:
    batch = opened(cast, "retire", agents_of(cast, 1)).json()["id"]
    client = client_of(getattr(cast, who))
    body = {"step": "retire", "agents": ["bulk-00000"]}
    assert client.post(API, body, format="json").status_code == 403
    begun = client.post(f"{API}/{batch}/begin", {"reason": "x", "agents": 1}, format="json")
    assert begun.status_code == 403
    assert client.delete(f"{API}/{batch}").status_code == 403
    sees = who in {"sam", "ann"}
    assert client.get(f"{API}/{batch}").status_code == (200 if sees else 404)


def test_a_look_at_many_asks_no_more_than_one_at_few(cast: Cast) -> None:
    pat = Client()
    pat.force_login(cast.pat)

    agents = [busy(agent) for agent in agents_of(cast, 20)]

    def statements(number: int) -> int:
        page = choose(pat, "retire", agents[:number])
        with CaptureQueriesContext(connection) as seen:
            said = words(pat, page)
        assert f"{number} agents: retire now" in said
        assert "7, last" in said
        return len(seen)

    few = statements(3)
    assert statements(20) <= few <= 40
