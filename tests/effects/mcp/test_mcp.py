"""The MCP server over HTTP: by its own SDK's client, and by those who should not get through."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
import requests
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from approvals.actions import decide_review
from config.places import BASE_DIR
from effects.models import Proposal
from registry.actors import Actor
from registry.models import Agent
from tests.effects.proposals.story import Story
from tests.factories import actor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("mcp")]
Talk = Callable[[Client], Awaitable[Any]]
ACTION = {
    "adapter": "agent",
    "target": "crm.add-note",
    "arguments": {"customer": "c-17", "note": "Called back."},
    "idempotency_key": "k-1",
}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
ASKS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


def speak(address: str, key: str, talk: Talk, mode: Any = "auto") -> Any:
    async def main() -> Any:
        headers = {"authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(headers=headers, timeout=40) as http:
            wire = streamable_http_client(f"{address}/mcp", http_client=http)
            async with Client(wire, mode=mode) as client:
                return await talk(client)

    return asyncio.run(main())


def call(address: str, story: Story, tool: str, **arguments: Any) -> Any:
    async def talk(client: Client) -> Any:
        return await client.call_tool(tool, arguments)

    return speak(address, story.text, talk)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_of_either_age_finds_the_tools(address: str, story: Story, mode: str) -> None:
    async def talk(client: Client) -> Any:
        return await client.list_tools()

    tools = {tool.name: tool for tool in speak(address, story.text, talk, mode).tools}
    assert sorted(tools) == [
        "get_proposal", "list_operations", "propose_action", "search_registry",
        "wait_for_decision",
    ]  # fmt: skip
    assert tools["propose_action"].input_schema["required"] == [
        "adapter", "target", "arguments", "idempotency_key",
    ]  # fmt: skip


def test_an_action_is_proposed_decided_and_waited_for(address: str, story: Story) -> None:
    made = call(address, story, "propose_action", **ACTION).structured_content
    assert (made["state"], made["may_go_on"], made["is_new"]) == ("proposed", False, True)
    again = call(address, story, "propose_action", **ACTION).structured_content
    assert (again["id"], again["is_new"]) == (made["id"], False)

    waits = call(address, story, "wait_for_decision", id=made["id"], seconds=0.2)
    assert waits.structured_content["is_decided"] is False

    async def decided_meanwhile(client: Client) -> Any:
        waiting = asyncio.create_task(
            client.call_tool("wait_for_decision", {"id": made["id"], "seconds": 20})
        )
        await asyncio.sleep(0.3)
        await asyncio.to_thread(approve, story, made["id"])
        return await waiting

    found = speak(address, story.text, decided_meanwhile).structured_content
    assert (found["is_decided"], found["may_go_on"]) == (True, True)
    assert call(address, story, "get_proposal", id=made["id"]).structured_content == found


def approve(story: Story, public_id: str) -> None:
    from django.db import connections

    from effects.actions.carrying_out import carry_out
    from registry.actors import Actor

    review = Proposal.objects.get(public_id=public_id).review_id
    decide_review(review, actor=actor(story.approver), decision="approve")
    # What the agent does itself is let go by the worker, and not before.
    carry_out(public_id, actor=Actor.system("executor"))
    connections.close_all()


def test_a_refusal_is_a_result_with_our_code(address: str, story: Story) -> None:
    refused = call(address, story, "propose_action", **ACTION | {"target": "crm.drop"})
    assert refused.is_error
    assert refused.structured_content["code"] == "effects.operation_unknown"
    other = call(address, story, "get_proposal", id="prp_of-somebody-else")
    assert other.structured_content["code"] == "effects.proposal_not_found"
    wrong = call(address, story, "get_proposal", id=7, more="x")
    assert wrong.structured_content["code"] == "effects.tool_arguments_invalid"
    none = call(address, story, "drop_everything")
    assert none.structured_content["code"] == "effects.tool_unknown"


def test_operations_come_with_their_schemas(address: str, story: Story) -> None:
    found = call(address, story, "list_operations", search="note").structured_content
    assert [one["target"] for one in found["operations"]] == ["crm.add-note"]
    assert found["operations"][0]["arguments_schema"]["required"] == ["customer", "note"]
    assert found["has_more"] is False


def test_the_registry_is_searched_as_an_employee_sees_it(address: str, story: Story) -> None:
    found = call(address, story, "search_registry", words="note-taker").structured_content
    [agent] = found["agents"]
    assert (agent["name"], agent["owner"]) == ("note-taker", "alice@acme.test")
    assert set(agent) == {"name", "title", "description", "owner", "stage", "similar"}


def test_a_suspended_agent_proposes_nothing(address: str, story: Story) -> None:
    from registry.actions.agents import suspend_agent

    suspend_agent(story.agent.name, actor=Actor.system("test"), reason="it erred")
    refused = call(address, story, "propose_action", **ACTION)
    assert refused.structured_content["code"] == "effects.may_not_propose"
    assert Agent.objects.get(pk=story.agent.pk).is_suspended


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "kernel.unauthenticated"),
        ({"authorization": "Bearer usp_nonsense"}, 401, "registry.agent_key_unknown"),
        ({"authorization": "Bearer ust_person"}, 401, "registry.person_token_not_taken_here"),
        ({"host": "evil.example"}, 403, "effects.foreign_origin"),
        ({"origin": "https://evil.example"}, 403, "effects.foreign_origin"),
        ({"origin": "null"}, 403, "effects.foreign_origin"),
    ],
    ids=["nobody", "no-key", "a-person", "rebound-host", "foreign-page", "sandboxed-page"],
)
def test_who_should_not_get_through_does_not(
    address: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = requests.post(f"{address}/mcp", json=PING, headers=ASKS | headers, timeout=10)
    assert (answer.headers["x-unsprawl-error"], answer.status_code) == (code, status)


def test_a_page_of_ours_is_no_stranger(address: str, story: Story, settings: Any) -> None:
    headers = ASKS | {"authorization": f"Bearer {story.text}", "origin": settings.PUBLIC_URL}
    answer = requests.post(f"{address}/mcp", json=PING, headers=headers, timeout=10)
    assert answer.status_code == 200


@pytest.mark.parametrize("is_counted", [True, False], ids=["with-a-length", "chunked"])
def test_a_body_that_is_too_large_is_not_read(address: str, story: Story, is_counted: bool) -> None:
    raw = b'{"x": "' + b"a" * (1024 * 1024) + b'"}'
    sent: Any = raw if is_counted else iter([raw])
    headers = ASKS | {"authorization": f"Bearer {story.text}"}
    answer = requests.post(f"{address}/mcp", data=sent, headers=headers, timeout=10)
    assert answer.status_code == 413


def test_everything_else_is_the_portal(address: str) -> None:
    assert requests.get(f"{address}/healthz", timeout=10).status_code == 200
    assert requests.get(f"{address}/mcp-not", timeout=10).status_code == 404


def test_the_sdk_is_not_loaded_before_somebody_speaks_mcp() -> None:
    said = (
        "import os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings';"
        "import django; django.setup(); import effects.mcp.door;"
        "print(any(name == 'mcp' or name.startswith('mcp.') for name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", said], cwd=BASE_DIR, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "False"
