"""How long calls took, as counts between fixed bounds; and what percentile of them is where.

Owns the bounds. They grow by a sixth each, so a percentile is known to within that. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

_FIRST: Final = 20.0  # milliseconds
_GROWTH: Final = 7 / 6
_LAST: Final = 600_000.0


def _bounds() -> tuple[int, ...]:
    found, bound = [], _FIRST
    while bound < _LAST:
        found.append(round(bound))
        bound *= _GROWTH
    return (*found, round(_LAST))


BOUNDS: Final = _bounds()


def percentile(counts: Sequence[int], share: float) -> int | None:
    """Return how long at most this share of calls took; None where there are none."""
    total = sum(counts)
    if not total:
        return None
    wanted, seen = share * total, 0
    edges = (0, *BOUNDS, BOUNDS[-1])
    for count, (low, high) in zip(counts, pairwise(edges), strict=False):
        if count and seen + count >= wanted:
            return round(low + (high - low) * (wanted - seen) / count)
        seen += count
    return BOUNDS[-1]


def low_of(counts: Sequence[int], share: float, confidence: float) -> int | None:
    """Return what a percentile is at least, two-sidedly sure; None where nothing is known.

    By order statistics, so whatever the times are like: how many calls lie beyond the percentile
    is binomial.
    """
    total, tail = sum(counts), (1 - confidence) / 2
    # The one of rank r is not above the percentile unless total - r + 1 or more lie beyond it.
    sure, beyond = 0.0, -1
    while beyond < total and sure < 1 - tail:
        beyond += 1
        sure += _likely(beyond, total, 1 - share)
    return _edges_of(counts, total - beyond)[0] if beyond < total else None


def high_of(counts: Sequence[int], share: float, confidence: float) -> int | None:
    """Return what a percentile is at most; None where the calls are too few to say."""
    total, tail = sum(counts), (1 - confidence) / 2
    beyond, left = -1, 0.0
    while left <= tail and beyond < total:
        beyond += 1
        left += _likely(beyond, total, 1 - share)
    # That fewer than `beyond` lie beyond the percentile is no likelier than the tail.
    return _edges_of(counts, total - beyond + 1)[1] if 0 < beyond <= total else None


def _likely(hits: int, count: int, share: float) -> float:
    ways = math.lgamma(count + 1) - math.lgamma(hits + 1) - math.lgamma(count - hits + 1)
    return math.exp(ways + hits * math.log(share) + (count - hits) * math.log1p(-share))


def _edges_of(counts: Sequence[int], rank: int) -> tuple[int, int]:
    """Return the bounds between which the call of a rank lies, the first being 1."""
    seen = 0
    for count, edges in zip(counts, pairwise((0, *BOUNDS, BOUNDS[-1])), strict=False):
        seen += count
        if seen >= rank:
            return edges
    return BOUNDS[-1], BOUNDS[-1]


def added(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Return the counts of both."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    return [
        count + (shorter[place] if place < len(shorter) else 0)
        for place, count in enumerate(longer)
    ]
