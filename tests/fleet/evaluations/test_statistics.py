"""Figures against values that are known from elsewhere, and properties that hold for any."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.evaluations.statistics.ratios import ratio_of_sums, ratio_of_times
from fleet.evaluations.statistics.shares import (
    Paired,
    design_effect,
    difference,
    mcnemar,
    scale_to_clear,
    wilson,
)

counts = st.integers(0, 60)
pairs = st.builds(Paired, counts, counts, counts, counts).filter(lambda one: one.count > 0)


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        # As scipy 1.14 gives them, by binomtest and its method wilson.
        (8, 10, 0.490162, 0.943318),
        (0, 10, 0.0, 0.277533),
        (10, 10, 0.722467, 1.0),
        (50, 100, 0.403832, 0.596168),
    ],
)
def test_wilsons_interval_is_that_of_others(hits, count, low, high):
    found = wilson(hits, count)
    assert found.low == pytest.approx(low, abs=1e-6)
    assert found.high == pytest.approx(high, abs=1e-6)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    # As scipy 1.14 gives them, by binomtest of the smaller of both.
    [(2, 10, 0.03857421875), (0, 5, 0.0625), (3, 3, 1.0), (0, 0, 1.0), (1, 9, 0.021484375)],
)
def test_mcnemars_test_is_exact(first, second, p):
    assert mcnemar(first, second) == pytest.approx(p)
    assert mcnemar(second, first) == pytest.approx(p)


def test_no_difference_seen_is_none_proven():
    few, many = difference(Paired(10, 0, 0, 0)), difference(Paired(1000, 0, 0, 0))
    assert few.value == many.value == 0
    assert few.low == pytest.approx(-0.277533, abs=1e-6)  # what Wilson knows of ten of ten
    assert many.low > -0.004


@given(pairs)
def test_a_difference_lies_within_its_interval_and_mirrors(found):
    one = difference(found)
    other = difference(Paired(found.both, found.second, found.first, found.neither))
    assert -1 <= one.low <= one.value + 1e-9
    assert one.value - 1e-9 <= one.high <= 1
    assert other.value == pytest.approx(-one.value)
    assert other.low == pytest.approx(-one.high, abs=1e-9)


@given(pairs)
def test_ten_times_as_many_narrow_it(found):
    one, more = difference(found), difference(found.scaled(10))
    assert more.high - more.low <= one.high - one.low + 1e-9


def test_how_many_more_would_settle_it_is_told_or_that_none_would():
    few = Paired(20, 0, 0, 0)
    factor = scale_to_clear(few, 0.05, 0.95)
    assert factor is not None
    assert difference(few.scaled(factor)).low >= -0.05
    assert difference(few.scaled(factor / 1.2)).low < -0.05
    at_the_bound = Paired(95, 5, 0, 0)  # five points worse, and five are allowed
    assert scale_to_clear(at_the_bound, 0.05, 0.95) is None


def test_steps_that_go_together_count_as_fewer():
    alone = [(1.0, 1.0), (0.0, 1.0)] * 20
    together = [(10.0, 10.0), (0.0, 10.0)] * 5
    assert design_effect(alone) == 1.0
    assert design_effect(together) > 9
    assert design_effect([(5.0, 5.0)]) == 1.0


def test_a_ratio_is_the_same_on_every_machine_and_of_runs():
    runs = [(float(10 + number), float(20 + 2 * number), 1.0) for number in range(20)]
    found = ratio_of_sums(runs, seed="s")
    assert found is not None
    assert found.value == found.low == found.high == pytest.approx(2.0)
    noisy = [(10.0, 10.0 + number % 7, 1.0) for number in range(40)]
    one, again = ratio_of_sums(noisy, seed="s"), ratio_of_sums(noisy, seed="s")
    assert one == again
    assert one is not None
    assert one.low < one.value < one.high
    alone = ratio_of_sums([(1.0, 3.0, 1.0)], seed="s")
    assert alone is not None
    assert alone.high == math.inf
    assert ratio_of_sums([(0.0, 3.0, 1.0)], seed="s") is None


def test_one_call_that_hung_does_not_stand_for_all():
    usual = [(math.log(100), math.log(100), 1.0)] * 99
    found = ratio_of_times([*usual, (math.log(100), math.log(600_000), 1.0)], seed="s")
    assert found is not None
    assert found.value < 1.1
