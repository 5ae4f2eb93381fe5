"""Server-sent events, cut at their borders and left as they are.

Owns where one event ends and the next begins (WHATWG HTML §9.2: a blank line, with any
mix of LF, CR and CRLF, however the bytes were split on the way). The bytes of an event
are never rewritten. An event too big to hold is passed on in fragments, unread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

HOLD: Final = 256 * 1024

_LINE_END: Final = rb"(?:\r\n|\n|\r(?!\n))"
_find_blank_line = re.compile(_LINE_END + _LINE_END).search
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event's bytes, blank line included. Its data is None when it was too big to read."""

    raw: bytes
    data: bytes | None


class EventSplitter:
    """Cuts one stream into events; holds at most so many bytes and a chunk."""

    __slots__ = ("_fragmented", "_held", "_hold", "_searched", "_started")

    def __init__(self, hold: int = HOLD) -> None:
        self._hold = hold
        self._held = bytearray()  # grows without being copied, for events of many chunks
        self._searched = 0
        self._fragmented = False
        self._started = False

    @property
    def held(self) -> bytes:
        """The beginning of an event whose end has not come."""
        return bytes(self._held)

    @property
    def is_inside_fragments(self) -> bool:
        """Whether part of an unfinished event was already passed on."""
        return self._fragmented

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that are complete now."""
        held: bytes | bytearray = chunk
        if self._held:
            self._held += chunk
            held = self._held
        events: list[Event] = []
        start, look = 0, self._searched
        while found := _find_blank_line(held, look):
            start, look = self._emit(events, held, start, found.end()), found.end()
        if len(held) - start > self._hold:
            start = self._emit_fragment(events, held, start)
        if held is self._held:
            del self._held[:start]
        elif start < len(held):
            self._held += held[start:]
        # A line end may be split over two chunks: look at the last three bytes again.
        self._searched = max(0, len(self._held) - 3)
        return events

    def _emit(self, events: list[Event], held: bytes | bytearray, start: int, end: int) -> int:
        raw = bytes(held[start:end])
        if self._fragmented:
            self._fragmented = False
            events.append(Event(raw, None))
        else:
            events.append(Event(raw, self._data_of(raw)))
        return end

    def _emit_fragment(self, events: list[Event], held: bytes | bytearray, start: int) -> int:
        # Line ends at the border stay held, so that a blank line is still recognised.
        end = start + len(held[start:].rstrip(b"\r\n"))
        if end > start:
            events.append(Event(bytes(held[start:end]), None))
            self._fragmented = True
        return end

    def _data_of(self, raw: bytes) -> bytes:
        if not self._started:
            self._started = True
            raw = raw.removeprefix(_BOM)
        return data_of(raw)


def data_of(raw: bytes) -> bytes:
    """Return an event's data: its data lines joined by LF, without the field's name."""
    lines = []
    for line in raw.splitlines():
        if line.startswith(b"data:"):
            lines.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line == b"data":
            lines.append(b"")
    return lines[0] if len(lines) == 1 else b"\n".join(lines)
