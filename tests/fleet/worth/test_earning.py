"""The arithmetic of worth: intervals hold, money adds up, and weeks count in a row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from effects.launch.figures import Share
from fleet.worth.earning import Costs, Outcomes, bounds, earned, weeks_negative

numbers = st.integers(0, 400)
outcomes = st.builds(
    Outcomes, st.just("erp.post"), numbers, numbers, st.just(0), numbers, numbers,
    st.integers(0, 10**9),
)  # fmt: skip


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_its_share_and_is_that_of_whole_counts(part: int, more: int) -> None:
    whole = part + more
    lower, upper = bounds(part, whole)
    assert 0 <= lower <= upper <= 1
    if whole:
        assert lower <= part / whole <= upper
        share = Share(part, whole)
        assert abs(lower - share.lower) < 1e-9
        assert abs(upper - share.upper) < 1e-9


@given(st.integers(1, 100), st.integers(0, 100))
def test_more_of_the_same_makes_an_interval_narrower(part: int, more: int) -> None:
    few, many = bounds(part, part + more), bounds(10 * part, 10 * (part + more))
    assert many[1] - many[0] <= few[1] - few[0] + 1e-9


@given(outcomes, st.integers(0, 10**9))
def test_earned_value_lies_in_its_interval_and_falls_with_cost(one: Outcomes, cost: int) -> None:
    found = earned([one], Costs(cost))
    assert found is not None
    assert found.lower_micros <= found.value_micros <= found.upper_micros
    free = earned([one], Costs())
    assert free is not None
    assert abs(free.value_micros - found.value_micros - cost) <= 1
    assert found.is_measured == bool(one.decided)


def test_without_a_declared_value_there_is_none() -> None:
    assert earned([Outcomes("erp.post", accepted=5)], Costs(100)) is None


def test_a_run_stands_in_only_where_no_action_has_a_value_and_is_not_measured() -> None:
    runs = Outcomes("run", accepted=10, value_micros=100)
    alone = earned([Outcomes("erp.post", accepted=3)], Costs(), runs)
    assert alone is not None
    assert (alone.value_micros, alone.is_measured) == (1000, False)
    valued = earned([Outcomes("erp.post", accepted=3, value_micros=7)], Costs(), runs)
    assert valued is not None
    assert (valued.value_micros, valued.is_measured) == (21, True)


def test_what_was_corrected_counts_by_what_was_kept() -> None:
    one = Outcomes("erp.post", accepted=1, edited=2, kept_permille=1500, value_micros=100)
    found = earned([one], Costs())
    assert found is not None
    assert found.value_micros == 250


def test_weeks_below_cost_count_back_from_the_newest_and_quiet_ones_break_nothing() -> None:
    assert weeks_negative([-1, 5, -1, None, -1, -2, None]) == 3
    assert weeks_negative([-1, -1, 0]) == 0
    assert weeks_negative([None, None]) == 0
