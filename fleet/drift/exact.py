"""When golden cases tell of a change: an exact test, so that few answers cannot cry wolf.

A plan's newest round, its newest three and its newest seven are each held against the rounds
before them, at most four weeks. Under no change every round could have been any other, so the
chance of a split as uneven is counted and not approximated (Fisher, one-sided). Each of the three
looks may err once in 3,000: a figure that has not changed raises an alarm less than once in
1,000 rounds, however few the cases, as long as rounds do not depend on each other.

Times and costs are compared by the median test: how many of the newest lie above the median of
their own case over both sides. It must also be a rise that somebody would notice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median
from typing import Final

from fleet.drift.detecting import Share

FALSE_ALARMS: Final = 1 / 1000  # a round and figure
WINDOWS: Final = (1, 3, 7)
LEAST_ROUNDS: Final = 3  # to compare with
_BOUND: Final = FALSE_ALARMS / len(WINDOWS)


@dataclass(frozen=True, slots=True)
class Told:
    """One answer: in which round, to which case, and the figure (a fault is 1)."""

    round: int
    case: int
    value: float


@dataclass(frozen=True, slots=True)
class Rise:
    """A figure that rose: from what to what, in how many answers, and how unlikely by chance."""

    before: float
    after: float
    answers: int
    others: int  # that it is compared with
    chance: float


def rarity(reference: Share, recent: Share) -> float:
    """Return how likely so many or more of what was found falls on the newest side by chance."""
    whole, part = reference.whole + recent.whole, reference.part + recent.part
    ways = comb(whole, recent.whole)
    most = min(part, recent.whole)
    found = sum(
        comb(part, many) * comb(whole - part, recent.whole - many)
        for many in range(recent.part, most + 1)
    )
    return found / ways if ways else 1.0


def share_rise(told: Sequence[Told]) -> Rise | None:
    """Say whether faults became more."""
    best: Rise | None = None
    for recent, reference in _splits(told):
        sides = [
            Share(int(sum(one.value for one in side)), len(side)) for side in (reference, recent)
        ]
        if sides[1].value <= sides[0].value:
            continue
        best = _rarer(best, sides, (sides[0].value, sides[1].value))
    return best


def level_rise(told: Sequence[Told], *, least: float) -> Rise | None:
    """Say whether a time or a cost is higher, by `least` times or more."""
    best: Rise | None = None
    for recent, reference in _splits(told):
        levels = _levels(recent, reference)
        if levels is None or levels[1] < least * levels[0]:
            continue
        middles = {case: median(values) for case, values in _by_case([*recent, *reference]).items()}
        above = [
            Share(sum(one.value > middles[one.case] for one in side), len(side))
            for side in (reference, recent)
        ]
        best = _rarer(best, above, levels)
    return best


def newest(told: Sequence[Told], rounds: int) -> list[Told]:
    """Return the answers of the newest rounds."""
    kept = set(sorted({one.round for one in told})[-rounds:])
    return [one for one in told if one.round in kept]


def _splits(told: Sequence[Told]) -> list[tuple[list[Told], list[Told]]]:
    rounds = sorted({one.round for one in told})
    splits = []
    for window in WINDOWS:
        if len(rounds) - window < LEAST_ROUNDS:
            break
        turn = rounds[-window]
        recent = [one for one in told if one.round >= turn]
        reference = [one for one in told if one.round < turn]
        # A case that only one side was asked compares nothing.
        shared = {one.case for one in recent} & {one.case for one in reference}
        sides = ([one for one in side if one.case in shared] for side in (recent, reference))
        splits.append((next(sides), next(sides)))
    return splits


def _levels(recent: list[Told], reference: list[Told]) -> tuple[float, float] | None:
    """Return the sums of the cases' medians on both sides: what a whole round takes."""
    after, before = _by_case(recent), _by_case(reference)
    if not after:
        return None
    return (
        sum(median(values) for values in before.values()),
        sum(median(values) for values in after.values()),
    )


def _by_case(told: list[Told]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = defaultdict(list)
    for one in told:
        found[one.case].append(one.value)
    return found


def _rarer(best: Rise | None, sides: list[Share], levels: tuple[float, float]) -> Rise | None:
    chance = rarity(*sides)
    if chance >= _BOUND or (best is not None and best.chance <= chance):
        return best
    return Rise(levels[0], levels[1], sides[1].whole, sides[0].whole, chance)
