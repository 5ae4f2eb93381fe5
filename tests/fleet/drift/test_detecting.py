"""A figure that has not changed rarely raises an alarm, and one that has does soon."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.drift.detecting import FALSE_ALARMS, FLOOR, LEAST, Share, compared

LOOKS = 4000


def drawn(chance: float, whole: int, luck: random.Random) -> Share:
    return Share(sum(luck.random() < chance for _ in range(whole)), whole)


@pytest.mark.parametrize("chance", [0.0, 0.01, 0.05, 0.3])
@pytest.mark.parametrize("recent", [LEAST, 200])
def test_what_has_not_changed_alarms_no_more_often_than_is_said(chance: float, recent: int) -> None:
    luck = random.Random(f"{chance}/{recent}")  # noqa: S311  the same luck every time
    alarms = sum(
        compared(drawn(chance, 300, luck), drawn(chance, recent, luck)).is_alarm
        for _ in range(LOOKS // 8)
    )
    # Of 500 looks half a one is expected at most.
    assert alarms <= max(1, 2 * FALSE_ALARMS * LOOKS / 8)


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.3), (0.05, 0.4), (0.01, 1.0)])
def test_a_jump_is_seen_with_the_least_sample_nearly_always(before: float, after: float) -> None:
    luck = random.Random(f"{before}/{after}")  # noqa: S311  the same luck every time
    seen = sum(
        compared(drawn(before, 500, luck), drawn(after, LEAST, luck)).is_alarm for _ in range(200)
    )
    assert seen >= 180


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_it_never_alarms_on_a_fall_a_trifle_or_a_few_calls(a: int, b: int, c: int, d: int) -> None:
    reference, recent = Share(min(a, b), max(a, b)), Share(min(c, d), max(c, d))
    verdict = compared(reference, recent)
    if verdict.is_alarm:
        assert recent.value - reference.value >= FLOOR
        assert min(reference.whole, recent.whole) >= LEAST
