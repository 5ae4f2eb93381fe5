"""Worth and duplicates over REST: the same as the pages, for the same people."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fleet.worth.actions.grouping import find_duplicates
from fleet.worth.actions.listing import list_quarter_now
from fleet.worth.models import Listed
from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from tests.factories import Cast, browser_of, client_of, make_agent
from tests.fleet.worth.test_duplicates import SYSTEM
from tests.fleet.worth.test_worth import count, work

pytestmark = pytest.mark.django_db
API = "/api/v1"


@pytest.fixture
def agent(cast: Cast) -> Agent:
    old = clock.now() - timedelta(days=300)
    made = make_agent(
        "poster", owner=cast.alice, backup_owner=cast.bob, stage="live", created_at=old
    )
    work(made)
    count()
    return made


def test_standings_and_values_are_read_and_declared(cast: Cast, agent: Agent) -> None:
    alice, mallory = client_of(cast.alice), client_of(cast.mallory)
    (row,) = alice.get(f"{API}/worth").json()["results"]
    assert (row["agent"], row["cost_micros"]) == ("poster", 1_000_000)
    assert mallory.get(f"{API}/worth").json()["results"] == []
    assert alice.get(f"{API}/worth?suggestion=keep").json()["results"] == []
    assert client_of(cast.ann).get(f"{API}/worth/sums").json()["agents"] == 1
    one = f"{API}/agents/poster/worth"
    assert mallory.get(one).status_code in {403, 404}
    body = {"action": "crm.note", "value_micros": 2_000_000, "because": "Ten minutes of a clerk."}
    told = alice.put(one, body, format="json").json()
    assert told["values"][0]["value_micros"] == 2_000_000
    assert mallory.put(one, body, format="json").status_code in {403, 404}
    assert alice.put(one, body | {"action": "x.y"}, format="json").status_code == 422
    gone = alice.put(one, {"action": "crm.note", "value_micros": None}, format="json").json()
    assert gone["values"] == []


def test_a_list_is_made_contested_and_decided(cast: Cast, agent: Agent) -> None:
    pat, alice = client_of(cast.pat), client_of(cast.alice)
    assert alice.post(f"{API}/worth/lists").status_code == 403
    made = pat.post(f"{API}/worth/lists")
    assert (made.status_code, pat.post(f"{API}/worth/lists").status_code) == (201, 409)
    assert alice.get(f"{API}/worth/lists").json()["results"][0]["id"] == made.json()["id"]
    lines = f"{API}/worth/lists/{made.json()['id']}/lines"
    (line,) = alice.get(lines).json()["results"]
    assert (line["agent"], line["answer"], line["decision"]) == ("poster", None, None)
    assert client_of(cast.mallory).get(lines).json()["results"] == []
    here = f"{API}/worth/lines/{line['id']}"
    assert client_of(cast.mallory).get(here).status_code == 404
    bare = alice.post(f"{here}/answer", {"said": "contested"}, format="json")
    assert bare.json()["code"] == "fleet.reason_needed"
    early = pat.post(f"{here}/decide", {"said": "lifted", "because": "x"}, format="json")
    assert early.json()["code"] == "fleet.nothing_to_decide"
    body = {"said": "contested", "because": "The season begins in May."}
    assert alice.post(f"{here}/answer", body, format="json").json()["answer"]["said"] == "contested"
    assert alice.post(f"{here}/answer", body, format="json").status_code == 409
    verdict = {"said": "lifted", "because": "Right."}
    assert alice.post(f"{here}/decide", verdict, format="json").status_code == 403
    done = pat.post(f"{here}/decide", verdict, format="json").json()
    assert done["decision"]["said"] == "lifted"


def test_a_group_is_confirmed_taken_back_and_said_to_differ(
    cast: Cast,
    alike: list[Agent],
) -> None:
    find_duplicates(actor=SYSTEM)
    alice, pat = client_of(cast.alice), client_of(cast.pat)
    (group,) = alice.get(f"{API}/duplicates").json()["results"]
    assert {row["agent"] for row in group["members"]} == {"bill-sorter", "rechnungen"}
    assert client_of(cast.mallory).get(f"{API}/duplicates").json()["results"] == []
    here = f"{API}/duplicates/{group['id']}"
    assert client_of(cast.mallory).get(here).status_code == 404
    assert any("invoice" in why for why in alice.get(here).json()["pairs"][0]["reasons"])
    other = alice.post(f"{here}/confirm", {"survivor": "shift-bot"}, format="json")
    assert other.json()["code"] == "fleet.survivor_not_in_group"
    done = alice.post(f"{here}/confirm", {"survivor": "bill-sorter"}, format="json").json()
    assert (done["state"], done["survivor"]) == ("confirmed", "bill-sorter")
    assert {row["agent"]: row["step"] for row in done["members"]}["rechnungen"] == "asked"
    again = pat.post(f"{here}/separate", {"because": "No."}, format="json")
    assert again.json()["code"] == "fleet.group_settled"
    assert pat.post(f"{here}/reopen", {"because": "A mistake."}, format="json").status_code == 200
    find_duplicates(actor=SYSTEM)
    (group,) = pat.get(f"{API}/duplicates?agent=rechnungen").json()["results"]
    body = {"because": "One is for Germany."}
    told = pat.post(f"{API}/duplicates/{group['id']}/separate", body, format="json").json()
    assert (told["state"], told["because"]) == ("different", "One is for Germany.")


def test_pages_of_many_ask_no_more_than_pages_of_few(cast: Cast) -> None:
    jobs = ("invoices by cost centre", "travel claims by trip", "contracts by end date",
            "tickets by product", "candidates by role")  # fmt: skip

    def add(name: str, job: str) -> None:
        for number in range(2):
            make_agent(
                f"{name}-{number}", owner=cast.alice, stage="live", title=f"Sorter of {job}",
                description=f"Sorts {job}.", tools=[f"tool-{name}"],
                created_at=clock.now() - timedelta(days=300),
            )  # fmt: skip

    def statements(path: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert browser_of(cast.pat).get(path).status_code == 200
        return len(seen)

    add("one", jobs[0])
    find_duplicates(actor=SYSTEM)
    count()
    few = {path: statements(path) for path in ("/worth/duplicates/", "/worth/")}
    for place, job in enumerate(jobs[1:]):
        add(f"more-{place}", job)
    find_duplicates(actor=Actor.system("test"))
    count()
    list_quarter_now(actor=SYSTEM)
    assert Listed.objects.count() == 10
    for path, number in few.items():
        assert statements(path) <= number + 1 <= 40, path
