"""The score of two jobs against 200 pairs labelled by hand: half to develop on, half to test."""

from __future__ import annotations

import pytest

from tests.fleet.worth.labelled import measure, read_pairs


def test_there_are_two_hundred_pairs_and_half_of_them_are_one_job() -> None:
    pairs = list(read_pairs())
    assert (len(pairs), sum(pair.is_same for pair in pairs)) == (200, 100)
    assert sum(pair.is_test for pair in pairs) == 100


@pytest.mark.parametrize("part", ["development", "test", "all"])
def test_precision_and_recall_hold_on_the_labelled_pairs(
    part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = {"development": {False}, "test": {True}, "all": {False, True}}[part]
    measured = measure([pair for pair in read_pairs() if pair.is_test in chosen])
    with capsys.disabled():
        print(f"\nduplicates, {part}: {measured}")  # noqa: T201
    assert measured.precision >= 0.8
    assert measured.recall >= 0.7
