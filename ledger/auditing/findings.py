"""What an audit found, and which of it comes first.

A finding has a place in a tree, or the place in its chain, or neither. Some evidence says
only that a stretch of the tree is wrong; where something more exact lies within, that is
what is named first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

FINDINGS_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is wrong. With ``until``, it is at one of the indexes before that."""

    wrong: str
    epoch: int | None = None
    index: int | None = None
    until: int | None = None
    entry_id: str = ""
    stream: str = ""
    writer: str = ""
    seq: int = 0
    ordinal: int = 0

    @property
    def order(self) -> tuple[int, int, int]:
        """Sequenced entries come by their index, then the others as they were met."""
        if self.epoch is None or self.index is None:
            return 2**31, 0, self.ordinal
        return self.epoch, self.index, self.ordinal

    def has_within(self, other: Found) -> bool:
        """Say whether the other is a more exact word on this stretch."""
        return (
            self.until is not None
            and other.until is None
            and self.epoch == other.epoch
            and self.index is not None
            and other.index is not None
            and self.index <= other.index < self.until
        )

    def __str__(self) -> str:
        parts = []
        if self.index is not None and self.until is not None and self.until > self.index + 1:
            parts.append(f"epoch {self.epoch}, an index from {self.index} to {self.until - 1}")
        elif self.index is not None:
            parts.append(f"epoch {self.epoch}, index {self.index}")
        if self.entry_id or self.stream:
            parts.append(
                f"entry {self.entry_id or '(missing)'} in stream {self.stream},"
                f" writer {self.writer}, seq {self.seq}"
            )
        return f"{'; '.join(parts) or 'the ledger'}: {self.wrong}"


@dataclass(slots=True)
class Findings:
    """The first hundred findings, and how many there are."""

    bad: int = 0
    kept: list[Found] = field(default_factory=list)

    def add(self, found: Found) -> None:
        self.bad += 1
        self.kept.append(found)
        if len(self.kept) > 2 * FINDINGS_KEPT:
            self.kept = sorted(self.kept, key=lambda one: one.order)[:FINDINGS_KEPT]

    def ordered(self) -> tuple[Found, ...]:
        """Return them in their order, what is exact before the stretch it lies in."""
        return in_order(self.kept)[:FINDINGS_KEPT]


def in_order(found: Iterable[Found]) -> tuple[Found, ...]:
    """Order findings: by place, an exact one before the stretch that it makes exact."""
    rest = sorted(found, key=lambda one: one.order)
    ordered: list[Found] = []
    while rest:
        exact = next((one for one in rest if rest[0].has_within(one)), rest[0])
        rest.remove(exact)
        ordered.append(exact)
    return tuple(ordered)
