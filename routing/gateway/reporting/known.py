"""What is known already of what an agent reports: a port, and what is asked through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Question:
    """Of one agent's steps: their keys, their traces, and by what its calls may be known."""

    agent_id: str
    keys: tuple[str, ...]
    traces: tuple[str, ...] = ()
    responses: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the gateway observed: its intent, and its run."""

    intent_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class Known:
    """The entry and run of each key that is there, a run for each trace, calls by either name."""

    entries: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)
    calls: Mapping[str, Call] = field(default_factory=dict)


class ReportIndex(Protocol):
    """What was reported and observed before."""

    async def look(self, question: Question) -> Known:
        """Return what is known now. Raises: NotGoverned."""
