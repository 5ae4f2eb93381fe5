"""The one clock: every reading of the time goes through here, so that tests can hold it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current moment, aware, in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC with microseconds, as the ledger stores it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
