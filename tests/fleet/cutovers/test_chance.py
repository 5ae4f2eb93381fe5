"""How often a target that is no worse is brought back, by a simulation that is drawn anew alike."""

from __future__ import annotations

import os
import random
from bisect import bisect_right
from collections.abc import Iterator
from math import comb

from fleet.cutovers.judging import breaches, fails_grossly
from fleet.cutovers.plan import LIMITS
from routing.arm_sums import Sums
from routing.latencies import BOUNDS, high_of, low_of

NONE = Sums()
STEPS = int(os.environ.get("UNSPRAWL_SOAK_CUTOVER_STEPS", "30"))


def step_of(
    chance: random.Random, failing: float, beside: float, *, calls: int = 800, slower: float = 1.0
) -> Iterator[tuple[Sums, Sums]]:
    """Yield both arms of one step, looked at again and again while the calls come."""
    source, target = Sums(latencies=[0] * 80), Sums(latencies=[0] * 80)
    for number in range(1, calls + 1):
        for sums, share, times in ((source, beside, 1.0), (target, failing, slower)):
            sums.calls += 1
            if chance.random() < share:
                sums.errors += 1
            else:
                took = times * chance.lognormvariate(6, 1)
                sums.latencies[bisect_right(BOUNDS, took)] += 1
            sums.cost_micros += round(100 * chance.lognormvariate(0, 1))
        if number % 40 == 20:
            yield source, target


def brought_back(failing: float, beside: float, *, slower: float = 1.0, steps: int = STEPS) -> int:
    """Return of how many steps one is ended by its figures."""
    chance = random.Random(8)  # noqa: S311  drawn alike each time
    return sum(
        any(
            breaches(source, target, NONE, LIMITS)
            for source, target in step_of(chance, failing, beside, slower=slower)
        )
        for _ in range(steps)
    )


def test_a_target_as_good_as_its_source_is_not_brought_back_by_looking_often() -> None:
    assert brought_back(0.01, 0.01) == 0
    # As bad as the limit allows, which is the likeliest to pass it: one of a hundred is promised.
    assert brought_back(0.03, 0.01, slower=1.9) <= max(1, STEPS // 50)


def test_a_target_beyond_its_limit_is_brought_back_before_the_step_ends() -> None:
    assert brought_back(0.15, 0.01, steps=5) == 5
    assert brought_back(0.01, 0.01, slower=10.0, steps=5) == 5


def test_fourteen_days_of_last_minutes_bring_nobody_back_by_chance() -> None:
    before, windows = Sums(calls=3000, errors=30), 14 * 24 * 12
    for calls in (20, 40, 60):
        gross = next(
            errors
            for errors in range(calls + 1)
            if fails_grossly(before, Sums(calls=calls, errors=errors), NONE, LIMITS)
        )
        for share in (0.01, 0.05):
            ways = (
                comb(calls, errors) * share**errors * (1 - share) ** (calls - errors)
                for errors in range(gross, calls + 1)
            )
            assert windows * sum(ways) < 0.001, (calls, gross, share)


def test_a_target_that_is_down_is_found_in_twenty_calls() -> None:
    before = Sums(calls=3000, errors=30)
    (found,) = fails_grossly(before, Sums(calls=20, errors=20), NONE, LIMITS)
    assert found.limit == "error_rise"
    assert fails_grossly(before, Sums(calls=19, errors=19), NONE, LIMITS) == []
    (fell,) = fails_grossly(before, NONE, Sums(calls=20), LIMITS)
    assert fell.limit == "fell_back_share"


def test_a_percentile_of_few_calls_is_known_from_one_side_only() -> None:
    few = [0] * 10 + [40]
    assert low_of(few, 0.95, 0.99) == BOUNDS[9]
    assert high_of(few, 0.95, 0.99) is None
    many = [0] * 10 + [200]
    assert high_of(many, 0.95, 0.99) == BOUNDS[10]
    assert (low_of([], 0.95, 0.99), high_of([], 0.95, 0.99)) == (None, None)
