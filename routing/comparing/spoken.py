"""What was asked of a model and what it answered, in words that any dialect's can be compared by.

Owns the reading of the three dialects, whole and streamed. Takes bytes that somebody outside
wrote and never raises: what it does not understand is compared as the text it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from routing.gateway.sse import EventSplitter
from routing.gateway.wires.wire import read_json

_HOLD: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool, its arguments in one spelling where they are JSON."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: the turns so far, and the tools that were offered."""

    turns: tuple[Turn, ...] = ()
    tools: tuple[str, ...] = ()
    result_of: tuple[str, ...] = ()  # ids of the calls whose results it brings


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said: its text, and the tools it called, in order."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()

    @property
    def form(self) -> str:
        """Return what the answer is by its form: calls, JSON, text, or nothing."""
        if self.calls:
            return "tool calls"
        if not self.text.strip():
            return "nothing"
        return "JSON" if isinstance(read_json(self.text.encode()), dict | list) else "text"


def question_of(raw: bytes) -> Question:
    """Read a request."""
    document = read_json(raw)
    if not isinstance(document, dict):
        return Question((Turn("?", _text(raw)),)) if raw else Question()
    turns = [Turn("system", _words(document[name])) for name in ("system", "instructions")
             if document.get(name)]  # fmt: skip
    if isinstance(said := document.get("input"), str):
        turns.append(Turn("user", said))
    results: list[str] = []
    for one in [*_dicts(document.get("messages")), *_dicts(document.get("input"))]:
        turns.append(Turn(str(one.get("role") or one.get("type") or "?"), _turn(one)))
        results += _results(one)
    tools = tuple(_tool(one) for one in _dicts(document.get("tools")))
    return Question(tuple(turns), tools, tuple(results))


def answer_of(raw: bytes) -> Answer:
    """Read an answer, whole or a stream."""
    document = read_json(raw)
    if isinstance(document, dict):
        return _whole(document)
    if b"data:" in raw:
        return _stream(raw)
    return Answer(_text(raw))


# --- whole


def _whole(document: dict[str, Any]) -> Answer:
    texts: list[str] = []
    calls: list[ToolCall] = []
    for choice in _dicts(document.get("choices")):
        message = choice.get("message")
        if isinstance(message, dict):
            texts.append(_words(message.get("content") or message.get("refusal")))
            calls += _chat_calls(message)
    for part in [*_dicts(document.get("content")), *_dicts(document.get("output"))]:
        if part.get("type") == "tool_use":
            calls.append(ToolCall(str(part.get("name")), _json(part.get("input"))))
        elif part.get("type") == "function_call":
            calls.append(ToolCall(str(part.get("name")), _spelled(part.get("arguments"))))
        else:
            texts.append(_words(part.get("content") if "content" in part else part.get("text")))
    if isinstance(error := document.get("error"), dict) and not (texts or calls):
        texts.append(str(error.get("message") or error.get("code") or ""))
    return Answer("\n".join(text for text in texts if text), tuple(calls))


def _chat_calls(message: dict[str, Any]) -> Iterator[ToolCall]:
    for one in _dicts(message.get("tool_calls")):
        function = one.get("function")
        if isinstance(function, dict):
            yield ToolCall(str(function.get("name")), _spelled(function.get("arguments")))


# --- streams


class _Fold:
    """The pieces of a stream, put together."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.names: dict[object, str] = {}
        self.arguments: dict[object, list[str]] = {}
        self.whole: Answer | None = None

    def call(self, key: object, name: object = None, arguments: object = None) -> None:
        self.names.setdefault(key, "")
        if isinstance(name, str) and name:
            self.names[key] = name
        if isinstance(arguments, str):
            self.arguments.setdefault(key, []).append(arguments)

    def answer(self) -> Answer:
        if self.whole is not None:
            return self.whole
        calls = [
            ToolCall(name, _spelled("".join(self.arguments.get(key, []))))
            for key, name in self.names.items()
        ]
        return Answer("".join(self.text), tuple(calls))


def _stream(raw: bytes) -> Answer:
    fold = _Fold()
    for event in EventSplitter(_HOLD).feed(raw if raw.endswith(b"\n\n") else raw + b"\n\n"):
        document = read_json(event.data) if event.data else None
        if not isinstance(document, dict):
            continue
        kind = str(document.get("type") or "")
        reader = _READERS.get(kind.partition(".")[0], _chat_piece)
        reader(fold, kind, document)
    return fold.answer()


def _chat_piece(fold: _Fold, kind: str, document: dict[str, Any]) -> None:
    for choice in _dicts(document.get("choices")):
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            continue
        if isinstance(text := delta.get("content") or delta.get("refusal"), str):
            fold.text.append(text)
        for place, one in enumerate(_dicts(delta.get("tool_calls"))):
            function = one.get("function")
            said = function if isinstance(function, dict) else {}
            key = (choice.get("index"), one.get("index", place))
            fold.call(key, said.get("name"), said.get("arguments"))


def _block_begins(fold: _Fold, kind: str, document: dict[str, Any]) -> None:
    block = document.get("content_block")
    if isinstance(block, dict) and block.get("type") == "tool_use":
        fold.call(document.get("index"), block.get("name"))
    elif isinstance(block, dict) and isinstance(text := block.get("text"), str):
        fold.text.append(text)


def _block_goes_on(fold: _Fold, kind: str, document: dict[str, Any]) -> None:
    delta = document.get("delta")
    if isinstance(delta, dict):
        if isinstance(text := delta.get("text"), str):
            fold.text.append(text)
        if isinstance(delta.get("partial_json"), str):
            fold.call(document.get("index"), None, delta["partial_json"])


def _response_piece(fold: _Fold, kind: str, document: dict[str, Any]) -> None:
    response = document.get("response")
    if kind in {"response.completed", "response.incomplete"} and isinstance(response, dict):
        fold.whole = _whole(response)
    elif kind == "response.output_text.delta" and isinstance(text := document.get("delta"), str):
        fold.text.append(text)
    elif kind == "response.output_item.added" and isinstance(item := document.get("item"), dict):
        if item.get("type") == "function_call":
            fold.call(document.get("output_index"), item.get("name"))
    elif kind == "response.function_call_arguments.delta":
        fold.call(document.get("output_index"), None, document.get("delta"))


_Reader = Callable[[_Fold, str, dict[str, Any]], None]
_READERS: Final[dict[str, _Reader]] = {
    "content_block_start": _block_begins,
    "content_block_delta": _block_goes_on,
    "response": _response_piece,
}


# --- words


def _turn(one: dict[str, Any]) -> str:
    said = [_words(one.get("content") if "content" in one else one.get("output"))]
    said += [f"→ {call.name}({call.arguments})" for call in _chat_calls(one)]
    if one.get("type") == "function_call":
        said.append(f"→ {one.get('name')}({_spelled(one.get('arguments'))})")
    return "\n".join(text for text in said if text)


def _results(one: dict[str, Any]) -> list[str]:
    found = [one.get("tool_call_id"), one.get("call_id") if one.get("output") else None]
    found += [part.get("tool_use_id") for part in _dicts(one.get("content"))]
    return [name for name in found if isinstance(name, str)]


def _words(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(filter(None, (_part(part) for part in _dicts(content))))


def _part(part: dict[str, Any]) -> str:
    match part.get("type"):
        case "tool_use":
            return f"→ {part.get('name')}({_json(part.get('input'))})"
        case "tool_result":
            return f"← {_words(part.get('content'))}"
        case _:
            text = part.get("text") or part.get("refusal")
            return text if isinstance(text, str) else f"[{part.get('type', '?')}]"


def _tool(one: dict[str, Any]) -> str:
    function = one.get("function")
    named = function if isinstance(function, dict) else one
    return str(named.get("name") or one.get("server_label") or one.get("type") or "?")


def _spelled(arguments: Any) -> str:
    if not isinstance(arguments, str):
        return "" if arguments is None else _json(arguments)
    document = read_json(arguments.encode("utf-8", "replace"))
    return _json(document) if isinstance(document, dict | list) else arguments


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
