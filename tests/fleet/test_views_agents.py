from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from kernel import clock
from registry.models import Agent, Person
from routing.actions.usage import count_usage
from routing.models import UsageDay
from tests.factories import (
    Cast,
    make_agent,
    make_cast,
    make_manifest,
    make_person,
    operator,
)
from tests.transactions import wait_for_open_transactions

pytestmark = pytest.mark.django_db
AGENTS = "/agents/"


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def as_(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def results(person: Person, query: str = "") -> str:
    response = as_(person).get(AGENTS + query)
    assert response.status_code == 200, response.content.decode()[:300]
    return response.content.decode().partition('id="results"')[2]


def order_of(page: str) -> list[str]:
    return re.findall(r'<span class="cell-sub mono">([\w-]+)</span>', page)


def used(agent: Agent, *, calls: int, cost: int, days_ago: int = 0) -> None:
    UsageDay.objects.create(
        day=clock.now().date() - timedelta(days=days_ago),
        agent_id=agent.public_id,
        route="sandbox",
        vendor="sandbox",
        model="sandbox-1",
        calls=calls,
        cost_micros=cost,
    )


def test_the_inventory_is_everybodys_and_its_figures_are_not(cast: Cast) -> None:
    agent = make_agent("invoice-sorter", owner=cast.alice, backup_owner=cast.bob, stage="live")
    used(agent, calls=1234, cost=5_670_000)
    used(agent, calls=10, cost=1_000_000, days_ago=20)
    for person in (cast.alice, cast.bob, cast.sam, cast.pat, cast.ann):
        page = results(person)
        assert "1,234" in page
        assert "$6.67" in page
    outside = results(cast.mallory)
    assert "Invoice sorter" in outside
    assert "1,234" not in outside
    assert "$" not in outside


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"a-draft", "b-live", "c-halted"}),
        ("?stage=draft", {"a-draft"}),
        ("?stage=suspended", {"c-halted"}),
        ("?stage=nonsense", {"a-draft", "b-live", "c-halted"}),
        ("?owner=mine", {"a-draft", "b-live"}),
        ("?owner=backup", {"c-halted"}),
        ("?owner=my-team", {"a-draft", "b-live"}),
        ("?team=research", {"c-halted"}),
        ("?data_class=personal", {"b-live"}),
        ("?search=mallory", {"c-halted"}),
        ("?search=B+live", {"b-live"}),
        ("?search=%00", {"a-draft", "b-live", "c-halted"}),
        ("?search=nothing-of-the-kind", set()),
        ("?stage=draft&search=live", set()),
    ],
)
def test_the_list_is_searched_and_narrowed(cast: Cast, query: str, found: set[str]) -> None:
    make_agent("a-draft", owner=cast.alice)
    make_agent(
        "b-live", owner=cast.alice, stage="live",
        manifest=make_manifest("b-live", dataClasses=["internal", "personal"]),
    )  # fmt: skip
    make_agent(
        "c-halted", owner=cast.mallory, backup_owner=cast.alice, stage="live",
        suspended_at=clock.now(), suspended_reason="Odd.", suspended_by="person:x",
    )  # fmt: skip
    assert set(order_of(results(cast.alice, query))) == found


def test_an_empty_inventory_says_how_to_begin(cast: Cast) -> None:
    page = results(cast.alice)
    assert "No agents yet" in page
    assert "/agents/register/" in page
    assert "No agent fits" in results(cast.alice, "?search=x")


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [
        ("title", ["a", "b", "c"]),
        ("-title", ["c", "b", "a"]),
        ("-cost", ["b", "c", "a"]),
        ("calls", ["a", "b", "c"]),
        ("registered", ["c", "a", "b"]),
        ("nonsense", ["a", "b", "c"]),
    ],
)
@pytest.mark.parametrize("is_swept", [True, False])
def test_the_list_is_ordered_as_asked(
    cast: Cast, ordering: str, expected: list[str], is_swept: bool
) -> None:
    for name in "cab":
        make_agent(f"agent-{name}", owner=cast.alice, stage="live")
    for name, calls, cost in (("a", 1, 1), ("b", 2, 300), ("c", 3, 20)):
        used(Agent.objects.get(name=f"agent-{name}"), calls=calls, cost=cost)
    if is_swept:
        wait_for_open_transactions()
        count_usage(actor=operator())
    page = results(cast.pat, f"?ordering={ordering}")
    assert order_of(page) == [f"agent-{name}" for name in expected]


@pytest.mark.parametrize("is_swept", [True, False])
def test_an_ordering_by_cost_tells_outsiders_nothing(cast: Cast, is_swept: bool) -> None:
    for name, cost in (("aa", 1), ("bb", 300), ("cc", 20)):
        used(make_agent(name, owner=cast.alice, stage="live"), calls=1, cost=cost)
    if is_swept:
        wait_for_open_transactions()
        count_usage(actor=operator())
    ups = order_of(results(cast.mallory, "?ordering=cost"))
    downs = order_of(results(cast.mallory, "?ordering=-cost"))
    assert ups == downs[::-1]
    Agent.objects.filter(name="aa").update(owner=cast.mallory)
    assert order_of(results(cast.mallory, "?ordering=-cost"))[0] == "aa"


@pytest.mark.parametrize("query", ["", "?ordering=-cost", "?search=agent"])
def test_the_list_costs_the_same_however_many_there_are(cast: Cast, query: str) -> None:
    make_agent("agent-x", owner=cast.alice, stage="live")
    client = as_(cast.sam)
    client.get(AGENTS + query)
    with CaptureQueriesContext(connection) as few:
        client.get(AGENTS + query)
    for number in range(35):
        owner = make_person(f"p{number:02}", team=cast.finance)
        agent = make_agent(f"agent-{number:02}", owner=owner, backup_owner=cast.bob, stage="live")
        used(agent, calls=number, cost=number)
    with CaptureQueriesContext(connection) as many:
        page = client.get(AGENTS + query).content.decode()
    assert len(few) == len(many)
    assert not any('"manifest"' in query["sql"] for query in many.captured_queries)
    assert len(order_of(page)) == 30
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following is not None
    rest = results(cast.sam, following.group(1).replace("&amp;", "&"))
    assert len(order_of(rest)) == 6
    assert not set(order_of(rest)) & set(order_of(page))


def test_hostile_words_do_nothing(cast: Cast) -> None:
    manifest = make_manifest("evil")
    manifest["metadata"]["title"] = '"><script>alert(1)</script>'
    make_agent("evil", owner=cast.alice, manifest=manifest)
    page = results(cast.mallory, "?search=%22%3E%3Cscript%3E")
    assert "<script>alert" not in page
    whole = as_(cast.mallory).get(AGENTS + "?search=%22onfocus=alert(1)").content.decode()
    assert '"onfocus=alert(1)' not in whole


def test_nobody_sees_the_inventory_without_signing_in() -> None:
    assert Client().get(AGENTS)["Location"] == "/signin/?next=/agents/"
