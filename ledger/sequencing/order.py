"""The order of the tree: that of commits, never that of ids or of clocks.

A transaction may draw an id early and commit late, so a reader of ``id > last`` would pass
its entries by for ever. Below the horizon (`pg_snapshot_xmin`) every transaction is decided:
what is there stays, and nothing is added. So entries are taken by (transaction id, id) from
below the horizon only, and one that is not there yet keeps everybody after it waiting.

In a cluster that was restored transaction ids may start anew. An epoch opened there begins
with its own opening, goes on with every entry that has no place yet by id alone, and counts
by transactions only from its ``first_entry`` on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import sql

from ledger.sequencing.epochs import TreeEpoch

HORIZON: Final = sql.SQL("pg_snapshot_xmin(pg_current_snapshot())")
# What the leaf commits to is the header as it lies there, not a column that says its hash.
_LEAF: Final = sql.SQL("sha256('\\x00'::bytea || e.header)")
_BY_COMMIT: Final = sql.SQL(
    "SELECT e.id, e.xid::text, {leaf}, e.leaf_hash = {leaf} FROM ledger_entry e"
    " WHERE (e.xid, e.id) > (%s::text::xid8, %s) AND e.xid < {horizon} AND e.id > %s"
    " ORDER BY e.xid, e.id LIMIT %s"
)
_BY_ID: Final = sql.SQL(
    "SELECT e.id, '0', {leaf}, e.leaf_hash = {leaf} FROM ledger_entry e"
    " WHERE e.id > %s AND e.id < %s"
    " AND NOT EXISTS (SELECT FROM ledger_leaf l WHERE l.entry = e.id)"
    " ORDER BY e.id LIMIT %s"
)
_OPENING: Final = sql.SQL(
    "SELECT e.id, '0', {leaf}, e.leaf_hash = {leaf} FROM ledger_entry e"
    " WHERE e.id >= %s ORDER BY e.id LIMIT 1"
)


class Place(NamedTuple):
    """Where a tree's entries end. Transaction 0 is before all that come in commit order."""

    xid: int
    entry: int


class Taken(NamedTuple):
    """An entry that gets the next place in the tree."""

    entry: int
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries in their order, and where they end."""

    entries: list[Taken]
    end: Place
    altered: list[int]  # whose column does not say their header's hash


START: Final = Place(0, 0)


class Order:
    """What comes next in one epoch."""

    def __init__(self, epoch: TreeEpoch, *, horizon: sql.SQL = HORIZON) -> None:
        self._epoch = epoch
        self._parts = {"leaf": _LEAF, "horizon": horizon}
        self._opening = epoch.first_entry - 1 if epoch.number == 1 else 0
        self._has_older = epoch.first_entry > 1

    def take(
        self, connection: psycopg.Connection[Any], after: Place, size: int, limit: int
    ) -> Batch:
        """Return what comes after a place in a tree of this size; empty when nothing is due."""
        if not self._opening and self._epoch.number > 1:
            opening = self._rows(connection, _OPENING, [self._epoch.first_entry])
            if size == 0:
                return _batch(opening, START)
            self._opening = opening[0][0]
        if after.xid == 0 and self._has_older:
            # In a large ledger nearly all of them have a place, and each is looked at.
            connection.execute("SET LOCAL statement_timeout = '1h'")
            bounds = [after.entry, self._epoch.first_entry, limit]
            if older := self._rows(connection, _BY_ID, bounds):
                return _batch(older, Place(0, older[-1][0]))
            self._has_older = False  # an epoch is opened with every writer kept out: none follow
        if after.xid == 0:
            after = START
        rows = self._rows(connection, _BY_COMMIT, [after.xid, after.entry, self._opening, limit])
        return _batch(rows, Place(int(rows[-1][1]), rows[-1][0]) if rows else after)

    def _rows(
        self, connection: psycopg.Connection[Any], query: sql.SQL, given: list[int]
    ) -> list[Any]:
        return connection.execute(query.format(**self._parts), given).fetchall()


def _batch(rows: list[Any], end: Place) -> Batch:
    return Batch(
        [Taken(row[0], bytes(row[2])) for row in rows],
        end,
        [row[0] for row in rows if not row[3]],
    )
