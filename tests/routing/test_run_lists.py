"""Searching runs: as new as the ledger, the same before and after the sweep has summed them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kernel import clock
from routing.actions.run_sums import sum_runs
from routing.models import RunLink, RunSummary, UsageMark
from tests.factories import (
    client_of,
    make_agent,
    make_call,
    make_cast,
    make_exchange,
    make_run,
    operator,
)
from tests.transactions import wait_for_open_transactions

pytestmark = pytest.mark.django_db(transaction=True)


def summed():
    wait_for_open_transactions()
    sum_runs(actor=operator())


class Story:
    """Four runs of two agents that differ in everything a filter asks for."""

    def __init__(self):
        self.now = clock.now()
        self.cast = make_cast()
        self.sorter = make_agent("sorter", owner=self.cast.alice, stage="live")
        self.other = make_agent("other", owner=self.cast.mallory, stage="live")
        self.plain = self.run(self.sorter, "Plain work", hours=5)
        self.failed = self.run(
            self.sorter, "broken", hours=4, status="error", error_code="upstream_500",
            vendor="acme", cost_micros=9_000_000, duration_ms=70_000,
        )  # fmt: skip
        self.denied = self.run(
            self.sorter, "refused", hours=3, status="denied", vendor="", model="",
            error_code="call_denied", route="classify", requested_model="classify",
        )  # fmt: skip
        self.tools = make_run(self.other, "tooled", started_at=self.now)
        intent = make_exchange(
            self.other, self.tools, tool_calls=["lookup_invoice"], trace_id="4bf92f3577b34da6",
            response_id="resp_Abc1", found_in_request=["email:2:redact"],
        )  # fmt: skip
        make_call(
            self.other, run_id=self.tools.run_id, intent_id=intent, is_substituted=True,
            reported_model="acme-2",
        )  # fmt: skip
        self.entry = intent
        self.open = make_run(self.other, "open", started_at=self.now + timedelta(seconds=1))
        make_exchange(self.other, self.open, answered=None)

    def run(self, agent, label, *, hours, **over):
        at = self.now - timedelta(hours=hours)
        run = make_run(agent, label, started_at=at)
        make_call(agent, run_id=run.run_id, started_at=at, **over)
        return run


@pytest.fixture(params=["as they come", "summed", "half and half"])
def story(request):
    if request.param == "half and half":
        told = Story()
        summed()
        for run in (told.plain, told.denied):
            make_call(told.sorter, run_id=run.run_id, started_at=run.started_at, cost_micros=0)
        return told
    told = Story()
    if request.param == "summed":
        summed()
        assert RunSummary.objects.count() == 5
    return told


def listed(person, query=""):
    answer = client_of(person).get(f"/api/v1/runs?{query}")
    assert answer.status_code == 200, answer.json()
    return [run["label"] for run in answer.json()["results"]]


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("", ["open", "tooled", "refused", "broken", "Plain work"]),
        ("ordering=started_at", ["Plain work", "broken", "refused", "tooled", "open"]),
        ("ordering=-cost_micros&search=broken", ["broken"]),
        ("agent=other", ["open", "tooled"]),
        ("owner=mallory@acme.test", ["open", "tooled"]),
        ("team=finance", ["refused", "broken", "Plain work"]),
        ("state=in_flight", ["open"]),
        ("state=open", ["tooled"]),
        ("state=over", ["refused", "broken", "Plain work"]),
        ("outcome=failed", ["broken"]),
        ("outcome=denied", ["refused"]),
        ("outcome=clean", ["tooled", "Plain work"]),
        ("outcome=none", ["open"]),
        ("error=upstream_500", ["broken"]),
        ("model=acme-2", ["tooled"]),
        ("model=classify", ["refused"]),
        ("vendor=acme", ["broken"]),
        ("route=classify", ["refused"]),
        ("tool=lookup_invoice", ["tooled"]),
        ("has=tool,finding", ["tooled"]),
        ("has=substitution", ["tooled"]),
        ("has=denied", ["refused"]),
        ("min_cost_micros=1000000", ["broken"]),
        ("max_cost_micros=99&outcome=none", ["open"]),
        ("min_duration_ms=60000", ["broken"]),
        ("search=plain+WORK", ["Plain work"]),
        ("search=lookup", ["tooled"]),
        ("search=resp_Abc1", ["tooled"]),
        ("search=4bf92f3577b34da6", ["tooled"]),
        ("search=other", ["open", "tooled"]),
        ("search=nothing", []),
    ],
)
def test_every_filter_finds_what_it_says(story, query, labels):
    assert listed(story.cast.sam, query) == labels


def test_a_run_is_found_by_its_ids_and_by_the_time_it_began(story):
    sam = story.cast.sam
    assert listed(sam, f"search={story.entry}") == ["tooled"]
    assert listed(sam, f"search={story.plain.run_id}") == ["Plain work"]
    until = (story.now - timedelta(hours=3, minutes=30)).isoformat().replace("+", "%2B")
    assert listed(sam, f"until={until}") == ["broken", "Plain work"]
    assert listed(sam, f"since={until}") == ["open", "tooled", "refused"]


@pytest.mark.parametrize("order", ["started_at", "-started_at", "cost_micros", "-duration_ms"])
def test_pages_follow_each_other_without_a_gap(story, order):
    client = client_of(story.cast.sam)
    seen, address = [], f"/api/v1/runs?page_size=2&ordering={order}"
    while address:
        page = client.get(address).json()
        seen += [run["label"] for run in page["results"]]
        address = page["next"]
    assert seen == listed(story.cast.sam, f"ordering={order}")
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("who", "count"),
    [("alice", 3), ("bob", 3), ("mallory", 2), ("sam", 5), ("pat", 5), ("ann", 5)],
)
def test_one_sees_ones_own_and_the_teams_runs_and_who_governs_sees_all(story, who, count):
    assert len(listed(getattr(story.cast, who))) == count


def test_figures_are_summed_once_however_often_the_sweep_runs(story):
    for _ in range(3):
        summed()
    (run,) = client_of(story.cast.sam).get("/api/v1/runs?search=broken").json()["results"]
    assert (run["calls"], run["failed"], run["cost_micros"]) == (1, 1, 9_000_000)
    assert (run["state"], run["outcome"], run["duration_ms"]) == ("over", "failed", 70_000)
    assert not listed(story.cast.sam, "search=broken&has=denied")
    assert UsageMark.objects.filter(name__startswith="runs:", xid__gt=0).count() == 2


def test_a_wrong_filter_is_named(story):
    answer = client_of(story.cast.sam).get("/api/v1/runs?has=magic&state=late")
    assert answer.status_code == 422
    assert set(answer.json()["errors"]) == {"has", "state"}


def test_a_run_goes_on_while_one_that_works_for_it_does(story):
    old = story.now - timedelta(hours=5)
    RunLink.objects.create(
        child_run=story.tools.run_id, parent_run=story.plain.run_id, linked_at=old,
        child_agent=story.other.public_id, parent_agent=story.sorter.public_id,
    )  # fmt: skip
    make_exchange(story.other, story.tools)
    assert listed(story.cast.sam, "state=open") == ["tooled", "Plain work"]
    summed()
    assert listed(story.cast.sam, "state=open") == ["tooled", "Plain work"]
    RunSummary.objects.update(last_at=old, child_at=old)
    assert listed(story.cast.sam, "state=open") == []
