"""Requests that offer tools and answers that call them, whole and streamed, in each wire."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.routing.gateway.scripted import COMPLETION, DONE, USAGE_EVENT, chunk_event
from tests.routing.gateway.shapes import (
    BEGUN,
    MESSAGE,
    MESSAGE_STREAM,
    RESPONSE,
    message_event,
    response_event,
)

ARGUMENTS = '{"city": "Oslo"}'


# --- requests


def offering(wire: str, *names: str) -> dict[str, Any]:
    """Return the members of a request that offers functions of these names."""
    schema = {"type": "object", "properties": {}}
    if wire == "chat":
        return {
            "messages": [{"role": "user", "content": "?"}],
            "tools": [
                {"type": "function", "function": {"name": name, "parameters": schema}}
                for name in names
            ],
        }
    if wire == "messages":
        return {
            "max_tokens": 10,
            "messages": [{"role": "user", "content": "?"}],
            "tools": [{"name": name, "input_schema": schema} for name in names],
        }
    return {
        "input": "?",
        "tools": [{"type": "function", "name": name, "parameters": schema} for name in names],
    }


# --- whole answers


def chat_call(name: Any, index: int = 0) -> dict[str, Any]:
    return {
        "id": f"call_{index}",
        "type": "function",
        "function": {"name": name, "arguments": ARGUMENTS},
    }


def answering(wire: str, *names: str) -> dict[str, Any]:
    """Return a whole answer that calls these tools."""
    if wire == "chat":
        calls = [chat_call(name, index) for index, name in enumerate(names)]
        message = {"role": "assistant", "content": None, "tool_calls": calls}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        return COMPLETION | {"choices": [choice]}
    if wire == "messages":
        blocks = [
            {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {"city": "Oslo"}}
            for index, name in enumerate(names)
        ]
        return MESSAGE | {"content": blocks, "stop_reason": "tool_use"}
    return RESPONSE | {"output": [response_call(name, index) for index, name in enumerate(names)]}


def response_call(name: str, index: int) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{index}",
        "call_id": f"call_{index}",
        "name": name,
        "arguments": ARGUMENTS,
        "status": "completed",
    }


# --- streams


def chat_delta(*calls: dict[str, Any], **delta: Any) -> bytes:
    given = ({"tool_calls": [*calls]} if calls else {}) | delta
    return chunk_event("", choices=[{"index": 0, "delta": given, "finish_reason": None}])


def chat_end(reason: str = "tool_calls") -> bytes:
    return chunk_event("", choices=[{"index": 0, "delta": {}, "finish_reason": reason}])


def streaming(wire: str, *names: str, text: str = "") -> list[bytes]:
    """Return a stream that says a text, if any, and then calls these tools."""
    if wire == "chat":
        return _chat_stream(names, text)
    if wire == "messages":
        return _message_stream(names, text)
    return _response_stream(names, text)


def _chat_stream(names: Iterable[str], text: str) -> list[bytes]:
    pieces = [chat_delta(role="assistant", content=text)]
    for index, name in enumerate(names):
        head = chat_call(name, index) | {"index": index}
        head["function"] = {"name": name, "arguments": ""}
        pieces.append(chat_delta(head))
        pieces += [
            chat_delta({"index": index, "function": {"arguments": half}})
            for half in (ARGUMENTS[:5], ARGUMENTS[5:])
        ]
    return [*pieces, chat_end(), USAGE_EVENT, DONE]


def _message_stream(names: Iterable[str], text: str) -> list[bytes]:
    pieces, index = [MESSAGE_STREAM[0]], 0
    if text:
        pieces += [
            message_event(
                "content_block_start", index=0, content_block={"type": "text", "text": ""}
            ),
            message_event(
                "content_block_delta", index=0, delta={"type": "text_delta", "text": text}
            ),
            message_event("content_block_stop", index=0),
        ]
        index = 1
    for place, name in enumerate(names, index):
        block = {"type": "tool_use", "id": f"toolu_{place}", "name": name, "input": {}}
        pieces.append(message_event("content_block_start", index=place, content_block=block))
        pieces += [
            message_event(
                "content_block_delta",
                index=place,
                delta={"type": "input_json_delta", "partial_json": half},
            )
            for half in (ARGUMENTS[:5], ARGUMENTS[5:])
        ]
        pieces.append(message_event("content_block_stop", index=place))
    delta = {"stop_reason": "tool_use", "stop_sequence": None}
    return [
        *pieces,
        message_event("message_delta", delta=delta, usage={"output_tokens": 3}),
        message_event("message_stop"),
    ]


def _response_stream(names: Iterable[str], text: str) -> list[bytes]:
    pieces: list[tuple[str, dict[str, Any]]] = [("response.created", {"response": BEGUN})]
    output: list[dict[str, Any]] = []
    if text:
        part = {"type": "output_text", "text": text, "annotations": []}
        message = RESPONSE["output"][0] | {"content": [part]}
        at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        pieces += [
            ("response.output_item.added", {"output_index": 0, "item": message | {"content": []}}),
            ("response.content_part.added", at | {"part": part | {"text": ""}}),
            ("response.output_text.delta", at | {"delta": text, "logprobs": []}),
            ("response.output_text.done", at | {"text": text, "logprobs": []}),
            ("response.content_part.done", at | {"part": part}),
            ("response.output_item.done", {"output_index": 0, "item": message}),
        ]
        output.append(message)
    for name in names:
        place = len(output)
        item = response_call(name, place)
        at = {"output_index": place, "item_id": item["id"]}
        begun = item | {"arguments": "", "status": "in_progress"}
        pieces += [
            ("response.output_item.added", {"output_index": place, "item": begun}),
            ("response.function_call_arguments.delta", at | {"delta": ARGUMENTS}),
            ("response.function_call_arguments.done", at | {"arguments": ARGUMENTS}),
            ("response.output_item.done", {"output_index": place, "item": item}),
        ]
        output.append(item)
    pieces.append(("response.completed", {"response": RESPONSE | {"output": output}}))
    return [response_event(number, kind, **said) for number, (kind, said) in enumerate(pieces)]


def documents(raw: bytes) -> list[Any]:
    """Return what a stream's events say."""
    found = []
    for event in raw.split(b"\n\n"):
        for line in event.split(b"\n"):
            if line.startswith(b"data: ") and line != b"data: [DONE]":
                found.append(json.loads(line[6:]))
    return found
