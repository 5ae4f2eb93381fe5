"""Tools through a served gateway: what is offered, what is called, and what is on record."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bench.gateway.rig import World
from tests.routing.gateway.conftest import Agent, Got
from tests.routing.gateway.scripted import ScriptedVendor, answer, stream
from tests.routing.gateway.tools.said import answering, offering, streaming

PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
}
WIRES = tuple(PATHS)
MakeAgent = Callable[..., Agent]


@pytest.fixture
def calling(make_agent: MakeAgent, world: World) -> MakeAgent:
    def make(wire: str, *tools: str, mode: str = "") -> Agent:
        dialect = "anthropic" if wire == "messages" else "openai"
        declared = [{"name": name, "effect": "read"} for name in tools]
        options = {"tools": mode} if mode else None
        return make_agent(dialect=dialect, tools=declared, options=options)

    return make


def call(agent: Agent, wire: str, *offered: str, **over: Any) -> Got:
    return agent.post(PATHS[wire], offering(wire, *offered) | over)


def facts(agent: Agent, kind: str) -> dict[str, Any]:
    found = [entry["facts"] for entry in agent.entries() if entry["kind"] == kind]
    return dict(found[-1])


@pytest.mark.parametrize("wire", WIRES)
def test_declared_tools_are_offered_called_and_recorded(
    calling: MakeAgent, vendor: ScriptedVendor, wire: str
) -> None:
    agent = calling(wire, "a", "b")
    vendor.script = answer(answering(wire, "b", "a"))
    got = call(agent, wire, "a", "b")
    assert got.json == answering(wire, "b", "a")
    assert vendor.seen[0].json["tools"] == offering(wire, "a", "b")["tools"]
    intent = facts(agent, "intent")
    assert intent["tools_offered"] == 2
    assert intent["tools_digest"].startswith("sha256:")
    assert intent["tools_mode"] == "block"
    assert facts(agent, "result")["tool_calls"] == ["b", "a"]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("streams", [False, True])
def test_an_undeclared_tool_is_refused_by_name_before_anything_leaves(
    calling: MakeAgent, vendor: ScriptedVendor, wire: str, streams: bool
) -> None:
    agent = calling(wire, "a")
    got = call(agent, wire, "a", "evil", stream=streams)
    assert (got.status, got.code) == (403, "tool_not_declared")
    assert got.headers["x-unsprawl-error"] == "routing.tool_not_declared"
    message = got.json["error"]["message"]
    assert "evil" in message
    assert "spec.tools" in message
    assert got.json["error"]["rule"] == "tools.undeclared"
    assert vendor.seen == []
    denied = facts(agent, "decision")
    assert denied["tools_undeclared"] == ["evil"]
    assert denied["rule"] == "tools.undeclared"
    assert [row["error_code"] for row in agent.calls()] == ["tool_not_declared"]


@pytest.mark.parametrize("wire", WIRES)
def test_an_agent_that_declares_none_is_let_and_put_on_record(
    calling: MakeAgent, vendor: ScriptedVendor, wire: str
) -> None:
    agent = calling(wire)
    vendor.script = answer(answering(wire, "a"))
    assert call(agent, wire, "a").json == answering(wire, "a")
    intent = facts(agent, "intent")
    assert (intent["tools_undeclared"], intent["tools_mode"]) == (["a"], "allow")
    assert facts(agent, "result")["tool_calls"] == ["a"]


@pytest.mark.parametrize("wire", WIRES)
def test_a_route_that_strips_takes_undeclared_tools_out_of_the_call(
    calling: MakeAgent, vendor: ScriptedVendor, wire: str
) -> None:
    agent = calling(wire, "a", mode="strip")
    vendor.script = answer(answering(wire))
    assert call(agent, wire, "evil", "a").status == 200
    assert vendor.seen[0].json["tools"] == offering(wire, "a")["tools"]
    assert facts(agent, "intent")["tools_stripped"] == ["evil"]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("mode", ["block", "strip"])
@pytest.mark.parametrize("streams", [False, True])
def test_a_call_of_what_was_not_offered_never_reaches_the_agent(
    calling: MakeAgent, vendor: ScriptedVendor, wire: str, mode: str, streams: bool
) -> None:
    agent = calling(wire, "a", mode=mode)
    vendor.script = (
        stream(streaming(wire, "a", "evil", text="Hi"))
        if streams
        else answer(answering(wire, "a", "evil"))
    )
    got = call(agent, wire, "a", stream=streams)
    result = facts(agent, "result")
    assert result["tool_calls_refused"] == ["evil"]
    if mode == "strip":
        assert got.status == 200
        assert b"evil" not in got.body
        assert b'"a"' in got.body
        assert result["status"] == "ok"
    elif streams:
        assert b"Hi" in got.body
        assert b"tool_blocked" in got.body
        assert got.body.count(b'"evil"') == 0
        assert result["error"] == "tool_blocked"
        assert result["status"] != "ok"
    else:
        assert (got.status, got.code) == (403, "tool_blocked")
        assert got.headers["x-unsprawl-error"] == "routing.tool_blocked"
        assert result["error"] == "tool_blocked"
    assert result["input_tokens"] > 0  # what it cost is on record all the same


def test_a_call_without_tools_is_governed_all_the_same_for_an_agent_that_declares_some(
    calling: MakeAgent, vendor: ScriptedVendor
) -> None:
    agent = calling("chat", "a")
    vendor.script = answer(answering("chat", "a"))
    assert agent.chat().code == "tool_blocked"
    assert calling("chat").chat().status == 200


@pytest.mark.parametrize(
    ("choice", "status"),
    [
        ("auto", 200),
        ("required", 200),
        ({"type": "function", "function": {"name": "a"}}, 200),
        ({"type": "function", "function": {"name": "evil"}}, 403),
    ],
)
def test_a_call_that_insists_on_what_is_stripped_is_refused(
    calling: MakeAgent, vendor: ScriptedVendor, choice: Any, status: int
) -> None:
    agent = calling("chat", "a", mode="strip")
    got = call(agent, "chat", "a", "evil", tool_choice=choice)
    assert got.status == status
    if status == 403:
        assert got.code == "tool_not_declared"
        assert "tool_choice" in got.json["error"]["message"]
        assert vendor.seen == []


def test_what_is_required_and_all_stripped_is_refused(
    calling: MakeAgent, vendor: ScriptedVendor
) -> None:
    agent = calling("chat", "a", mode="strip")
    assert call(agent, "chat", "evil", tool_choice="required").code == "tool_not_declared"
    assert call(agent, "chat", "evil", tool_choice="auto").status == 200
    assert "tools" not in vendor.seen[0].json
    assert "tool_choice" not in vendor.seen[0].json


def test_a_route_may_let_everything_pass(calling: MakeAgent, vendor: ScriptedVendor) -> None:
    agent = calling("chat", "a", mode="allow")
    vendor.script = answer(answering("chat", "x"))
    assert call(agent, "chat", "evil").json == answering("chat", "x")


def test_a_word_that_a_route_may_not_say_closes_it(
    calling: MakeAgent, vendor: ScriptedVendor
) -> None:
    agent = calling("chat", "a", mode="perhaps")
    got = call(agent, "chat", "a")
    assert (got.status, got.json["error"]["rule"]) == (403, "tools.mode_unknown")


@pytest.mark.parametrize("name", ["naïve", 'x"y', "a\\b", "\u202eevil", "a" * 500])
def test_a_name_that_no_vendor_takes_is_refused_and_recorded_as_a_digest(
    calling: MakeAgent, vendor: ScriptedVendor, name: str
) -> None:
    agent = calling("chat", "a")
    assert call(agent, "chat", name).code == "tool_not_declared"
    assert facts(agent, "decision")["tools_undeclared"][0].startswith("unreadable-")
    assert call(calling("chat"), "chat", name).status == 200


def test_a_thousand_tools_are_governed(calling: MakeAgent, vendor: ScriptedVendor) -> None:
    names = [f"tool_{number}" for number in range(1000)]
    agent = calling("chat", "tool_*")
    assert agent.row is not None
    got = call(agent, "chat", *names)
    assert got.status == 200
    assert facts(agent, "intent")["tools_offered"] == 1000
    refused = call(agent, "chat", *names, *[f"evil_{number}" for number in range(500)])
    assert refused.code == "tool_not_declared"
    assert len(facts(agent, "decision")["tools_undeclared"]) == 20


def test_tools_that_are_no_list_are_refused(calling: MakeAgent, vendor: ScriptedVendor) -> None:
    got = calling("chat").chat({"model": "sandbox", "messages": [], "tools": "all"})
    assert (got.status, got.code) == (400, "tools_unreadable")


def test_a_deep_schema_is_carried_as_it_came(calling: MakeAgent, vendor: ScriptedVendor) -> None:
    agent = calling("chat", "a", mode="strip")
    deep = '{"x":' * 50 + "1.50" + "}" * 50
    tool = '{"type":"function","function":{"name":"%s","parameters":%s}}'
    tools = [tool % (name, deep) for name in ("a", "evil")]
    raw = f'{{"model":"{agent.route}","messages":[],"tools":[{", ".join(tools)}]}}'
    assert agent.ask("POST", PATHS["chat"], raw.encode()).status == 200
    assert tools[0].encode() in vendor.seen[0].body
    assert b"evil" not in vendor.seen[0].body


def test_where_a_vendor_is_sent_to_is_recorded_without_what_its_address_carries(
    calling: MakeAgent, vendor: ScriptedVendor
) -> None:
    agent = calling("responses")
    tool = {
        "type": "mcp",
        "server_label": "erp",
        "server_url": "https://user:hunter2@erp.acme.test/mcp?key=hunter2",
    }
    agent.post(PATHS["responses"], {"input": "?", "tools": [tool]})
    intent = facts(agent, "intent")
    assert intent["tools_servers"] == ["erp.acme.test"]
    assert "hunter2" not in json.dumps(intent)


@pytest.mark.parametrize("kind", [{}, [], [{}], 5, None])
def test_a_block_of_no_readable_kind_is_no_call(calling, vendor, kind):
    agent = calling("messages", "a")
    block = {"type": kind, "text": "x"}
    vendor.script = answer({"id": "m", "type": "message", "role": "assistant", "content": [block]})
    assert call(agent, "messages", "a").status == 200
