"""Watching the tool calls of a stream: what every wire has in common.

Owns the promises. Nothing of a call passes before its name is known and let; text that came
before it has passed. An event that nobody could read does not pass where calls are governed.
What is not changed passes byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from routing.gateway.deltas import dumped
from routing.gateway.sse import Event
from routing.gateway.tools.called import MARKS
from routing.gateway.tools.naming import Tool
from routing.gateway.tools.ruling import STRIP, Ruling, blocked
from routing.gateway.wires.wire import read_json

HELD_BYTES: Final = 1024 * 1024

Note = Callable[[Tool, bool], None]  # a call, and whether it was let


class CallStream:
    """One stream being watched."""

    operation: ClassVar[str]

    def __init__(self, ruling: Ruling, told: Note) -> None:
        self._ruling = ruling
        self._told = told
        self._marks = MARKS[self.operation]

    def take(self, event: Event) -> list[Event]:
        """Return what may pass now. Raises: ToolBlocked."""
        if event.data is None:
            return self._unread(event)
        if not event.data or not self._is_of_interest(event.data):
            return self._pass(event)
        document = read_json(event.data)
        if not isinstance(document, dict):
            return self._pass(event)
        return self._read(event, document)

    def finish(self) -> list[Event]:
        """Return what was still held, when the stream ends well. Raises: ToolBlocked."""
        return []

    def _is_of_interest(self, data: bytes) -> bool:
        return any(mark in data for mark in self._marks)

    def _unread(self, event: Event) -> list[Event]:
        if self._ruling.governs and event.raw:
            raise blocked(["something in an event that is too large to read"])
        return [event]

    def _pass(self, event: Event) -> list[Event]:
        return [event]

    def _read(self, event: Event, document: dict[str, Any]) -> list[Event]:
        raise NotImplementedError

    def _stays(self, call: Tool) -> bool:
        """Note a call; tell whether it stays. Raises: ToolBlocked."""
        lets = self._ruling.lets(call)
        self._told(call, lets)
        if not lets and (self._ruling.mode != STRIP or call.is_hosted):
            raise blocked([call.label])
        return lets


def rewritten(document: dict[str, Any], *, named: bool) -> Event:
    """Return an event that says this document."""
    data = dumped(document)
    head = b"event: " + str(document.get("type", "")).encode() + b"\n" if named else b""
    return Event(head + b"data: " + data + b"\n\n", data)
