"""The exact test cries wolf no more often than it says, and sees a change within a few rounds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.drift.detecting import Share
from fleet.drift.exact import FALSE_ALARMS, Told, level_rise, rarity, share_rise


def told(rounds: int, cases: int, value: object) -> list[Told]:
    return [
        Told(at, case, float(value(at, case)))  # type: ignore[operator]
        for at in range(rounds)
        for case in range(cases)
    ]


@pytest.mark.parametrize("cases", [1, 3, 20])
@pytest.mark.parametrize("chance", [0.02, 0.3])
def test_rounds_that_have_not_changed_alarm_no_more_often_than_is_said(
    cases: int, chance: float
) -> None:
    luck = random.Random(f"{cases}/{chance}")  # noqa: S311  the same luck every time
    looks, alarms = 250, 0
    for _ in range(looks):
        faults = told(28, cases, lambda *_: luck.random() < chance)
        times = told(28, cases, lambda _, case: luck.lognormvariate(case, 0.6))
        alarms += share_rise(faults) is not None
        alarms += level_rise(times, least=1.25) is not None
    assert alarms <= max(1, 2 * 2 * looks * FALSE_ALARMS)


@pytest.mark.parametrize(("cases", "rounds"), [(1, 7), (3, 3), (5, 1), (20, 1)])
def test_cases_that_all_begin_to_fail_are_seen_within_so_many_rounds(
    cases: int, rounds: int
) -> None:
    rise = share_rise(told(20 + rounds, cases, lambda at, _: at >= 20))
    assert rise is not None
    assert rise.after == 1.0
    assert rise.chance < FALSE_ALARMS / 3


def test_a_third_slower_is_seen_by_three_cases_in_a_week_and_a_tenth_never() -> None:
    luck = random.Random("slower")  # noqa: S311  the same luck every time

    def took(by: float) -> list[Told]:
        return told(
            27, 3, lambda at, case: (case + 1) * luck.gauss(1, 0.05) * (by if at >= 20 else 1)
        )

    rise = level_rise(took(1.35), least=1.25)
    assert rise is not None
    assert rise.after > 1.25 * rise.before
    assert level_rise(took(1.1), least=1.25) is None


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 40), st.integers(1, 40))
def test_a_chance_is_a_chance_and_falls_as_more_is_found(a: int, b: int, m: int, n: int) -> None:
    reference, recent = Share(min(a, m), m), Share(min(b, n), n)
    found = rarity(reference, recent)
    assert 0 < found <= 1
    if recent.part:
        fewer = rarity(Share(reference.part + 1, m + 1), Share(recent.part - 1, n))
        assert fewer >= 0
    assert rarity(reference, Share(0, n)) == 1.0
