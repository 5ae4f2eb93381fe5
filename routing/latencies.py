"""How long calls took, as counts between fixed bounds; and what percentile of them is where.

Owns the bounds. They grow by a sixth each, so a percentile is known to within that. Pure.
"""

from __future__ import annotations

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


def added(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Return the counts of both."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    return [
        count + (shorter[place] if place < len(shorter) else 0)
        for place, count in enumerate(longer)
    ]
