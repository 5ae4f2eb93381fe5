"""The ways by which something stopped could still act, and what each says of itself.

Owns the port: whoever keeps something that could still move (a queue of proposals, a
lease) registers a path, and no stop is called contained before every path has said so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from routing.queries.stops import Subject

CONTAINED: Final = "contained"
OPEN: Final = "open"
BEYOND: Final = "beyond_reach"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one path was found to be: closed, open, or out of anybody's reach."""

    path: str
    state: str
    detail: str
    advice: str = ""
    open: int = 0
    milliseconds: int = 0

    def facts(self) -> dict[str, Any]:
        return {
            "path": self.path, "state": self.state, "detail": self.detail,
            "advice": self.advice, "open": self.open, "milliseconds": self.milliseconds,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Probe:
    """What is looked for, and until when; ``tell`` hears of each piece of evidence."""

    subject: Subject
    stop_id: str
    seconds: float
    tell: Callable[[Evidence], None] = lambda _: None


class ContainmentPath(Protocol):
    """One way to act."""

    def probe(self, probe: Probe) -> list[Evidence]:
        """Return what was found before the time was over."""


class _Registered:
    paths: tuple[ContainmentPath, ...] = ()


def register_paths(*paths: ContainmentPath) -> None:
    """Say which paths there are; the last saying holds."""
    _Registered.paths = paths


def registered_paths() -> tuple[ContainmentPath, ...]:
    """Return every path."""
    return _Registered.paths
