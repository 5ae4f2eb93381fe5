"""Shares and their differences, with intervals that hold for few cases and at 0 and 100 %.

Owns three methods, each from its paper: Wilson's score interval (1927), Newcombe's interval for
paired differences (1998, method 10), and McNemar's exact test (1947). Figures in, figures
out; nothing here knows what was counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

_MOST: Final = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and what it may be as well."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Paired:
    """Pairs by how the two sides did: both, the first only, the second only, neither."""

    both: float
    first: float
    second: float
    neither: float

    @property
    def count(self) -> float:
        return self.both + self.first + self.second + self.neither

    def scaled(self, factor: float) -> Paired:
        return Paired(
            self.both * factor, self.first * factor, self.second * factor, self.neither * factor
        )


def z_of(confidence: float) -> float:
    """Return how many standard deviations a two-sided confidence spans."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(hits: float, count: float, confidence: float = 0.95) -> Interval:
    """Return a share with Wilson's score interval; of nothing, nothing is known."""
    if count <= 0:
        return Interval(0.0, 0.0, 1.0)
    z = z_of(confidence)
    share, square = hits / count, z * z / count
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * math.sqrt(share * (1 - share) / count + square / count / 4)
    low = 0.0 if hits <= 0 else max(0.0, middle - half)
    high = 1.0 if hits >= count else min(1.0, middle + half)
    return Interval(share, low, high)


def difference(pairs: Paired, confidence: float = 0.95) -> Interval:
    """Return by how much the second side's share exceeds the first's (Newcombe's method 10).

    It is wide where nothing differs and cases are few: no difference seen is none proven.
    """
    count = pairs.count
    if count <= 0:
        return Interval(0.0, -1.0, 1.0)
    first = wilson(pairs.both + pairs.first, count, confidence)
    second = wilson(pairs.both + pairs.second, count, confidence)
    found = second.value - first.value
    phi = _phi(pairs)
    below = _spread(second.value - second.low, first.high - first.value, phi)
    above = _spread(second.high - second.value, first.value - first.low, phi)
    return Interval(found, max(-1.0, found - below), min(1.0, found + above))


def mcnemar(first: int, second: int) -> float:
    """Return how likely such unlike pairs are if neither side is better (exact, two-sided)."""
    count = first + second
    if count == 0:
        return 1.0
    least = min(first, second)
    logs = [
        math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
        for k in range(least + 1)
    ]
    tail = math.fsum(math.exp(one - count * math.log(2)) for one in logs)
    return min(1.0, 2 * tail)


def design_effect(clusters: list[tuple[float, float]]) -> float:
    """Return how much less cases say that come in clusters: (hits, count) of each run.

    Steps of one run are alike, so two hundred steps of ten runs are not two hundred cases. It
    is the variance of the share over runs beside that of as many single cases; never below 1.
    """
    many = [(hits, count) for hits, count in clusters if count > 0]
    total = math.fsum(count for _, count in many)
    if len(many) < 2 or total <= len(many):
        return 1.0
    share = math.fsum(hits for hits, _ in many) / total
    alone = share * (1 - share) / total
    if alone <= 0:
        return 1.0
    spread = math.fsum((hits - share * count) ** 2 for hits, count in many)
    between = len(many) / (len(many) - 1) * spread / (total * total)
    return max(1.0, between / alone)


def _phi(pairs: Paired) -> float:
    """Return how the two sides go together, corrected for few pairs."""
    hits, misses = pairs.both + pairs.first, pairs.second + pairs.neither
    mine, others = pairs.both + pairs.second, pairs.first + pairs.neither
    margins = hits * misses * mine * others
    if margins <= 0:
        return 0.0
    product = pairs.both * pairs.neither - pairs.first * pairs.second
    count = pairs.count
    if product > count / 2:
        product -= count / 2
    elif product >= 0:
        product = 0.0
    return product / math.sqrt(margins)


def _spread(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def scale_to_clear(
    pairs: Paired, bound: float, confidence: float, *, above: bool = False
) -> float | None:
    """Return how many times as many such pairs would settle a bound; None when none would.

    With ``above`` the difference must stay below the bound, else above its negative.
    """
    factor = 1.0
    while pairs.count * factor < _MOST:
        if settles(difference(pairs.scaled(factor), confidence), bound, above=above):
            return factor
        factor *= 1.1
    return None


def settles(found: Interval, bound: float, *, above: bool) -> bool:
    """Tell whether an interval lies wholly on one side of a bound."""
    edge = bound if above else -bound
    return found.low >= edge or found.high <= edge
