"""When the windows of a budget begin and end. Pure: the gateway and the pages share it.

Days and months begin at midnight of the budget's time zone, whatever its clocks do; minutes
are those of UTC. The windows of a period follow each other without a gap and without an
overlap, and every moment lies in exactly one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAY: Final = "day"
MONTH: Final = "month"
MINUTE: Final = "minute"
ALWAYS: Final = "always"
EVER_SINCE: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment on, up to another; None is never."""

    starts_at: datetime
    ends_at: datetime | None

    def holds(self, moment: datetime) -> bool:
        return self.starts_at <= moment and (self.ends_at is None or moment < self.ends_at)


def span_of(period: str, zone: ZoneInfo, moment: datetime) -> Span:
    """Return the window of a period that a moment lies in."""
    if period == ALWAYS:
        return Span(EVER_SINCE, None)
    if period == MINUTE:
        starts_at = moment.astimezone(UTC).replace(second=0, microsecond=0)
        return Span(starts_at, starts_at + timedelta(minutes=1))
    first = moment.astimezone(zone).date()
    if period == MONTH:
        first = first.replace(day=1)
    starts_at, ends_at = _midnight(first, zone), _midnight(_next(first, period), zone)
    while ends_at <= moment:  # a clock that is set back over midnight shows yesterday again
        first = _next(first, period)
        starts_at, ends_at = ends_at, _midnight(_next(first, period), zone)
    return Span(starts_at, ends_at)


def _next(first: date, period: str) -> date:
    if period == DAY:
        return first + timedelta(days=1)
    return (first + timedelta(days=31)).replace(day=1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return when a day begins: the first of two midnights, the jump where there is none."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)
