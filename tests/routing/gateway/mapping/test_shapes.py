"""What is made is what the vendors' own clients call an answer: their types read all of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from routing.gateway.mapping.losses import CannotTranslate, Losses
from routing.gateway.mapping.tools import arguments_in
from routing.gateway.mapping.translation import WAYS, Sought
from tests.routing.gateway.mapping import corpus

TO_MESSAGES, TO_CHAT = WAYS["chat", "anthropic"], WAYS["messages", "openai"]
BY_CHAT, BY_MESSAGES = WAYS["responses", "openai"], WAYS["responses", "anthropic"]
CALL: dict[str, Any] = {"input": "Hi", "stream_options": {"include_usage": True}}

read_event = TypeAdapter[Any](RawMessageStreamEvent).validate_python
read_response_event = TypeAdapter[Any](ResponseStreamEvent).validate_python


def made(way: Any, stream: list[dict[str, Any]]) -> list[dict[str, Any]]:
    writer = way.answering(CALL, 1).writer
    events = [json.loads(json.dumps(one)) for said in stream for one in writer.take(said)]
    return [*events, *json.loads(json.dumps(writer.end()))]


@pytest.mark.parametrize("name", corpus.MESSAGES)
def test_completions(name: str) -> None:
    ChatCompletion.model_validate(TO_MESSAGES.answering({}, 1).whole(corpus.MESSAGES[name]))


@pytest.mark.parametrize("name", corpus.EVENT_STREAMS)
def test_chunks(name: str) -> None:
    chunks = made(TO_MESSAGES, corpus.EVENT_STREAMS[name])
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk)
    assert chunks[-1]["usage"]["completion_tokens"] == 12


@pytest.mark.parametrize("name", corpus.COMPLETIONS)
def test_messages(name: str) -> None:
    Message.model_validate(TO_CHAT.answering({}, 1).whole(corpus.COMPLETIONS[name]))


@pytest.mark.parametrize("name", corpus.CHUNK_STREAMS)
def test_events(name: str) -> None:
    for event in made(TO_CHAT, corpus.CHUNK_STREAMS[name]):
        read_event(event)


@pytest.mark.parametrize("name", corpus.CHUNK_STREAMS)
def test_responses_from_chunks(name: str) -> None:
    check_response(made(BY_CHAT, corpus.CHUNK_STREAMS[name]))


@pytest.mark.parametrize("name", corpus.EVENT_STREAMS)
def test_responses_from_events(name: str) -> None:
    check_response(made(BY_MESSAGES, corpus.EVENT_STREAMS[name]))


@pytest.mark.parametrize("name", corpus.COMPLETIONS)
def test_whole_responses(name: str) -> None:
    response = BY_CHAT.answering(CALL, 1).whole(corpus.COMPLETIONS[name])
    read = Response.model_validate(response)
    said = corpus.COMPLETIONS[name]["choices"][0]["message"]
    assert read.output_text == (said["content"] or "")
    calls = [item.name for item in read.output if item.type == "function_call"]
    assert calls == [call["function"]["name"] for call in said.get("tool_calls", ())]
    assert response["store"] is False


def check_response(events: list[dict[str, Any]]) -> None:
    for event in events:
        read_response_event(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    grown: dict[str, str] = {}
    for event in events:
        if event["type"].endswith(".delta"):
            grown[event["item_id"]] = grown.get(event["item_id"], "") + event["delta"]
    *_, ended = events
    assert ended["type"] in ("response.completed", "response.incomplete")
    for item in ended["response"]["output"]:
        parts = item.get("content") or [{"text": item.get("arguments")}]
        assert grown[item["id"]] == parts[0].get("text", parts[0].get("refusal"))


# --- what a response asks


def asked(**call: Any) -> dict[str, Any]:
    said = {"model": "m", "input": "Hi"} | call
    return BY_CHAT.ask(said, Sought("their-model"), Losses(may_drop=False))


def test_items_become_turns() -> None:
    items = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
         "content": [{"type": "output_text", "text": "Look", "annotations": []}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "time", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "Fog"},
        {"type": "function_call_output", "call_id": "c2", "output": "Noon"},
    ]  # fmt: skip
    tool = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True}
    made = asked(
        input=items, instructions="Brief.", tools=[tool], max_output_tokens=9,
        tool_choice={"type": "function", "name": "look"}, reasoning={"effort": "low"},
        text={"format": {"type": "json_schema", "name": "a", "schema": {}}},
    )  # fmt: skip
    assert [message["role"] for message in made["messages"]] == [
        "system", "user", "assistant", "tool", "tool",
    ]  # fmt: skip
    assert [call["id"] for call in made["messages"][2]["tool_calls"]] == ["c1", "c2"]
    function = {"name": "look", "parameters": {"type": "object"}, "strict": True}
    assert made["tools"] == [{"type": "function", "function": function}]
    assert made["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert (made["max_tokens"], made["reasoning_effort"]) == (9, "low")
    assert made["response_format"]["json_schema"] == {"name": "a", "schema": {}}
    there = BY_MESSAGES.ask(
        {"model": "m", "input": items, "tools": [tool]}, Sought("claude-x"), Losses(may_drop=False)
    )
    assert [turn["role"] for turn in there["messages"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("call", "param"),
    [
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"store": True}, "store"),
        ({"tools": [{"type": "web_search"}]}, "tools.type"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input.item_reference"),
        ({"input": [{"type": "reasoning", "id": "x", "summary": []}]}, "input.reasoning"),
        ({"tool_choice": {"type": "mcp"}, "tools": [{"type": "function", "name": "a"}]},
         "tool_choice.type"),
    ],
)  # fmt: skip
def test_what_only_responses_can_say_is_refused(call: dict[str, Any], param: str) -> None:
    with pytest.raises(CannotTranslate) as refused:
        asked(**call)
    assert refused.value.facts["param"] == param


@pytest.mark.parametrize("said", ['{"a": "\\ud800"}', '{"a": 1e999}', "[" * 5000])
def test_arguments_that_cannot_be_written_again_are_none(said: str) -> None:
    assert arguments_in(said) is None
