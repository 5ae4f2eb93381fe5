"""What was said to a model and by it, laid out for reading.

Takes bytes that somebody outside wrote: whatever they are, they come out as plain text of
a bounded length, and nothing in them is acted upon.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

LONGEST: Final = 200_000
MOST_EVENTS: Final = 500
_TEXT_KEYS: Final = ("content", "refusal", "text", "arguments")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """A payload as people read it."""

    kind: str  # json, events, text, bytes
    size: int
    text: str
    is_cut: bool = False
    messages: list[Message] = field(default_factory=list)


def read_said(raw: bytes) -> Said:
    """Lay a payload out; never raises."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        shown = raw[: LONGEST // 4].hex(" ")
        return Said("bytes", len(raw), shown, is_cut=len(raw) > LONGEST // 4)
    if text.lstrip().startswith(("data:", "event:", ":", "id:", "retry:")):
        return _events(text, len(raw))
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return Said("text", len(raw), text[:LONGEST], is_cut=len(text) > LONGEST)
    pretty = json.dumps(document, indent=2, ensure_ascii=False)
    messages = list(_messages(document))
    return Said("json", len(raw), pretty[:LONGEST], len(pretty) > LONGEST, messages)


def _messages(document: Any) -> Iterator[Message]:
    if not isinstance(document, dict):
        return
    for turn in _dicts(document.get("messages")):
        yield Message(str(turn.get("role", "?"))[:40], _words(turn))
    for choice in _dicts(document.get("choices")):
        answer = choice.get("message")
        if isinstance(answer, dict):
            yield Message(str(answer.get("role", "assistant"))[:40], _words(answer))


def _words(turn: dict[str, Any]) -> str:
    content = turn.get("content")
    if isinstance(content, list):
        parts = [str(part.get("text") or f"[{part.get('type', '?')}]") for part in _dicts(content)]
        content = "\n".join(parts)
    said = content if isinstance(content, str) else ""
    for each in _dicts(turn.get("tool_calls")):
        function = each.get("function")
        if isinstance(function, dict):
            said += f"\n→ {function.get('name', '?')}({function.get('arguments', '')})"
    return said.strip()[:LONGEST]


def _events(text: str, size: int) -> Said:
    pieces, lines = [], []
    for number, line in enumerate(text.splitlines()):
        if number < MOST_EVENTS:
            lines.append(line)
        if line.startswith("data:"):
            pieces.append(_piece(line[5:].strip()))
    said = "".join(pieces)
    shown = "\n".join(lines)
    messages = [Message("assistant", said[:LONGEST])] if said else []
    is_cut = len(text.splitlines()) > MOST_EVENTS or len(shown) > LONGEST
    return Said("events", size, shown[:LONGEST], is_cut, messages)


def _piece(text: str) -> str:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return ""
    said = ""
    for choice in _dicts(document.get("choices")):
        delta = choice.get("delta")
        if isinstance(delta, dict):
            said += "".join(value for key in _TEXT_KEYS if isinstance(value := delta.get(key), str))
    return said


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
