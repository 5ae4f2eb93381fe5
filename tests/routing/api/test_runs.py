"""Runs, calls, their entries and usage over REST: for those who answer and those who govern."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from kernel import clock
from kernel.refs import Ref
from ledger.models import Entry
from ledger.record import record
from ledger.verbs import Verb
from routing.models import UsageDay, UsageTotal
from tests.factories import (
    Cast,
    client_of,
    make_agent,
    make_call,
    make_cast,
    make_exchange,
    make_key,
    make_run,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def agent(cast):
    return make_agent("sorter", owner=cast.alice, backup_owner=cast.bob, stage="live")


@pytest.fixture
def run(agent):
    run = make_run(agent, "nightly 2026-11-21")
    make_call(agent, run_id=run.run_id)
    make_call(agent, run_id=run.run_id, status="error", cost_micros=None)
    with transaction.atomic():
        for verb in (Verb.CALL_INTENDED, Verb.CALL_COMPLETED):
            record(
                verb,
                agent.ref,
                actor=agent.ref,
                kind="intent",
                agent_id=agent.public_id,
                stream=run.run_id,
                facts={"route": "sandbox"},
            )
    return run


def addresses(run):
    return [
        f"/api/v1/runs/{run.run_id}",
        f"/api/v1/runs/{run.label}",
        f"/api/v1/runs/{run.run_id}/entries",
        f"/api/v1/runs/{run.run_id}/export",
        f"/api/v1/calls?run={run.run_id}",
    ]


@pytest.mark.parametrize("who", ["alice", "bob", "sam", "pat", "ann"])
def test_those_who_answer_and_those_who_govern_see_a_run(cast, run, who):
    client = client_of(getattr(cast, who))
    for address in addresses(run):
        assert client.get(address).status_code == 200
    (listed,) = client.get("/api/v1/runs").json()["results"]
    assert (listed["id"], listed["agent"], listed["calls"]) == (run.run_id, "sorter", 2)
    assert (listed["failed"], listed["cost_micros"]) == (1, 100)


def test_to_everybody_else_it_does_not_exist(cast, run):
    client = client_of(cast.mallory)
    for address in addresses(run):
        answer = client.get(address)
        assert (answer.status_code, answer.json()["code"]) == (404, "routing.run_not_found")
    assert client.get("/api/v1/runs").json()["results"] == []
    assert client.get("/api/v1/calls").json()["results"] == []
    absent = client.get("/api/v1/runs/run_none").json()
    assert absent["code"] == "routing.run_not_found"


def test_the_calls_of_an_agent_are_hidden_from_an_outsider(cast, run):
    answer = client_of(cast.mallory).get("/api/v1/calls?agent=sorter")
    assert (answer.status_code, answer.json()["code"]) == (404, "routing.calls_not_found")
    assert client_of(cast.mallory).get("/api/v1/usage?agent=sorter").status_code == 404
    assert len(client_of(cast.alice).get("/api/v1/calls?agent=sorter").json()["results"]) == 2


def test_a_token_narrowed_to_nothing_of_ones_own_sees_nothing(cast, run):
    client = client_of(cast.pat, ["approver"])
    assert client.get(f"/api/v1/runs/{run.run_id}").status_code == 404


def test_a_label_finds_the_newest_run_that_one_may_see(cast, run):
    other = make_agent("other", owner=cast.mallory, stage="live")
    theirs = make_run(other, run.label, started_at=clock.now() + timedelta(seconds=5))
    found = {
        who: client_of(getattr(cast, who)).get(f"/api/v1/runs/{run.label}").json()["id"]
        for who in ("alice", "mallory", "pat")
    }
    assert found == {"alice": run.run_id, "mallory": theirs.run_id, "pat": theirs.run_id}


def test_entries_come_in_the_order_of_their_chain_with_what_proves_them(cast, run):
    first, second = (
        client_of(cast.alice).get(f"/api/v1/runs/{run.run_id}/entries").json()["results"]
    )
    assert (first["seq"], second["seq"]) == (1, 2)
    assert (first["kind"], first["verb"], first["facts"]) == (
        "intent",
        "call.intended",
        {"route": "sandbox"},
    )
    assert second["prev_hash"] == first["leaf_hash"]
    assert first["stream"] == run.run_id


@pytest.mark.parametrize(
    ("query", "seqs"),
    [
        ("kind=intent", [1, 2]),
        ("kind=result", []),
        ("verb=call.intended", [1]),
        ("ordering=-seq", [2, 1]),
        ("ordering=seq", [1, 2]),
    ],
)
def test_entries_can_be_filtered_and_ordered(cast, run, query, seqs):
    answer = client_of(cast.alice).get(f"/api/v1/runs/{run.run_id}/entries?{query}")
    assert [entry["seq"] for entry in answer.json()["results"]] == seqs


@pytest.mark.parametrize("label", ["ticket/4711", "a/b/c", "../x"])
def test_a_label_with_slashes_finds_its_run(cast, label):
    made = make_run(make_agent("slashed", owner=cast.alice, stage="live"), label)
    address = f"/api/v1/runs/{quote(label, safe='')}"
    client = client_of(cast.alice)
    assert client.get(address).json()["id"] == made.run_id
    assert client.get(f"{address}/entries").json()["results"] == []


def test_calls_are_filtered(cast, run, agent):
    make_call(agent, route="other", model="m2", vendor="v2", status="denied")
    client = client_of(cast.alice)

    def count(query: str) -> int:
        return len(client.get(f"/api/v1/calls?{query}").json()["results"])

    assert count("") == 3
    assert count("status=error") == 1
    assert count("route=other&model=m2&vendor=v2") == 1
    assert count("since=2030-01-01T00:00:00Z") == 0
    assert count("until=2030-01-01T00:00:00Z") == 3
    assert client.get("/api/v1/calls?colour=red").status_code == 422
    assert client.get("/api/v1/calls?since=yesterday").status_code == 422


def test_attempts_of_a_call_are_found_together_and_count_as_one_call(cast, agent):
    run = make_run(agent, "fell-back")
    first = make_call(agent, run_id=run.run_id, status="error", http_status=429, cost_micros=None)
    given = {"run_id": run.run_id, "call_id": first.intent_id}
    make_call(agent, attempt=2, fallback_reason="http_429", is_substituted=True, **given)
    make_call(agent, attempt=0, is_shadow=True, status="error", **given)
    client = client_of(cast.alice)
    shown = client.get(f"/api/v1/runs/{run.run_id}").json()
    assert (shown["calls"], shown["failed"], shown["attempts"]) == (1, 0, 2)
    assert (shown["shadows"], shown["substituted"]) == (1, 1)
    found = client.get(f"/api/v1/calls?call={first.intent_id}&ordering=started_at").json()
    assert [(row["call"], row["attempt"]) for row in found["results"]] == [
        (first.intent_id, 1),
        (first.intent_id, 2),
        (first.intent_id, 0),
    ]
    changed = client.get("/api/v1/calls?is_substituted=true").json()["results"]
    assert [row["fallback_reason"] for row in changed] == ["http_429"]


def test_pages_of_calls_miss_and_repeat_nothing(cast, agent):
    for _ in range(7):
        make_call(agent)
    client, address, seen = client_of(cast.alice), "/api/v1/calls?page_size=3", []
    while address:
        page = client.get(address).json()
        seen += [row["id"] for row in page["results"]]
        address = page["next"]
    assert len(seen) == len(set(seen)) == 7


def test_a_name_that_no_database_could_hold_is_not_found(cast, run):
    client = client_of(cast.alice)
    assert client.get("/api/v1/runs/a%00b").status_code == 404
    assert client.get("/api/v1/routes/a%00b").status_code == 404
    assert client.get("/api/v1/vendors/a%00b").status_code == 404
    assert client.get("/api/v1/models/a%00b").status_code == 404


def used(agent, **over):
    given = {
        "day": clock.now().date(),
        "agent_id": agent.public_id,
        "route": "sandbox",
        "vendor": "acme-ai",
        "model": "acme-1",
        "calls": 10,
        "errors": 1,
        "cost_micros": 500,
    }
    given |= over
    sums = {name: given[name] for name in ("calls", "errors", "cost_micros")}
    UsageTotal.objects.create(day=given["day"], **sums)
    return UsageDay.objects.create(**given)


def test_usage_is_summed_by_what_is_asked_for(cast, agent):
    used(agent)
    used(agent, route="other", cost_micros=700, day=clock.now().date() - timedelta(days=3))
    client = client_of(cast.alice)
    by_day = client.get("/api/v1/usage?days=7").json()
    assert len(by_day["results"]) == 7
    assert by_day["total"]["cost_micros"] == 1200
    assert by_day["results"][-1]["used"]["calls"] == 10
    names = {
        group: [row["name"] for row in client.get(f"/api/v1/usage?by={group}").json()["results"]]
        for group in ("agent", "team", "route", "model", "vendor")
    }
    assert names == {
        "agent": ["sorter"],
        "team": ["Finance"],
        "route": ["other", "sandbox"],
        "model": ["acme-ai/acme-1"],
        "vendor": ["acme-ai"],
    }
    assert client.get("/api/v1/usage?by=moon").status_code == 422
    assert client.get("/api/v1/usage?days=0").status_code == 422


def test_usage_of_others_is_not_counted_in(cast, agent):
    used(agent)
    assert client_of(cast.mallory).get("/api/v1/usage").json()["total"]["calls"] == 0
    assert client_of(cast.ann).get("/api/v1/usage").json()["total"]["calls"] == 10


def test_lists_of_runs_cost_a_constant_number_of_queries(
    cast, agent, django_assert_max_num_queries
):
    client = client_of(cast.alice)
    for number in range(12):
        make_call(agent, run_id=make_run(agent, f"r{number}").run_id)
    for address, most in (("runs", 10), ("calls", 5), ("calls?agent=sorter", 5)):
        with django_assert_max_num_queries(most):
            assert len(client.get(f"/api/v1/{address}").json()["results"]) == 12


def test_an_automations_calls_show_to_those_who_govern_only(cast, agent):
    make_call(agent, agent_id="", run_id=str(Ref("vendor", "ven_1")))
    assert len(client_of(cast.pat).get("/api/v1/calls").json()["results"]) == 1
    assert client_of(cast.alice).get("/api/v1/calls").json()["results"] == []


def of_agent(agent) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_key(agent)[1]}")
    return client


def test_an_agent_reads_its_own_runs_with_its_key_and_nobody_elses(cast, agent, run):
    theirs = make_run(make_agent("other", owner=cast.mallory, stage="live"), "theirs")
    client = of_agent(agent)
    assert client.get(f"/api/v1/runs/{run.run_id}").json()["label"] == run.label
    entries = client.get(f"/api/v1/runs/{run.run_id}/entries").json()["results"]
    assert len(entries) == 2
    for end in ("", "/entries"):
        answer = client.get(f"/api/v1/runs/{theirs.run_id}{end}")
        assert (answer.status_code, answer.json()["code"]) == (404, "routing.run_not_found")
    assert client.get("/api/v1/runs").status_code == 401


def test_a_run_is_ended_by_its_agent_and_opened_by_what_it_does_next(cast, agent):
    run = make_run(agent, "short")
    make_exchange(agent, run)
    client = of_agent(agent)
    assert client.get(f"/api/v1/runs/{run.run_id}").json()["state"] == "open"
    for _ in range(2):
        answer = client.post(f"/api/v1/runs/{run.run_id}/end")
        assert (answer.status_code, answer.json()["state"]) == (200, "over")
    assert Entry.objects.filter(verb="run.ended", stream=run.run_id).count() == 1
    make_exchange(agent, run)
    assert client.get(f"/api/v1/runs/{run.run_id}").json()["state"] == "open"


def test_only_those_who_answer_for_a_run_end_it(cast, agent, run):
    assert client_of(cast.mallory).post(f"/api/v1/runs/{run.run_id}/end").status_code == 404
    assert client_of(cast.alice).post(f"/api/v1/runs/{run.run_id}/end").status_code == 200


def test_an_auditor_reads_a_run_and_does_not_end_it(cast, agent, run):
    address = f"/api/v1/runs/{run.run_id}/end"
    answer = client_of(cast.ann).post(address)
    assert (answer.status_code, answer.json()["code"]) == (403, "registry.role_missing")
    assert not Entry.objects.filter(verb="run.ended").exists()
    assert client_of(cast.pat).post(address).status_code == 200
