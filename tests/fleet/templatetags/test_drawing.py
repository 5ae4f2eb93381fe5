"""Numbers become coordinates that stay inside their box."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fleet.templatetags import drawing


@given(st.lists(st.integers(min_value=0, max_value=10**12), min_size=1, max_size=90))
def test_a_sparkline_stays_in_its_box(values: list[int]) -> None:
    spots = [spot.split(",") for spot in drawing.spark(values)["line"].split()]
    assert all(0 <= float(x) <= 100 and 0 <= float(y) <= 30 for x, y in spots)


def test_an_empty_series_draws_nothing() -> None:
    assert drawing.spark([])["line"] == ""


@given(st.lists(st.integers(min_value=0, max_value=10**9), min_size=1, max_size=12))
def test_shares_of_anything_add_up_to_the_whole(values: list[int]) -> None:
    rows = drawing.shares([{"label": "x", "value": value} for value in values])
    total = sum(row["width"] for row in rows)
    assert total == 0 if not any(values) else abs(total - 100) < 0.1


def test_shares_of_nothing_are_zero_wide() -> None:
    assert [row["width"] for row in drawing.shares([{"label": "x", "value": 0}])] == [0.0]


def test_the_largest_bar_is_full() -> None:
    rows = drawing.bars([{"label": "a", "value": 20}, {"label": "b", "value": 5}])
    assert [row["width"] for row in rows] == [100.0, 25.0]


def test_work_still_running_reaches_the_end_and_has_no_length() -> None:
    start = datetime(2026, 11, 21, tzinfo=UTC)
    first, second = drawing.spans(
        [
            {"label": "call", "started_at": start, "ended_at": start + timedelta(seconds=2)},
            {"label": "effect", "started_at": start + timedelta(seconds=1), "ended_at": None},
        ]
    )
    assert (first["left"], first["width"], first["milliseconds"]) == (0.0, 100.0, 2000.0)
    assert (second["left"], second["width"], second["open"]) == (50.0, 50.0, True)
    assert second["milliseconds"] is None
