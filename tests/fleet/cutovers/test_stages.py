"""A step is drawn with its own share, also where nobody called in the steps before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fleet.cutovers.views.chart import stages_of
from routing.arm_sums import Sums

BEGAN = datetime(2026, 11, 22, 8, tzinfo=UTC)
STEPS = [{"percent": share} for share in (1, 10, 50, 100)]
TAKEN = [BEGAN + timedelta(hours=number) for number in range(4)]


def test_a_step_without_calls_leaves_the_others_their_shares() -> None:
    shortly_before = timedelta(milliseconds=3)
    sums = {TAKEN[number] - shortly_before: {"target": Sums()} for number in (0, 2, 3)}
    assert [stage.percent for stage in stages_of(STEPS, TAKEN, sums)] == [1, 50, 100]


def test_while_the_first_step_is_put_down_its_share_is_drawn() -> None:
    assert [stage.percent for stage in stages_of(STEPS, [], {BEGAN: {}})] == [1]
