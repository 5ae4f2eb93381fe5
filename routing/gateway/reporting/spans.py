"""A span as it came, whatever it was encoded in.

Owns how much of one is read: so many values, so deep. What is beyond is left out, and the
span says so; the other spans of its batch are not worse for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

VALUES: Final = 4000  # of one span, nested ones counted
DEEPEST: Final = 16
EVENTS: Final = 200
CUT: Final = "[cut]"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened during a span."""

    name: str
    at_ns: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """Who made spans: an instrumentation, in a service."""

    name: str = ""
    version: str = ""
    resource: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Span:
    """What somebody says they did. Ids are lower-case hex; times are nanoseconds, 0 for none."""

    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    name: str = ""
    kind: int = 0
    started_ns: int = 0
    ended_ns: int = 0
    status: int = 0  # 1 ok, 2 error
    status_message: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    scope: Scope = field(default_factory=Scope)
    is_cut: bool = False

    @property
    def is_named(self) -> bool:
        """Tell whether its ids are ids: 16 and 8 bytes, not all zero."""
        return _is_id(self.trace_id, 32) and _is_id(self.span_id, 16)


class Allowance:
    """How many values may still be read of one span."""

    __slots__ = ("is_spent", "left")

    def __init__(self, left: int = VALUES) -> None:
        self.left = left
        self.is_spent = False

    def take(self, deep: int) -> bool:
        """Tell whether one more may be read, so deep."""
        self.left -= 1
        if self.left < 0 or deep > DEEPEST:
            self.is_spent = True
            return False
        return True


def _is_id(text: str, length: int) -> bool:
    return len(text) == length and text.strip("0") != "" and not text.strip("0123456789abcdef")
