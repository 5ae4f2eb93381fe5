"""Which checkpoints a file states, and which leaves a stretch of time comes to.

A checkpoint counts once the log has signed it; what a period begins and ends with is
always one, so that what follows can begin exactly there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from kernel import clock
from ledger.exports.scope import Period, Plan, Range, Scope, joined

Database = Connection[Any]

# While a witness follows, a file speaks of the log as it was cosigned last: of a log that
# grows there is always a newer size that nobody has cosigned yet.
_NEWEST: Final = """
    SELECT e.number,
           CASE WHEN EXISTS (
                SELECT FROM ledger_checkpointsignature s
                WHERE s.epoch = e.number AND NOT s.is_witness AND s.size > witnessed.size
                AND s.signed_at < now() - make_interval(secs => %s)
           ) THEN signed.size ELSE coalesce(witnessed.size, signed.size) END,
           witnessed.size
    FROM ledger_epoch e
    CROSS JOIN LATERAL (
        SELECT max(s.size) AS size FROM ledger_checkpointsignature s
        WHERE s.epoch = e.number AND NOT s.is_witness
    ) signed
    CROSS JOIN LATERAL (
        SELECT max(w.size) AS size FROM ledger_checkpointsignature w
        WHERE w.epoch = e.number AND w.is_witness AND EXISTS (
            SELECT FROM ledger_checkpointsignature s
            WHERE s.epoch = w.epoch AND s.size = w.size AND NOT s.is_witness)
    ) witnessed
    ORDER BY e.number
"""
WITNESS_FOLLOWS_SECONDS: Final = 10
SEEN_AT_MOST: Final = 1_000
_SEEN: Final = """
    SELECT size FROM (
        SELECT size, row_number() OVER (ORDER BY size) AS number, count(*) OVER () AS among
        FROM (
            SELECT DISTINCT w.size FROM ledger_checkpointsignature w
            JOIN ledger_checkpointsignature s
              ON s.epoch = w.epoch AND s.size = w.size AND NOT s.is_witness
            WHERE w.epoch = %s AND w.size > %s AND w.size < %s AND w.is_witness
        ) AS seen
    ) AS numbered
    WHERE number %% (among / %s + 1) = 0 ORDER BY size
"""
# Checkpoints come in the order of their sizes, so a size is found by halving: no index on time.
_AT_OR_AFTER: Final = """
    SELECT size, sequenced_at FROM ledger_checkpoint
    WHERE epoch = %s AND size >= %s ORDER BY size LIMIT 1
"""
_SIGNED_UP_TO: Final = """
    SELECT max(s.size) FROM ledger_checkpointsignature s
    WHERE s.epoch = %s AND s.size <= %s AND NOT s.is_witness
"""


def make_plan(
    database: Database, scope: Scope, *, payloads: bool, at: datetime | None = None
) -> Plan:
    """Fix what a file of this scope states, as the log stands now."""
    sizes = [(epoch, size) for epoch, *found in newest(database) for size in found if size]
    if isinstance(scope, Period):
        sizes += [(each.epoch, each.end) for each in scope.ranges]
        sizes += [(each.epoch, each.start) for each in scope.ranges if each.start]
        sizes += [(each.epoch, size) for each in scope.ranges for size in _seen(database, each)]
    return Plan(scope, payloads, at or clock.now(), joined(sizes))


def _seen(database: Database, held: Range) -> list[int]:
    """Sizes within a range at which a witness looked: when an entry was recorded lies between."""
    named = [held.epoch, held.start, held.end, SEEN_AT_MOST]
    return [row[0] for row in database.execute(_SEEN, named).fetchall()]


def newest(database: Database) -> list[tuple[int, int | None, int | None]]:
    """Return each epoch with the largest size a file may speak of, and that is witnessed."""
    rows = database.execute(_NEWEST, [WITNESS_FOLLOWS_SECONDS])
    return [tuple(row) for row in rows.fetchall()]


def period_between(
    database: Database, begins_at: datetime | None, ends_at: datetime | None
) -> Period:
    """Return what the log sequenced from one moment up to another; None leaves a side open."""
    ranges = []
    for epoch, signed, _ in newest(database):
        if not signed:
            continue
        start = _size_before(database, epoch, signed, begins_at) if begins_at else 0
        end = _size_before(database, epoch, signed, ends_at) if ends_at else signed
        if start < end or (ends_at is None and start == end):  # nothing new is said, not left out
            ranges.append(Range(epoch, start, end))
    return Period(tuple(ranges), begins_at, ends_at)


def period_after(
    database: Database, reached: dict[int, int], ends_at: datetime | None = None
) -> Period:
    """Return what follows the sizes that were reached: no leaf twice, and none left out."""
    whole = period_between(database, None, ends_at)
    ranges = [
        Range(each.epoch, reached.get(each.epoch, 0), each.end)
        for each in whole.ranges
        if each.end > reached.get(each.epoch, 0) or ends_at is None
    ]
    return Period(tuple(ranges), None, ends_at)


def _size_before(database: Database, epoch: int, signed: int, moment: datetime) -> int:
    """The largest signed size that was reached before a moment."""
    low, high = 0, signed  # every checkpoint up to low is before the moment, none above high
    while low < high:
        found = database.execute(_AT_OR_AFTER, [epoch, (low + high + 2) // 2]).fetchone()
        if found is None or found[0] > high:
            high = (low + high + 2) // 2 - 1
        elif found[1] < moment:
            low = found[0]
        else:
            high = (low + high + 2) // 2 - 1
    row = database.execute(_SIGNED_UP_TO, [epoch, low]).fetchone()
    return int(row[0]) if row and row[0] else 0
