"""What was said to a model and by it, laid out for reading.

Takes bytes that somebody outside wrote: whatever they are, they come out as plain text of
a bounded length, and nothing in them is acted upon.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from routing.spoken import LONGEST, Message, Part, offered_in, settings_in, turns_of
from routing.streamed import turns_in

__all__ = ["LONGEST", "Message", "Part", "Said", "read_said"]

MOST_EVENTS: Final = 500
# What nobody reads: long runs of base64, as pictures and files are sent.
_BULK: Final = re.compile(r"[A-Za-z0-9+/_-]{1000,}={0,2}")


@dataclass(frozen=True, slots=True)
class Said:
    """A payload as people read it."""

    kind: str  # json, events, text, bytes
    size: int
    text: str
    is_cut: bool = False
    messages: list[Message] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)  # that a request offers
    settings: dict[str, str] = field(default_factory=dict)


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
        document: Any = json.loads(text)
        pretty = _without_bulk(json.dumps(document, indent=2, ensure_ascii=False))
        turns = turns_of(document)
    except (ValueError, RecursionError):
        return Said("text", len(raw), text[:LONGEST], is_cut=len(text) > LONGEST)
    return Said(
        "json", len(raw), pretty[:LONGEST], len(pretty) > LONGEST, turns,
        offered_in(document), settings_in(document),
    )  # fmt: skip


def _events(text: str, size: int) -> Said:
    lines = text.splitlines()
    shown = _without_bulk("\n".join(lines[:MOST_EVENTS]))
    is_cut = len(lines) > MOST_EVENTS or len(shown) > LONGEST
    return Said("events", size, shown[:LONGEST], is_cut, turns_in(lines))


def _without_bulk(text: str) -> str:
    return _BULK.sub(lambda found: f"[{len(found[0])} characters of base64 left out]", text)
