"""What every adapter owes: a plan without secrets, one sending, and the truth about its end.

A plan is a pure function of connection, operation and arguments: the bytes that people decided
on are the bytes that leave. Three ends are told apart, and the third is never taken for the
second: done, surely not done, and not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from kernel.canonical import canonical, digest_bytes

# What a plan shows where something is filled in as it leaves: no text of an argument or a
# template can be either of them in a header, for both are outside ASCII.
SECRET_GAP: Final = "•••"  # noqa: S105  what stands in its place
FENCE_GAP: Final = "•#•"


@dataclass(frozen=True, slots=True)
class Place:
    """A connection as adapters know it: no row, no secret."""

    name: str
    settings: Mapping[str, Any]
    allow_private: bool = False
    gaps: tuple[str, ...] = ()  # what the credential fills: names of headers, or user and password


@dataclass(frozen=True, slots=True)
class Work:
    """An operation as adapters know it."""

    name: str
    template: Mapping[str, Any]
    lookup: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be on the wire, in parts that can be shown; a secret is a named gap in it."""

    parts: tuple[tuple[str, str], ...]  # (name, text), such as ("POST", "https://…"), ("body", …)

    @property
    def digest(self) -> str:
        return digest_bytes(canonical([list(part) for part in self.parts]))


class Ending(StrEnum):
    """What is known of a sending."""

    DONE = "done"
    NOT_DONE = "not_done"  # surely: the system said no, or nothing reached it
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sent:
    """How a sending or a look-up ended: a status and a reference, never content."""

    ending: Ending
    status: str
    reference: str = ""
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Lent:
    """What a lease puts on the wire: headers, or the user and password of a session."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str = ""
    password: str = field(default="", repr=False)


class Adapter(Protocol):
    """One kind of system. Knows no database of ours, and keeps nothing between calls."""

    name: str
    version: int

    def check_place(self, place: Place) -> None:
        """Raises: SettingsInvalid, naming the member."""
        ...

    def check_work(self, place: Place, work: Work) -> None:
        """Raises: SettingsInvalid, naming the member."""
        ...

    def plan(self, place: Place, work: Work, arguments: Mapping[str, Any], key: str) -> Plan:
        """Return the bytes without their secret. Raises: ArgumentsRefused."""
        ...

    def send(self, place: Place, plan: Plan, lent: Lent, *, key: str, fence: int) -> Sent:
        """Send once. Never raises for what the other side does: it says how that ended."""
        ...

    def probe(self, place: Place, lent: Lent) -> str:
        """Try to reach the system and to be let in, doing nothing there: "ok", or a status."""
        ...

    def look_up(
        self, place: Place, work: Work, arguments: Mapping[str, Any], lent: Lent, *, key: str
    ) -> Sent:
        """Ask whether it was done. UNKNOWN where the system cannot tell."""
        ...
