"""When a heartbeat is expected, and from when on its absence counts. Pure, no rows.

A cron expression is read as crontab reads it, in a zone of its own: what would fall into the hour
that daylight saving skips is expected right after it, and what falls into the hour that comes
twice is expected once, unless it runs several times an hour.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from fleet.health.errors import ScheduleInvalid

_LONGEST: Final = 100
# A heartbeat a little before its time is the one that was expected then.
EARLY_SECONDS: Final = 60
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds_of(text: str, otherwise: int) -> int:
    """Return the seconds of a duration as manifests write it, such as 5m."""
    number = text[:-1]
    # isdigit alone takes ², which is no number to int.
    if not (number.isascii() and number.isdigit()) or text[-1] not in UNITS:
        return otherwise
    return int(text[:-1]) * UNITS[text[-1]]


def check_schedule(cron: str, zone: str) -> None:
    """Refuse an expression or a zone that cannot be read, or that never comes.

    Raises: ScheduleInvalid.
    """
    next_expected(cron, zone, datetime(2026, 1, 1, tzinfo=UTC))


def next_expected(cron: str, zone: str, after: datetime) -> datetime:
    """Return the first moment after another at which a schedule expects something.

    Raises: ScheduleInvalid.
    """
    if len(cron) > _LONGEST or len(cron.split()) != 5:
        raise ScheduleInvalid("A schedule has five fields, such as 0 6 * * 1-5.")
    try:
        here = after.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleInvalid(
            f"There is no time zone {zone[:60]!r}; write Europe/Berlin."
        ) from None
    try:
        found = next(CronSim(cron, here)).astimezone(UTC)
        while found <= after:  # of an hour that comes twice, the first was meant
            found = next(CronSim(cron, (found + timedelta(hours=1)).astimezone(here.tzinfo)))
            found = found.astimezone(UTC)
    except CronSimError as error:
        raise ScheduleInvalid(f"The schedule cannot be read: {error}.") from None
    except StopIteration:
        raise ScheduleInvalid("The schedule never comes.") from None
    return found


def late_at(
    last: datetime, *, interval: int, grace: int, cron: str = "", zone: str = ""
) -> datetime:
    """Return from when on the absence of the next heartbeat counts. Raises: ScheduleInvalid."""
    allowed = timedelta(seconds=grace)
    if not cron:
        return last + timedelta(seconds=interval) + allowed
    early = timedelta(seconds=min(EARLY_SECONDS, grace // 2))
    return next_expected(cron, zone, last + early) + allowed
