"""Unchanged clients of one dialect, served by a vendor that speaks the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.routing.gateway.conftest import Agent
from tests.routing.gateway.scripted import COMPLETION, DONE, ScriptedVendor, answer, stream
from tests.routing.gateway.shapes import MESSAGE, MESSAGE_STREAM, message_event

pytestmark = pytest.mark.clients

SAY: list[Any] = [{"role": "user", "content": "What is the weather in Brno?"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION: Any = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
TOOL: Any = {"name": "weather", "input_schema": SCHEMA}
USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Brno"}}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Brno"}'},
}


@pytest.fixture
def speaks_openai(claude: Agent) -> Iterator[openai.OpenAI]:
    made = openai.OpenAI(
        base_url=f"http://127.0.0.1:{claude.port}/v1", api_key=claude.key, max_retries=0
    )
    yield made
    made.close()


@pytest.fixture
def speaks_anthropic(agent: Agent) -> Iterator[anthropic.Anthropic]:
    made = anthropic.Anthropic(
        base_url=f"http://127.0.0.1:{agent.port}", api_key=agent.key, max_retries=0
    )
    yield made
    made.close()


def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    document = {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def test_openai_python_at_claude(
    speaks_openai: openai.OpenAI, claude: Agent, vendor: ScriptedVendor
) -> None:
    vendor.script = answer(MESSAGE, 200, ("request-id", "req_v"))
    said = speaks_openai.chat.completions.create(model=claude.route, messages=SAY)
    assert said.choices[0].message.content == "Hello."
    assert said.usage is not None
    assert (said.usage.total_tokens, said._request_id) == (14, "req_v")
    assert said.model == MESSAGE["model"]


def test_openai_python_goes_round_the_loop_of_tools_at_claude(
    speaks_openai: openai.OpenAI, claude: Agent, vendor: ScriptedVendor
) -> None:
    vendor.script = answer(MESSAGE | {"content": [USE], "stop_reason": "tool_use"})
    first = speaks_openai.chat.completions.create(
        model=claude.route, messages=SAY, tools=[FUNCTION]
    )
    assert first.choices[0].finish_reason == "tool_calls"
    calls: Any = first.choices[0].message.tool_calls
    (call,) = calls
    assert json.loads(call.function.arguments) == {"city": "Brno"}
    vendor.script = answer(MESSAGE)
    turns = [*SAY, first.choices[0].message, {"role": "tool", "tool_call_id": call.id,
                                              "content": "Fog"}]  # fmt: skip
    speaks_openai.chat.completions.create(model=claude.route, messages=turns, tools=[FUNCTION])
    assert vendor.seen[-1].json["messages"][1:] == [
        {"role": "assistant", "content": [USE]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Fog"}]},
    ]  # fmt: skip


def test_openai_python_streams_text_and_tools_of_claude(
    speaks_openai: openai.OpenAI, claude: Agent, vendor: ScriptedVendor
) -> None:
    begun = USE | {"input": {}}
    pieces = ['{"city"', ': "Brno"}']
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    vendor.script = stream(
        [
            *MESSAGE_STREAM[:6],
            message_event("content_block_start", index=1, content_block=begun),
            *(message_event("content_block_delta", index=1, delta=delta) for delta in deltas),
            message_event("content_block_stop", index=1),
            message_event("message_delta", delta={"stop_reason": "tool_use"},
                          usage={"output_tokens": 9}),
            MESSAGE_STREAM[-1],
        ]
    )  # fmt: skip
    with speaks_openai.chat.completions.stream(
        model=claude.route, messages=SAY, tools=[FUNCTION]
    ) as events:
        final = events.get_final_completion()
    message = final.choices[0].message
    assert message.content == "Hello."
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.arguments == "".join(pieces)
    assert final.choices[0].finish_reason == "tool_calls"


def test_openai_python_asks_claude_for_a_response(
    speaks_openai: openai.OpenAI, claude: Agent, vendor: ScriptedVendor
) -> None:
    vendor.script = answer(MESSAGE)
    said = speaks_openai.responses.create(model=claude.route, input="Hi", instructions="Brief.")
    assert (said.output_text, said.status) == ("Hello.", "completed")
    vendor.script = stream(MESSAGE_STREAM)
    with speaks_openai.responses.stream(model=claude.route, input="Hi") as events:
        kinds = [event.type for event in events]
        final = events.get_final_response()
    assert (final.output_text, kinds[-1]) == ("Hello.", "response.completed")


def test_openai_python_is_told_of_a_cut_and_of_claudes_errors(
    speaks_openai: openai.OpenAI, claude: Agent, vendor: ScriptedVendor
) -> None:
    vendor.script = stream(MESSAGE_STREAM[:4], cut=True)
    asked = speaks_openai.chat.completions.create(model=claude.route, messages=SAY, stream=True)
    with asked as chunks, pytest.raises(openai.APIError) as raised:
        list(chunks)
    assert raised.value.code == "upstream_cut"
    fault = {"type": "error", "error": {"type": "rate_limit_error", "message": "Too fast"}}
    vendor.script = answer(fault, 429)
    with pytest.raises(openai.RateLimitError, match="Too fast"):
        speaks_openai.chat.completions.create(model=claude.route, messages=SAY)
    with pytest.raises(openai.BadRequestError) as refused:
        speaks_openai.chat.completions.create(model=claude.route, messages=SAY, n=2)
    assert (refused.value.code, refused.value.param) == ("cannot_translate", "n")


def test_anthropic_python_at_a_vendor_of_openais_dialect(
    speaks_anthropic: anthropic.Anthropic, agent: Agent, vendor: ScriptedVendor
) -> None:
    said = speaks_anthropic.messages.create(model=agent.route, max_tokens=9, messages=SAY)
    assert said.content[0].to_dict()["text"] == "Hello."
    assert (said.usage.input_tokens, said.stop_reason) == (9, "end_turn")
    assert vendor.seen[0].path == "/v1/chat/completions"


def test_anthropic_python_goes_round_the_loop_of_tools(
    speaks_anthropic: anthropic.Anthropic, agent: Agent, vendor: ScriptedVendor
) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    vendor.script = answer(COMPLETION | {"choices": [choice]})
    first = speaks_anthropic.messages.create(
        model=agent.route, max_tokens=9, messages=SAY, tools=[TOOL]
    )
    assert first.stop_reason == "tool_use"
    (use,) = first.content
    assert use.to_dict() == USE | {"id": "call_1"}
    vendor.script = answer()
    result: Any = {"type": "tool_result", "tool_use_id": "call_1", "content": "Fog"}
    turns: list[Any] = [
        *SAY,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result, {"type": "text", "text": "And now?"}]},
    ]
    speaks_anthropic.messages.create(model=agent.route, max_tokens=9, messages=turns, tools=[TOOL])
    _, said, tool, user = vendor.seen[-1].json["messages"]
    assert json.loads(said["tool_calls"][0]["function"]["arguments"]) == {"city": "Brno"}
    assert tool == {"role": "tool", "tool_call_id": "call_1", "content": "Fog"}
    assert user == {"role": "user", "content": "And now?"}


def test_anthropic_python_streams_text_and_tools(
    speaks_anthropic: anthropic.Anthropic, agent: Agent, vendor: ScriptedVendor
) -> None:
    begun = {"index": 0, "id": "call_1", "function": {"name": "weather", "arguments": ""}}
    grown = {"index": 0, "function": {"arguments": '{"city": "Brno"}'}}
    vendor.script = stream(
        [
            chunk({"role": "assistant", "content": "Let me look."}),
            chunk({"tool_calls": [begun]}),
            chunk({"tool_calls": [grown]}),
            chunk({}, "tool_calls"),
            DONE,
        ]
    )
    asked = speaks_anthropic.messages.stream(
        model=agent.route, max_tokens=9, messages=SAY, tools=[TOOL]
    )
    with asked as events:
        final = events.get_final_message()
    text, use = final.content
    assert text.to_dict()["text"] == "Let me look."
    assert use.to_dict()["input"] == {"city": "Brno"}
    assert final.stop_reason == "tool_use"


def test_anthropic_python_is_told_of_a_cut_and_of_errors(
    speaks_anthropic: anthropic.Anthropic, agent: Agent, vendor: ScriptedVendor
) -> None:
    vendor.script = stream([chunk({"content": "Hel"})], cut=True)
    asked = speaks_anthropic.messages.stream(model=agent.route, max_tokens=9, messages=SAY)
    with asked as events, pytest.raises(anthropic.APIError, match="before it was complete"):
        list(events)
    vendor.script = answer({"error": {"message": "Too fast", "type": "requests"}}, 429)
    with pytest.raises(anthropic.RateLimitError, match="Too fast"):
        speaks_anthropic.messages.create(model=agent.route, max_tokens=9, messages=SAY)
