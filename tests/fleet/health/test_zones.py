"""Schedules in every time zone there is, over each change of its clocks."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.health.schedules import EARLY_SECONDS, late_at, next_expected

_HOUR = timedelta(hours=1)
Changes = tuple[tuple[datetime, timedelta], ...]


def changes_in(zone: str, year: int) -> Changes:
    """Return the days on which a zone's clocks change, and to what."""
    found, here = [], ZoneInfo(zone)
    day = datetime(year, 1, 1, tzinfo=UTC)
    offset = day.astimezone(here).utcoffset()
    for _ in range(365):
        day += timedelta(days=1)
        now = day.astimezone(here).utcoffset()
        if now != offset and now is not None:
            found.append((day, now))
            offset = now
    return tuple(found)


@pytest.fixture(scope="module")
def zones() -> dict[Changes, list[str]]:
    """Return every zone whose clocks change, those together that change alike."""
    alike: dict[Changes, list[str]] = defaultdict(list)
    for zone in sorted(available_timezones()):
        if found := changes_in(zone, 2026):
            alike[found].append(zone)
    return alike


def test_what_is_expected_daily_is_expected_once_a_day_in_every_zone(
    zones: dict[Changes, list[str]],
) -> None:
    """Also where the hour it falls into is skipped or comes twice."""
    assert sum(map(len, zones.values())) > 150
    for changes, (zone, *_) in zones.items():
        for day, _ in changes:
            for cron in ("0 0 * * *", "30 1 * * *", "30 2 * * *", "0 3 * * *", "59 23 * * *"):
                moment, times = day - timedelta(days=2), []
                while moment < day + timedelta(days=2):
                    moment = next_expected(cron, zone, moment)
                    times.append(moment)
                gaps = [after - before for before, after in itertools.pairwise(times)]
                assert all(22 * _HOUR <= gap <= 26 * _HOUR for gap in gaps), (zone, cron, times)


def test_what_is_expected_often_is_never_silent_for_longer_than_the_clocks_change(
    zones: dict[Changes, list[str]],
) -> None:
    for changes, (zone, *_) in zones.items():
        for day, _ in changes:
            moment = day - 2 * _HOUR
            while moment < day + 26 * _HOUR:
                following = next_expected("*/30 * * * *", zone, moment)
                assert following - moment <= 1.5 * _HOUR, (zone, moment, following)
                moment = following


@given(
    zone=st.sampled_from(sorted(available_timezones())),
    cron=st.sampled_from(["30 2 * * *", "0 * * * *", "*/15 * * * *", "0 6 * * 1-5", "15 1 * * 0"]),
    begins=st.integers(1_767_225_600, 1_830_297_600),
    grace=st.integers(120, 3600),
    share=st.floats(-1.0, 0.99),
)
@settings(max_examples=300)
def test_whoever_beats_within_the_grace_is_never_late_and_whoever_does_not_is(
    zone: str, cron: str, begins: int, grace: int, share: float
) -> None:
    """A little before its time to nearly the end of the grace, over six in a row."""
    early = min(EARLY_SECONDS, grace // 2) - 1
    off = timedelta(seconds=share * (grace if share > 0 else early))
    expected = next_expected(cron, zone, datetime.fromtimestamp(begins, UTC))
    for _ in range(6):
        beat = expected + off
        due = late_at(beat, interval=0, grace=grace, cron=cron, zone=zone)
        following = next_expected(cron, zone, expected)
        if following - expected > timedelta(seconds=grace) * 2:  # else one beat answers for two
            assert following + off < due, (expected, beat, due)
            assert due == following + timedelta(seconds=grace)  # and silence counts from then on
        expected = following
