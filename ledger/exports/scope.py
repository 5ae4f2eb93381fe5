"""What an export holds, and the sizes of the trees it is measured against.

A plan is all that decides a file's bytes: whoever goes on with an export after a crash, or
makes it again, comes to the same ones. No Django, no database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kernel.clock import stamp

FORMAT: Final = "unsprawl.export/2"


@dataclass(frozen=True, slots=True)
class Range:
    """The leaves ``start`` ≤ index < ``end`` of one epoch's tree."""

    epoch: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class OneRun:
    """Every entry of a run's stream."""

    run: str

    def document(self) -> dict[str, Any]:
        return {"run": self.run}


@dataclass(frozen=True, slots=True)
class OneAgent:
    """Everything recorded of an agent, its runs included."""

    agent: str

    def document(self) -> dict[str, Any]:
        return {"agent": self.agent}


@dataclass(frozen=True, slots=True)
class Period:
    """All that was sequenced from one checkpoint to another, of each epoch."""

    ranges: tuple[Range, ...]
    begins_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Say whether nothing was sequenced in it."""
        return all(each.start == each.end for each in self.ranges)

    def document(self) -> dict[str, Any]:
        return {
            "period": {
                "from": stamp(self.begins_at) if self.begins_at else None,
                "to": stamp(self.ends_at) if self.ends_at else None,
                "ranges": [
                    {"epoch": each.epoch, "start": each.start, "end": each.end}
                    for each in self.ranges
                ],
            }
        }


Scope = OneRun | OneAgent | Period


def scope_from(document: Mapping[str, Any]) -> Scope:
    """Read a scope back as `document` writes it. Raises: ValueError."""
    match dict(document):
        case {"run": str(run)}:
            return OneRun(run)
        case {"agent": str(agent)}:
            return OneAgent(agent)
        case {"period": {"from": begins, "to": ends, "ranges": list(ranges)}}:
            cut = tuple(Range(each["epoch"], each["start"], each["end"]) for each in ranges)
            return Period(cut, _moment(begins), _moment(ends))
        case _:
            raise ValueError("not the scope of an export")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True, slots=True)
class Plan:
    """One file: its scope, and the sizes at which each epoch's checkpoint is stated in it."""

    scope: Scope
    payloads: bool
    exported_at: datetime
    sizes: tuple[tuple[int, tuple[int, ...]], ...]  # epoch, sizes upwards

    @property
    def heads(self) -> dict[int, int]:
        """The largest size of each epoch: the tree that the file's tiles belong to."""
        return {epoch: sizes[-1] for epoch, sizes in self.sizes}

    def document(self) -> dict[str, Any]:
        return {
            "scope": self.scope.document(),
            "payloads": self.payloads,
            "exported_at": stamp(self.exported_at),
            "sizes": [[epoch, list(sizes)] for epoch, sizes in self.sizes],
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Plan:
        """Read a plan back. Raises: ValueError."""
        return cls(
            scope_from(document["scope"]),
            bool(document["payloads"]),
            datetime.fromisoformat(document["exported_at"]),
            tuple((epoch, tuple(sizes)) for epoch, sizes in document["sizes"]),
        )


def joined(sizes: Iterable[tuple[int, int]]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Gather (epoch, size) pairs into the form a plan keeps, each once and in order."""
    found: dict[int, set[int]] = {}
    for epoch, size in sizes:
        found.setdefault(epoch, set()).add(size)
    return tuple((epoch, tuple(sorted(found[epoch]))) for epoch in sorted(found))
