"""What keeps the tree waiting: since when, and whose transaction it is.

An entry waits while any transaction older than its own is undecided. How long is measured
with the process's own steady clock from when it was first seen waiting; no time of day is
looked at, so a clock that is set changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from ledger.sequencing.order import Place

ALARM_SECONDS: Final = 10.0
# What is visible here has a transaction id from before the snapshot's end, or it came with a
# restore from another cluster.
_OLDEST: Final = (
    "SELECT id FROM ledger_entry WHERE (xid, id) > (%s::text::xid8, %s)"
    " AND xid < pg_snapshot_xmax(pg_current_snapshot()) AND id >= %s ORDER BY xid, id LIMIT 1"
)
# Without the right to read everybody's statistics the other columns are null, and said so.
_HOLDER: Final = (
    "SELECT pid, coalesce(nullif(application_name, ''), 'unnamed'), coalesce(usename, '?'),"
    " coalesce(state, '?'), coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)::int"
    " FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
    " ORDER BY age(backend_xid) DESC LIMIT 1"
)
_PREPARED: Final = (
    "SELECT gid, extract(epoch FROM clock_timestamp() - prepared)::int FROM pg_prepared_xacts"
    " ORDER BY age(transaction) DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Holder:
    """A session whose open transaction is the oldest."""

    pid: int
    application: str
    role: str
    state: str
    seconds: int

    def __str__(self) -> str:
        return (
            f"a transaction open for {self.seconds} s in {self.application}"
            f" (role {self.role}, pid {self.pid}, {self.state})"
        )


class Waiting:
    """Since when the next entry waits for its place."""

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._entry: int | None = None
        self._since = 0.0

    def look(self, connection: psycopg.Connection[Any], place: Place, first_entry: int) -> float:
        """Return for how many seconds the next entry has been waiting; 0 when none does."""
        row = connection.execute(_OLDEST, [place.xid, place.entry, first_entry]).fetchone()
        entry = row[0] if row is not None else None
        if entry is None:
            self._entry = None
            return 0.0
        if entry != self._entry:
            self._entry, self._since = entry, self._steady()
        return self._steady() - self._since


def who_holds(connection: psycopg.Connection[Any]) -> str:
    """Say in words whose transaction is the oldest of those that may still write."""
    row = connection.execute(_HOLDER).fetchone()
    if row is not None:
        return str(Holder(*row))
    prepared = connection.execute(_PREPARED).fetchone()
    if prepared is not None:
        return f"the prepared transaction {prepared[0]!r}, {prepared[1]} s old"
    return "no session that this role can see"
