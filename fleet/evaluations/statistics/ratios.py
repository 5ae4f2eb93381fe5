"""Ratios of cost and time, with intervals from resampled runs.

Runs are drawn again, not steps: what happens in one run belongs together. The draw is seeded,
so the same rows give the same interval on every machine.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Final

from fleet.evaluations.statistics.shares import Interval

DRAWS: Final = 2000
# Of each run: what the first side and the second add up to, and of how many steps.
Sums = tuple[float, float, float]


def ratio_of_sums(
    runs: Sequence[Sums], *, seed: str, confidence: float = 0.95, draws: int = DRAWS
) -> Interval | None:
    """Return what the second side comes to for each unit of the first; None without any."""
    if math.fsum(first for first, _, _ in runs) <= 0:
        return None

    def made(first: float, second: float, _: float) -> float:
        return second / first if first > 0 else math.inf

    return _bootstrapped(runs, made, seed, confidence, draws)


def ratio_of_times(
    runs: Sequence[Sums], *, seed: str, confidence: float = 0.95, draws: int = DRAWS
) -> Interval | None:
    """Return the geometric mean of the steps' ratios, from sums of their logarithms.

    Each of ``runs`` is the sum of log(first), of log(second), and the number of steps. One
    call that hung counts once: it does not stand for all.
    """
    if math.fsum(count for _, _, count in runs) <= 0:
        return None

    def made(first: float, second: float, count: float) -> float:
        return math.exp((second - first) / count) if count else math.inf

    return _bootstrapped(runs, made, seed, confidence, draws)


def _bootstrapped(
    runs: Sequence[Sums],
    made: Callable[[float, float, float], float],
    seed: str,
    confidence: float,
    draws: int,
) -> Interval:
    value = made(*_added(runs))
    if len(runs) < 2:
        return Interval(value, 0.0, math.inf)  # one run says nothing of the next
    chance = random.Random(seed)  # noqa: S311  reproducible, and nobody's secret
    found = sorted(made(*_added(chance.choices(runs, k=len(runs)))) for _ in range(draws))
    tail = (1 - confidence) / 2
    return Interval(
        value, found[math.floor(tail * (draws - 1))], found[math.ceil((1 - tail) * (draws - 1))]
    )


def _added(runs: Sequence[Sums]) -> Sums:
    return (
        math.fsum(first for first, _, _ in runs),
        math.fsum(second for _, second, _ in runs),
        math.fsum(count for _, _, count in runs),
    )
