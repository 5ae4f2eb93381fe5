"""Where a stream's events carry pieces of texts, and where these texts end: one dialect each.

Owns the shapes. A text that arrives in pieces is named by a channel; what is held back of it
when it ends is given in one more event of the same shape.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson

from routing.gateway.sse import Event

Channel = tuple[object, ...]  # its first part is the group that ends together
Step = str | tuple[str, int]
ALL: Final = object()

_FIXED: Final = frozenset({"role", "id", "type", "object", "finish_reason", "signature"})


@dataclass(frozen=True, slots=True)
class Delta:
    """One piece: where it stands in the event, and what more of its text would look like."""

    channel: Channel
    holder: dict[str, Any]
    name: str
    is_arguments: bool
    more: Callable[[str], Event]

    @property
    def text(self) -> str:
        return str(self.holder[self.name])


def deltas_of(operation: str, document: Any) -> Iterator[Delta]:
    """Yield the pieces of texts in an event of a kind of call."""
    if isinstance(document, dict):
        yield from _READERS.get(operation, _nothing)(document)


def ended_by(operation: str, document: Any) -> list[object]:
    """Return the groups of channels whose texts end before an event; ALL for every one."""
    if not isinstance(document, dict):
        return []
    kind = str(document.get("type") or "")
    if operation == "chat":
        choices = document.get("choices")
        if document.get("error"):
            return [ALL]
        return [
            each.get("index", 0)
            for each in (choices if isinstance(choices, list) else ())
            if isinstance(each, dict) and each.get("finish_reason") is not None
        ]
    if operation == "messages":
        ends = {"message_delta", "message_stop", "error"}
        return [document.get("index")] if kind == "content_block_stop" else [ALL] * (kind in ends)
    if kind.endswith(".done"):
        return [document.get("output_index")]
    return [ALL] * (kind.rpartition(".")[2] in {"completed", "incomplete", "failed", "error"})


def event_of(document: dict[str, Any], name: str = "") -> Event:
    """Return an event with a document as its data."""
    data = dumped(document)
    head = b"event: " + name.encode() + b"\n" if name else b""
    return Event(head + b"data: " + data + b"\n\n", data)


def dumped(value: Any) -> bytes:
    """Write JSON, as compactly as vendors do."""
    try:
        return orjson.dumps(value)
    except TypeError:  # half a surrogate pair, which some vendors send
        return json.dumps(value).encode()


def _nothing(document: dict[str, Any]) -> Iterator[Delta]:
    return iter(())


def _chat(document: dict[str, Any]) -> Iterator[Delta]:
    choices = document.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and isinstance(delta := choice.get("delta"), dict):
            yield from _walk(document, choice.get("index", 0), delta, ())


def _walk(
    document: dict[str, Any], choice: object, part: dict[str, Any], path: tuple[Step, ...]
) -> Iterator[Delta]:
    for name, value in part.items():
        here = (*path, name)
        if isinstance(value, str):
            if name not in _FIXED:
                more = partial(_more_chat, document, choice, here)
                yield Delta((choice, *here), part, name, name == "arguments", more)
        elif isinstance(value, dict):
            yield from _walk(document, choice, value, here)
        elif isinstance(value, list):
            for place, item in enumerate(value):
                if isinstance(item, dict):
                    index = item.get("index", place)
                    yield from _walk(document, choice, item, (*path, (name, index)))


def _more_chat(
    document: dict[str, Any], choice: object, path: tuple[Step, ...], text: str
) -> Event:
    said: Any = text
    for step in reversed(path):
        said = {step: said} if isinstance(step, str) else {step[0]: [{"index": step[1], **said}]}
    one = {"index": choice, "delta": said, "finish_reason": None}
    kept = {name: value for name, value in document.items() if name not in {"usage", "choices"}}
    return event_of(kept | {"choices": [one]})


def _messages(document: dict[str, Any]) -> Iterator[Delta]:
    delta, index = document.get("delta"), document.get("index")
    if document.get("type") == "content_block_start":
        yield from _beginning_of_block(document)
        return
    if document.get("type") != "content_block_delta" or not isinstance(delta, dict):
        return
    for name, value in delta.items():
        if isinstance(value, str) and name not in _FIXED:
            more = partial(_more_of_block, document, str(delta.get("type")), name)
            yield Delta((index, name), delta, name, name == "partial_json", more)


def _beginning_of_block(document: dict[str, Any]) -> Iterator[Delta]:
    """A block may begin with words: clients put what follows behind them."""
    block, index = document.get("content_block"), document.get("index")
    for name in ("text", "thinking"):
        if isinstance(block, dict) and isinstance(block.get(name), str) and block[name]:
            bare = {"type": "content_block_delta", "index": index}
            more = partial(_more_of_block, bare, f"{name}_delta", name)
            yield Delta((index, name), block, name, is_arguments=False, more=more)


def _more_of_block(document: dict[str, Any], kind: str, name: str, text: str) -> Event:
    return event_of(document | {"delta": {"type": kind, name: text}}, "content_block_delta")


def _responses(document: dict[str, Any]) -> Iterator[Delta]:
    kind = str(document.get("type") or "")
    if not kind.endswith(".delta") or not isinstance(document.get("delta"), str):
        return
    if "audio.delta" in kind:
        return  # encoded sound
    places = (document.get(name) for name in ("output_index", "content_index", "summary_index"))
    group, *rest = places
    more = partial(_more_of_item, document, kind)
    channel = (group, kind, *rest, document.get("item_id"))
    yield Delta(channel, document, "delta", "_arguments" in kind, more)


def _more_of_item(document: dict[str, Any], kind: str, text: str) -> Event:
    return event_of(document | {"delta": text}, kind)


_READERS: Final[dict[str, Callable[[dict[str, Any]], Iterator[Delta]]]] = {
    "chat": _chat,
    "messages": _messages,
    "responses": _responses,
    "response_read": _responses,
}
