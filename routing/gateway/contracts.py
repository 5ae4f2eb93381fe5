"""Whether an answer has the form that its call asked for, as far as the gateway can see.

Owns a small look: JSON that was asked for is JSON and has its required members, a call of a
tool names one that was offered, with arguments that are an object and have what is required.
It is taken of agents that are being moved, on both sides alike, and of what was delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

from routing.gateway.deltas import deltas_of, dumped
from routing.gateway.sse import EventSplitter
from routing.gateway.wires.wire import read_json

KEPT: Final = "kept"
BROKEN: Final = "broken"
REFUSED: Final = "refused"
_MOST_BYTES: Final = 2 * 1024 * 1024
_OPERATIONS: Final = frozenset({"chat", "messages", "responses"})
_REFUSALS: Final = frozenset({"content_filter", "refusal"})
_ASKED: Final = ('"response_format"', '"json_schema"', '"tools"', '"output_format"', '"text"')

Said = list[tuple[str, str]]  # texts, and calls of tools by name


def contract_of(operation: str, asked: str, payload: bytes, *, is_stream: bool) -> str:
    """Return kept, broken or refused; empty where nothing was asked for, or it is not known."""
    if operation not in _OPERATIONS or len(payload) > _MOST_BYTES or not payload:
        return ""
    answers = list(_events(payload)) if is_stream else [read_json(payload)]
    if any(_refuses(answer) for answer in answers if isinstance(answer, dict)):
        return REFUSED
    document = read_json(asked.encode()) if any(word in asked for word in _ASKED) else None
    if not isinstance(document, dict):
        return ""
    texts, calls = _streamed(operation, answers) if is_stream else _whole(operation, answers[0])
    schema, tools = _schema_of(operation, document), _tools_of(document)
    if not calls and schema is None:
        return ""
    has_form = (
        all(_fits(name, said, tools) for name, said in calls)
        if calls
        else _has_form("".join(texts), schema or {})
    )
    return KEPT if has_form else BROKEN


def _events(payload: bytes) -> Iterator[Any]:
    for event in EventSplitter().feed(payload):
        if event.data and event.data != b"[DONE]":
            yield read_json(event.data)


def _refuses(answer: dict[str, Any]) -> bool:
    delta = answer.get("delta")
    ends = [answer.get("stop_reason"), delta.get("stop_reason") if isinstance(delta, dict) else ""]
    said = [str(answer.get("type") or "").startswith("response.refusal.")]
    for choice in _dicts(answer.get("choices")):
        ends.append(choice.get("finish_reason"))
        message = choice.get("message") or choice.get("delta")
        said.append(isinstance(message, dict) and bool(message.get("refusal")))
    for item in _dicts(answer.get("output")):
        said += [part.get("type") == "refusal" for part in _dicts(item.get("content"))]
    return any(said) or any(end in _REFUSALS for end in ends if isinstance(end, str))


def _whole(operation: str, answer: Any) -> tuple[list[str], Said]:
    return _READERS[operation](answer) if isinstance(answer, dict) else ([], [])


def _chat(answer: dict[str, Any]) -> tuple[list[str], Said]:
    choices = _dicts(answer.get("choices"))[:1]
    messages = [each for choice in choices if isinstance(each := choice.get("message"), dict)]
    called = [
        made
        for message in messages
        for call in _dicts(message.get("tool_calls"))
        if isinstance(made := call.get("function"), dict)
    ]
    texts = [str(message.get("content") or "") for message in messages]
    return texts, [(str(made.get("name")), str(made.get("arguments") or "")) for made in called]


def _messages(answer: dict[str, Any]) -> tuple[list[str], Said]:
    blocks = _dicts(answer.get("content"))
    texts = [str(block.get("text") or "") for block in blocks if block.get("type") == "text"]
    used = [block for block in blocks if block.get("type") == "tool_use"]
    return texts, [(str(each.get("name")), dumped(each.get("input")).decode()) for each in used]


def _responses(answer: dict[str, Any]) -> tuple[list[str], Said]:
    items = _dicts(answer.get("output"))
    texts = [str(part.get("text") or "") for item in items for part in _dicts(item.get("content"))]
    called = [item for item in items if item.get("type") == "function_call"]
    return texts, [(str(each.get("name")), str(each.get("arguments") or "")) for each in called]


_READERS: Final[dict[str, Callable[[dict[str, Any]], tuple[list[str], Said]]]] = {
    "chat": _chat,
    "messages": _messages,
    "responses": _responses,
}


def _streamed(operation: str, answers: list[Any]) -> tuple[list[str], Said]:
    texts: dict[object, str] = {}
    arguments: dict[object, str] = {}
    for answer in answers:
        for delta in deltas_of(operation, answer):
            if delta.is_arguments:
                arguments[delta.channel] = arguments.get(delta.channel, "") + delta.text
            elif delta.name in {"content", "text", "delta"}:
                texts[delta.channel] = texts.get(delta.channel, "") + delta.text
    return [*texts.values()], [("", said) for said in arguments.values()]


def _schema_of(operation: str, asked: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of the JSON that was asked for, empty where any will do; or None."""
    if operation == "responses":
        text = asked.get("text")
        form = text.get("format") if isinstance(text, dict) else None
    elif operation == "messages":
        form = asked.get("output_format")
    else:
        form = asked.get("response_format")
    if not isinstance(form, dict) or form.get("type") not in {"json_object", "json_schema"}:
        return None
    inner = form.get("json_schema")
    schema = inner.get("schema") if isinstance(inner, dict) else form.get("schema")
    return schema if isinstance(schema, dict) else {}


def _tools_of(asked: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for tool in _dicts(asked.get("tools")):
        inner = tool.get("function")
        made = inner if isinstance(inner, dict) else tool
        schema = made.get("parameters") or made.get("input_schema")
        if isinstance(name := made.get("name"), str):
            found[name] = schema if isinstance(schema, dict) else {}
    return found


def _fits(name: str, said: str, tools: dict[str, dict[str, Any]]) -> bool:
    if name and tools and name not in tools:
        return False
    return _has_form(said or "{}", tools.get(name, {}) | {"type": "object"})


def _has_form(text: str, schema: dict[str, Any]) -> bool:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    if schema.get("type") == "object" or "required" in schema:
        required = schema.get("required")
        names = required if isinstance(required, list) else []
        return isinstance(value, dict) and all(name in value for name in names)
    return True


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
