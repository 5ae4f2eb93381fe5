"""The one clock: every reading of the time goes through here, so that it can be held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_held: ContextVar[datetime | None] = ContextVar("held", default=None)


def now() -> datetime:
    """Return the current moment, aware, in UTC; or the one at which the clock is held."""
    return _held.get() or datetime.now(UTC)


@contextmanager
def held_at(moment: datetime) -> Iterator[None]:
    """Hold the clock at a moment, for this task or thread only: a demo tells of the past."""
    token = _held.set(moment)
    try:
        yield
    finally:
        _held.reset(token)


def stamp(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC with microseconds, as the ledger stores it."""
    # Written twice for every entry: isoformat is several times as fast as strftime.
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
