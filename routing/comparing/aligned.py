"""Two sequences laid side by side: what they share in order, and what stands between.

Owns the longest common subsequence (its length is exact up to `LARGEST` cells; beyond that the
standard library's matcher finds a good one). What is left between two shared steps is paired
in order, because a step that was changed says more than one that went and one that came.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final

LARGEST: Final = 4_000_000
Pair = tuple[int | None, int | None]


def aligned(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[Pair]:
    """Return pairs of places: both where steps belong together, one where it stands alone."""
    pairs: list[Pair] = []
    left = right = 0
    for i, j in [*_shared(one, other), (len(one), len(other))]:
        pairs += _between(range(left, i), range(right, j))
        if i < len(one):
            pairs.append((i, j))
        left, right = i + 1, j + 1
    return pairs


def _between(one: range, other: range) -> Iterator[Pair]:
    for place in range(max(len(one), len(other))):
        yield (
            one[place] if place < len(one) else None,
            other[place] if place < len(other) else None,
        )


def _shared(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[tuple[int, int]]:
    if len(one) * len(other) > LARGEST:
        matcher = SequenceMatcher(None, one, other, autojunk=False)
        blocks = matcher.get_matching_blocks()
        return [(a + k, b + k) for a, b, size in blocks for k in range(size)]
    lengths = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i in range(len(one) - 1, -1, -1):
        row, below = lengths[i], lengths[i + 1]
        for j in range(len(other) - 1, -1, -1):
            is_same = one[i] == other[j]
            row[j] = below[j + 1] + 1 if is_same else max(below[j], row[j + 1])
    return _walked(one, other, lengths)


def _walked(
    one: Sequence[Hashable], other: Sequence[Hashable], lengths: list[list[int]]
) -> list[tuple[int, int]]:
    found, i, j = [], 0, 0
    while i < len(one) and j < len(other):
        if one[i] == other[j]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return found
