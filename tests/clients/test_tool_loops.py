"""Clients that call tools in a loop, unchanged: what they are given, and what they are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest

from tests.routing.gateway.conftest import Agent
from tests.routing.gateway.scripted import ScriptedVendor, answer, stream
from tests.routing.gateway.shapes import MESSAGE
from tests.routing.gateway.tools.said import ARGUMENTS, answering, offering, streaming

pytestmark = pytest.mark.clients
MakeAgent = Callable[..., Agent]
DECLARED = [{"name": "get_weather", "effect": "read"}]


def openai_client(agent: Agent) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://127.0.0.1:{agent.port}/v1", api_key=agent.key)


def anthropic_client(agent: Agent) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=f"http://127.0.0.1:{agent.port}", api_key=agent.key)


def test_openai_goes_through_a_tool_loop(make_agent: MakeAgent, vendor: ScriptedVendor) -> None:
    agent = make_agent(tools=DECLARED)
    asked: dict[str, Any] = offering("chat", "get_weather")
    with openai_client(agent) as client:
        vendor.script = answer(answering("chat", "get_weather"))
        said = client.chat.completions.create(model=agent.route, **asked)
        calls = said.choices[0].message.tool_calls
        assert calls is not None
        assert calls[0].type == "function"
        assert (calls[0].function.name, calls[0].function.arguments) == ("get_weather", ARGUMENTS)
        result = {"role": "tool", "tool_call_id": calls[0].id, "content": "Rain."}
        history = [*asked["messages"], said.choices[0].message, result]
        vendor.script = answer()
        done = client.chat.completions.create(
            model=agent.route, messages=history, tools=asked["tools"]
        )
    assert done.choices[0].message.content == "Hello."


def test_openai_puts_a_streamed_call_together(
    make_agent: MakeAgent, vendor: ScriptedVendor
) -> None:
    agent = make_agent(tools=DECLARED)
    asked: dict[str, Any] = offering("chat", "get_weather")
    vendor.script = stream(streaming("chat", "get_weather", text="Let me see."))
    with (
        openai_client(agent) as client,
        client.chat.completions.stream(model=agent.route, **asked) as events,
    ):
        said = events.get_final_completion().choices[0]
    assert said.message.content == "Let me see."
    assert said.message.tool_calls is not None
    assert said.message.tool_calls[0].function.arguments == ARGUMENTS


@pytest.mark.parametrize("mode", ["block", "strip"])
def test_openai_never_sees_a_call_it_may_not_make(
    make_agent: MakeAgent, vendor: ScriptedVendor, mode: str
) -> None:
    agent = make_agent(tools=DECLARED, options={"tools": mode})
    asked: dict[str, Any] = offering("chat", "get_weather")
    vendor.script = stream(streaming("chat", "wire_money"))
    with openai_client(agent) as client:
        if mode == "block":
            with pytest.raises(openai.APIError) as refused:
                list(client.chat.completions.create(model=agent.route, stream=True, **asked))
            assert refused.value.code == "tool_blocked"
            with pytest.raises(openai.PermissionDeniedError, match="wire_money"):
                client.chat.completions.create(model=agent.route, **offering("chat", "wire_money"))
            return
        with client.chat.completions.stream(model=agent.route, **asked) as events:
            said = events.get_final_completion().choices[0]
    assert said.finish_reason == "stop"
    assert not said.message.tool_calls
    assert "was removed" in (said.message.content or "")


def test_anthropic_goes_through_a_tool_loop(make_agent: MakeAgent, vendor: ScriptedVendor) -> None:
    agent = make_agent(dialect="anthropic", tools=DECLARED)
    asked: dict[str, Any] = offering("messages", "get_weather")
    with anthropic_client(agent) as client:
        vendor.script = stream(streaming("messages", "get_weather", text="Let me see."))
        with client.messages.stream(model=agent.route, **asked) as events:
            said = events.get_final_message()
        assert said.stop_reason == "tool_use"
        call = said.content[1]
        assert call.type == "tool_use"
        assert (call.name, call.input) == ("get_weather", {"city": "Oslo"})
        vendor.script = answer(MESSAGE)
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "Rain."}
        history = [
            *asked["messages"],
            {"role": "assistant", "content": said.content},
            {"role": "user", "content": [result]},
        ]
        done = client.messages.create(model=agent.route, **asked | {"messages": history})
    assert done.content[0].type == "text"


def test_anthropic_never_sees_a_call_it_may_not_make(
    make_agent: MakeAgent, vendor: ScriptedVendor
) -> None:
    asked: dict[str, Any] = offering("messages", "get_weather")
    vendor.script = stream(streaming("messages", "get_weather", "wire_money"))
    strict = make_agent(dialect="anthropic", tools=DECLARED)
    with (
        anthropic_client(strict) as client,
        pytest.raises(anthropic.APIStatusError, match="wire_money"),
        client.messages.stream(model=strict.route, **asked) as events,
    ):
        events.get_final_message()
    lenient = make_agent(dialect="anthropic", tools=DECLARED, options={"tools": "strip"})
    with (
        anthropic_client(lenient) as client,
        client.messages.stream(model=lenient.route, **asked) as events,
    ):
        said = events.get_final_message()
    assert [block.type for block in said.content] == ["tool_use"]
    assert said.stop_reason == "tool_use"
