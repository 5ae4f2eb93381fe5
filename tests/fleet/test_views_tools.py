"""The page of an agent's tools: what is declared beside what was seen, and declaring it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from kernel import clock
from registry.models import Agent, AgentVersion
from routing.models import RunLink, ToolUse
from tests.factories import (
    Cast,
    make_agent,
    make_cast,
    make_manifest,
    make_model,
    make_route,
    make_run,
    make_vendor,
)

pytestmark = pytest.mark.django_db
PAGE = "/agents/invoice-sorter/tools/"


@pytest.fixture
def cast() -> Cast:
    made = make_cast()
    make_route("sandbox", make_model(make_vendor("sandbox"), "sandbox-1"))
    return made


@pytest.fixture
def agent(cast: Cast) -> Agent:
    manifest = make_manifest(
        "invoice-sorter", tools=[{"name": "jira", "effect": "write"}, {"mcp": "erp"}]
    )
    return make_agent(
        owner=cast.alice, backup_owner=cast.bob, stage="live", manifest=manifest, tools=["jira"]
    )


def see(agent: Agent, *tools: str, use: str = "offered", days: int = 0) -> None:
    day = (clock.now() - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
    for tool in tools:
        ToolUse.objects.create(agent_id=agent.public_id, tool=tool, use=use, day=day)


def page(client: Client, viewer: object) -> str:
    client.force_login(viewer)  # type: ignore[arg-type]
    return client.get(PAGE).content.decode()


def test_declared_tools_stand_beside_those_that_were_seen(
    client: Client, cast: Cast, agent: Agent
) -> None:
    see(agent, "Bash", "jira", "mcp__erp")
    see(agent, "jira", use="called")
    text = page(client, cast.alice)
    assert "1 tool seen and not declared" in text
    assert "Bash" in text
    assert "Declared and never seen" not in text


def test_what_is_declared_and_never_seen_is_named(client: Client, cast: Cast, agent: Agent) -> None:
    see(agent, "jira")
    text = page(client, cast.alice)
    assert "Declared and never seen" in text
    assert "mcp: erp" in text


def test_one_click_proposes_a_version_that_declares_what_was_seen(
    client: Client, cast: Cast, agent: Agent
) -> None:
    see(agent, "Bash", "mcp__github__search", "unreadable-0011223344556677", "mcp__hr")
    see(agent, "dreamt_up_by_a_model", use="called")
    see(agent, "dreamt_up_by_a_model", use="refused")
    client.force_login(cast.alice)
    answer = client.post(f"{PAGE}declare/")
    assert answer.status_code == 302
    version = AgentVersion.objects.get(agent=agent, state="proposed")
    assert version.manifest["spec"]["tools"] == [
        {"name": "jira", "effect": "write"},
        {"mcp": "erp"},
        {"name": "Bash"},
        {"name": "mcp__github__search"},
        {"mcp": "hr"},
    ]
    assert version.version == "1.0.1"


def test_only_who_answers_for_the_agent_declares(client: Client, cast: Cast, agent: Agent) -> None:
    see(agent, "Bash")
    client.force_login(cast.mallory)
    client.post(f"{PAGE}declare/")
    assert not AgentVersion.objects.filter(agent=agent, state="proposed").exists()
    assert "Bash" not in page(client, cast.mallory)


def test_a_run_shows_whom_it_works_for_and_who_works_for_it(client: Client, cast: Cast) -> None:
    planner, worker = make_agent("planner", owner=cast.alice), make_agent("w", owner=cast.alice)
    hidden = make_agent("hidden", owner=cast.bob)
    parent, child = make_run(planner, "plan"), make_run(worker, "work")
    secret = make_run(hidden, "hush")
    for run, of in ((child, worker), (secret, hidden)):
        RunLink.objects.create(
            child_run=run.run_id, parent_run=parent.run_id, child_agent=of.public_id,
            parent_agent=planner.public_id, delegation_id="dlg_1", linked_at=clock.now(),
        )  # fmt: skip
    client.force_login(cast.alice)
    above = client.get(f"/runs/{parent.run_id}/").content.decode()
    assert "Had work done by" in above
    assert "work" in above
    assert "hush" not in above
    assert "Works for" in client.get(f"/runs/{child.run_id}/").content.decode()
    said = client.get(f"/api/v1/runs/{child.run_id}").json()
    assert said["parent_run"] == parent.run_id
    assert said["children"] == []
    said = client.get(f"/api/v1/runs/{parent.run_id}").json()
    assert [child["label"] for child in said["children"]] == ["work"]
    assert said["parent_run"] is None
