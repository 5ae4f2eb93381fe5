"""The page and the address of conformance: who sees them, what they say, what may be proposed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from kernel import clock
from registry.models import Agent, AgentVersion
from tests.factories import (
    Cast,
    client_of,
    make_agent,
    make_cast,
    make_manifest,
    make_model,
    make_route,
    make_vendor,
)
from tests.fleet.conformance.test_checking import STEPS, ran, sweep

pytestmark = pytest.mark.django_db
PAGE = "/agents/sorter/conformance/"
API = "/api/v1/agents/sorter/conformance"


@pytest.fixture
def cast() -> Cast:
    make_route("sandbox", make_model(make_vendor("sandbox"), "sandbox-1"))
    return make_cast()


@pytest.fixture
def agent(cast: Cast) -> Agent:
    manifest = make_manifest("sorter", steps=STEPS, tools=[{"name": "crm"}])
    return make_agent(
        "sorter", owner=cast.alice, backup_owner=cast.bob, stage="live", manifest=manifest
    )


def test_an_owner_sees_the_gap_the_flow_and_what_differs(
    client: Client, cast: Cast, agent: Agent
) -> None:
    ran(agent, "crm", "model")
    deviant = ran(agent, "spy", "model", ago=timedelta(hours=1))
    sweep()
    client.force_login(cast.alice)
    said = client.get(PAGE).content.decode()
    assert "1 of 2 runs; 95 % sure: 9 to 91 %" in said
    assert "tool spy" in said
    assert deviant.run_id[-6:] in said
    assert "Declared and never seen" in said
    assert "look-up to classify: 1 times" in said


def test_the_address_answers_who_answers_for_it_or_governs(cast: Cast, agent: Agent) -> None:
    ran(agent, "model")
    sweep()
    told = client_of(cast.ann).get(API).json()
    assert told["gap"]["part"] == told["gap"]["whole"] == told["runs"] == 1
    assert told["deviations"][0]["kind"] == "missing"
    assert told["never_seen"][0]["name"] == "look-up"
    assert client_of(cast.alice).get(API).status_code == 200
    assert client_of(cast.mallory).get(API).status_code == 403


def test_mallory_sees_no_page_of_another_agents_runs(
    client: Client, cast: Cast, agent: Agent
) -> None:
    client.force_login(cast.mallory)
    answers = [client.get(PAGE), client.get(f"{PAGE}preview/"), client.post(f"{PAGE}declare/")]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert AgentVersion.objects.count() == 1


def test_declaring_what_is_seen_proposes_a_version_that_fits(
    client: Client, cast: Cast, agent: Agent
) -> None:
    for hours in (1, 2, 3):
        ran(agent, "model", "spy", ago=timedelta(hours=hours))
    sweep()
    client.force_login(cast.alice)
    previewed = client.get(f"{PAGE}preview/").content.decode()
    assert "Version 1.0.1 would declare what is seen" in previewed
    client.post(f"{PAGE}declare/")
    version = AgentVersion.objects.get(number=2)
    assert version.state == "proposed"
    steps = version.manifest["spec"]["steps"]
    assert [(step["name"], step["kind"]) for step in steps] == [
        ("classify", "model"), ("note", "deterministic"), ("spy", "deterministic"),
    ]  # fmt: skip
    client.post(f"{PAGE}declare/")
    assert AgentVersion.objects.count() == 2


def test_a_page_without_runs_says_when_there_will_be_some(
    client: Client, cast: Cast, agent: Agent
) -> None:
    client.force_login(cast.pat)
    assert "No run was checked yet" in client.get(PAGE).content.decode()


def test_a_page_reads_sums_only(
    client: Client, cast: Cast, agent: Agent, django_assert_max_num_queries: object
) -> None:
    for at in range(6):
        with clock.held_at(clock.now() - timedelta(hours=at)):
            ran(agent, "crm", "model")
    sweep()
    client.force_login(cast.alice)
    client.get(PAGE)
    with django_assert_max_num_queries(30) as seen:  # type: ignore[operator]
        client.get(PAGE)
    assert not [query for query in seen if "ledger_entry" in query["sql"]]
