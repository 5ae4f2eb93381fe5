"""The arithmetic of a soft launch, pure: counts in, shares with their honest width out.

A share of few decisions says little, so each comes with its Wilson interval (95 %): ten of
ten approved may still be an agent that people correct one time in four.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Z: Final = 1.959963984540054  # of a two-sided interval of 95 %


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, and between which shares the truth lies (95 %)."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        return self.part / self.whole if self.whole else None

    @property
    def lower(self) -> float:
        return self._bound(-1)

    @property
    def upper(self) -> float:
        return self._bound(1)

    def _bound(self, sign: int) -> float:
        if not self.whole:
            return 0.0 if sign < 0 else 1.0
        share, squared = self.part / self.whole, Z * Z
        middle = share + squared / (2 * self.whole)
        width = Z * math.sqrt(
            share * (1 - share) / self.whole + squared / (4 * self.whole * self.whole)
        )
        found = (middle + sign * width) / (1 + squared / self.whole)
        return min(max(found, 0.0), 1.0)

    def facts(self) -> dict[str, Any]:
        """As evidence keeps it: counts, and shares in thousandths."""
        return {
            "part": self.part,
            "whole": self.whole,
            "permille": None if self.value is None else round(1000 * self.value),
            "lower_permille": math.floor(1000 * self.lower),
            "upper_permille": math.ceil(1000 * self.upper),
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """One action that people decided on, as far as figures need it."""

    operation: str
    answer: str  # approved, edited, rejected
    seconds: float
    paths: Share | None = None  # of an edited one: leaves of the arguments that differ
    words: Share | None = None  # of an edited one: words of its texts that differ


@dataclass(frozen=True, slots=True)
class Figures:
    """What people made of an agent's actions, of one operation or of all."""

    operation: str
    decided: int = 0
    approved: int = 0  # unchanged
    edited: int = 0
    rejected: int = 0
    expired: int = 0  # nobody answered in time: no decision, and shown for that
    refused: int = 0  # by policy or a check, before anybody was asked
    waiting: int = 0
    paths: Share = field(default_factory=lambda: Share(0, 0))
    words: Share = field(default_factory=lambda: Share(0, 0))
    ended: int = 0  # effects that ended, whoever decided
    failed: int = 0  # of them failed, or not known
    half_seconds: float | None = None  # to a decision: p50
    most_seconds: float | None = None  # p90

    @property
    def agreement(self) -> Share:
        return Share(self.approved, self.decided)

    @property
    def errors(self) -> Share:
        return Share(self.failed, self.ended)

    @property
    def half_milliseconds(self) -> float | None:
        return None if self.half_seconds is None else 1000 * self.half_seconds

    @property
    def most_milliseconds(self) -> float | None:
        return None if self.most_seconds is None else 1000 * self.most_seconds

    def share_of(self, answer: str) -> Share:
        return Share(int(getattr(self, answer)), self.decided)

    def facts(self) -> dict[str, Any]:
        """As a review keeps it: whole numbers only."""
        return {
            "operation": self.operation,
            "decided": self.decided,
            "approved": self.approved,
            "edited": self.edited,
            "rejected": self.rejected,
            "expired": self.expired,
            "refused": self.refused,
            "agreement": self.agreement.facts(),
            "errors": self.errors.facts(),
            "paths": self.paths.facts(),
            "words": self.words.facts(),
            "half_seconds": _whole(self.half_seconds),
            "most_seconds": _whole(self.most_seconds),
        }


def figures_of(
    operation: str, judged: Sequence[Judged], counted: dict[str, int] | None = None
) -> Figures:
    """Add up decisions; ``counted`` brings what is no decision (expired, refused, effects)."""
    answers = [one.answer for one in judged]
    seconds = sorted(one.seconds for one in judged)
    return Figures(
        operation=operation,
        decided=len(judged),
        approved=answers.count("approved"),
        edited=answers.count("edited"),
        rejected=answers.count("rejected"),
        paths=_sum(one.paths for one in judged),
        words=_sum(one.words for one in judged),
        half_seconds=percentile(seconds, 50),
        most_seconds=percentile(seconds, 90),
        **(counted or {}),
    )


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """Return the nearest-rank percentile of ordered values; None of none."""
    if not ordered:
        return None
    return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1]


def _sum(shares: Iterable[Share | None]) -> Share:
    known = [share for share in shares if share is not None]
    return Share(sum(one.part for one in known), sum(one.whole for one in known))


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)
