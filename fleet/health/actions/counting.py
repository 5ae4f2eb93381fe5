"""Counting calls into windows of five minutes and of an hour: every call once, behind a cursor.

The cursor of (xid, id) follows the calls as the sums of use do; entries are never read. Windows
of five minutes say how it goes now and are dropped after two hours; hours say what is usual.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db import connection, transaction

from fleet.health.models import CallWindow, Sweep
from kernel import clock
from registry.actors import Actor
from registry.models import Role

NAME: Final = "calls"
BATCH: Final = 5000
KEPT: Final = {5: timedelta(hours=2), 60: timedelta(days=35)}
_COUNT: Final = """
WITH fresh AS MATERIALIZED (
    SELECT xid, id, agent_id, vendor, started_at,
           (status IN ('error', 'incomplete', 'unknown'))::int AS failed
    FROM routing_call
    WHERE (xid, id) > (%(xid)s::text::xid8, %(call_id)s)
      AND xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY xid, id LIMIT %(batch)s
), wanted AS (
    SELECT fresh.* FROM fresh JOIN routing_call AS own ON own.id = fresh.id
    WHERE own.status <> 'denied' AND NOT own.is_shadow AND own.made_for = ''
      AND fresh.agent_id <> ''
), added AS (
    INSERT INTO health_callwindow AS kept (minutes, starts_at, agent_id, vendor, calls, errors)
    SELECT width, date_bin(width * interval '1 minute', started_at, 'epoch'), agent_id, vendor,
           count(*), sum(failed)
    FROM wanted CROSS JOIN (VALUES (5), (60)) AS windows (width)
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (minutes, starts_at, agent_id, vendor) DO UPDATE SET
        calls = kept.calls + excluded.calls, errors = kept.errors + excluded.errors
), last AS (
    SELECT xid, id FROM fresh ORDER BY xid DESC, id DESC LIMIT 1
)
UPDATE health_sweep AS mark SET xid = last.xid::text::bigint, call_id = last.id, at = %(now)s
FROM last WHERE mark.name = %(name)s
RETURNING (SELECT count(*) FROM fresh)
"""
# What is long past says nothing of now: a first look begins with the last day.
_BEGIN: Final = """
INSERT INTO health_sweep (name, xid, call_id, at)
SELECT %(name)s, coalesce(max(xid::text::bigint), 0), coalesce(max(id), 0), %(now)s
FROM routing_call WHERE started_at < %(now)s - interval '1 day'
  AND started_at > %(now)s - interval '2 days'
ON CONFLICT (name) DO NOTHING
"""


def count_calls(*, actor: Actor, batch: int = BATCH) -> int:
    """Count every call that has become final since the last time; return how many.

    Records: nothing; windows are an index of calls that are on the record already.
    Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, {"name": NAME, "now": clock.now()})
    counted = 0
    while (taken := _count_batch(batch)) > 0:
        counted += taken
    now = clock.now()
    for minutes, kept in KEPT.items():
        CallWindow.objects.filter(minutes=minutes, starts_at__lt=now - kept).delete()
    return counted


@transaction.atomic
def _count_batch(batch: int) -> int:
    # The lock comes first: the count's snapshot then sees what the holder before has counted.
    mark = Sweep.objects.select_for_update().get(name=NAME)
    values: dict[str, Any] = {
        "xid": mark.xid, "call_id": mark.call_id, "batch": batch, "now": clock.now(), "name": NAME
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, values)
        row = cursor.fetchone()
    return int(row[0]) if row else 0
