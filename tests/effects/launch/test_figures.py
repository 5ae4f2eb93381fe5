"""Shares with their width, percentiles, and how far an edit went."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effects.launch.corrections import distance
from effects.launch.figures import Judged, Share, figures_of, percentile


@pytest.mark.parametrize(
    ("part", "whole", "lower", "upper"),
    [  # R: prop.test(part, whole, correct = FALSE)$conf.int
        (20, 20, 0.8389, 1.0),
        (19, 20, 0.7639, 0.9911),
        (0, 10, 0.0, 0.2775),
        (49, 50, 0.8950, 0.9965),
        (5, 10, 0.2366, 0.7634),
    ],
)
def test_an_interval_is_wilsons(part: int, whole: int, lower: float, upper: float) -> None:
    share = Share(part, whole)
    assert (share.lower, share.upper) == pytest.approx((lower, upper), abs=1e-4)


def test_nothing_decided_says_nothing() -> None:
    nothing = Share(0, 0)
    assert (nothing.value, nothing.lower, nothing.upper) == (None, 0.0, 1.0)


@given(st.integers(0, 500), st.integers(1, 500))
def test_an_interval_holds_its_share(part: int, more: int) -> None:
    share = Share(part, part + more)
    assert share.value is not None
    assert 0 <= share.lower <= share.value <= share.upper <= 1


def test_percentiles_are_values_that_occurred() -> None:
    ordered = [float(value) for value in range(1, 11)]
    assert (percentile(ordered, 50), percentile(ordered, 90)) == (5.0, 9.0)
    assert percentile([7.0], 90) == 7.0
    assert percentile([], 50) is None


def test_decisions_add_up() -> None:
    edited = Judged("crm.update", "edited", 60, Share(1, 4), Share(2, 10))
    judged = [Judged("crm.update", "approved", 10), edited, Judged("crm.update", "rejected", 20)]
    found = figures_of("crm.update", judged, {"ended": 2, "failed": 1, "expired": 3})
    assert (found.decided, found.approved, found.edited, found.rejected) == (3, 1, 1, 1)
    assert (found.paths, found.words) == (Share(1, 4), Share(2, 10))
    assert (found.half_seconds, found.most_seconds) == (20, 60)
    assert found.facts()["agreement"]["permille"] == 333
    assert found.facts()["errors"]["permille"] == 500


@pytest.mark.parametrize(
    ("asked", "decided", "paths", "words"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, (0, 2), (0, 0)),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, (1, 2), (0, 0)),
        ({"a": 1}, {"a": True}, (1, 1), (0, 0)),
        ({"a": 1}, {}, (2, 2), (0, 0)),
        ({"to": {"name": "x"}, "cc": []}, {"to": {"name": "y"}, "cc": []}, (1, 2), (1, 1)),
        ({"text": "pay five now"}, {"text": "pay six now"}, (1, 1), (1, 3)),
        ({"text": "a b"}, {"text": "a b c d"}, (1, 1), (2, 4)),
        ({"lines": [1, 2]}, {"lines": [1, 2, 3]}, (1, 3), (0, 0)),
    ],
)
def test_an_edit_is_measured_in_places_and_words(
    asked: Any, decided: Any, paths: tuple[int, int], words: tuple[int, int]
) -> None:
    assert distance(asked, decided) == (Share(*paths), Share(*words))
