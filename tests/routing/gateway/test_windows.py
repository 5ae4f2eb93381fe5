"""Windows: every moment lies in exactly one, whatever clocks and calendars do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.gateway.windows import EVER_SINCE, Span, span_of

# Clocks that jump at midnight, that were set back over midnight, and a day that never was.
ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "America/Havana", "America/St_Johns",
    "Asia/Beirut", "Pacific/Apia", "Asia/Kathmandu", "Australia/Lord_Howe",
]  # fmt: skip
_FIRST, _LAST = datetime(1985, 1, 1), datetime(2035, 1, 1)  # noqa: DTZ001  given a zone below
moments = st.datetimes(_FIRST, _LAST, timezones=st.just(UTC))


@given(moments, st.sampled_from(ZONES), st.sampled_from(["minute", "day", "month"]))
def test_a_window_holds_its_moment_and_the_next_begins_where_it_ends(moment, zone, period):
    span = span_of(period, ZoneInfo(zone), moment)
    assert span.holds(moment)
    assert span.ends_at is not None
    after = span_of(period, ZoneInfo(zone), span.ends_at)
    before = span_of(period, ZoneInfo(zone), span.starts_at - timedelta(microseconds=1))
    assert after.starts_at == span.ends_at
    assert before.ends_at == span.starts_at
    assert span_of(period, ZoneInfo(zone), span.starts_at) == span


@given(moments, moments, st.sampled_from(ZONES), st.sampled_from(["minute", "day", "month"]))
def test_two_moments_share_a_window_or_lie_in_two_that_do_not_overlap(one, other, zone, period):
    earlier, later = sorted([one, other])
    first = span_of(period, ZoneInfo(zone), earlier)
    second = span_of(period, ZoneInfo(zone), later)
    assert first == second or (first.ends_at is not None and first.ends_at <= second.starts_at)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-07-01", 24)]
)
def test_a_day_is_as_long_as_its_clocks_say(day, hours):
    span = span_of("day", ZoneInfo("Europe/Berlin"), at(f"{day}T12:00:00+01:00"))
    assert span.ends_at is not None
    assert span.ends_at - span.starts_at == timedelta(hours=hours)


def test_a_month_begins_at_midnight_of_its_zone():
    zone = ZoneInfo("America/New_York")
    assert span_of("month", zone, at("2026-11-01T03:59:59Z")) == Span(
        at("2026-10-01T04:00:00Z"), at("2026-11-01T04:00:00Z")
    )
    assert span_of("month", zone, at("2026-11-01T04:00:00Z")) == Span(
        at("2026-11-01T04:00:00Z"), at("2026-12-01T05:00:00Z")
    )


def test_a_day_without_a_midnight_begins_at_the_jump():
    span = span_of("day", ZoneInfo("Asia/Beirut"), at("2026-03-29T10:00:00Z"))
    assert span.starts_at == at("2026-03-28T22:00:00Z")


def test_what_counts_always_begins_nowhere_and_never_ends():
    assert span_of("always", ZoneInfo("UTC"), at("2026-11-22T00:00:00Z")) == Span(EVER_SINCE, None)
