"""Counting the calls of the arms of shifts, each once, as soon as it is sure to be next.

A cursor of (xid, id) follows the calls, as in `usage`. Minutes are kept for some hours, and
what a share came to since it was last changed for as long as its shift.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db import connection, transaction

from kernel import clock
from registry.actors import Actor
from registry.models import Role
from routing.arm_sums import CALLS, COUNTED, NAMES
from routing.models import ShiftMinute, UsageMark
from routing.models.shift import ARM_SUMS

MARK: Final = "shift_calls"
BATCH: Final = 20_000
KEPT_HOURS: Final = 6

_NAMES: Final = ", ".join(NAMES)
_ADDED: Final = ", ".join(
    [f"{name} = kept.{name} + excluded.{name}" for name in ARM_SUMS]
    + [
        "latencies = ARRAY(SELECT coalesce(a, 0) + coalesce(b, 0)"
        " FROM unnest(kept.latencies, excluded.latencies) WITH ORDINALITY AS u(a, b, place)"
        " ORDER BY place)"
    ]
)
_COUNT: Final = f"""
WITH fresh AS MATERIALIZED (
    {CALLS}
      AND (xid, id) > (%(xid)s::text::xid8, %(call_id)s)
      AND xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY xid, id LIMIT %(batch)s
), minutes AS (
    INSERT INTO routing_shiftminute AS kept (shift_id, arm, minute, {_NAMES})
    SELECT shift, arm, date_trunc('minute', started_at), {COUNTED} FROM fresh
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (shift_id, minute, arm) DO UPDATE SET {_ADDED}
), steps AS (
    INSERT INTO routing_shiftstep AS kept (shift_id, arm, began_at, {_NAMES})
    SELECT fresh.shift, fresh.arm, s.changed_at, {COUNTED}
    FROM fresh JOIN routing_shift s ON s.public_id = fresh.shift
    WHERE fresh.started_at >= s.changed_at
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (shift_id, began_at, arm) DO UPDATE SET {_ADDED}
), last AS (
    SELECT xid, id FROM fresh ORDER BY xid DESC, id DESC LIMIT 1
)
UPDATE routing_usagemark AS mark
SET xid = last.xid::text::bigint, call_id = last.id, counted_at = %(now)s
FROM last WHERE mark.name = %(name)s
RETURNING (SELECT count(*) FROM fresh)
"""  # noqa: S608  names are code


def count_shifts(*, actor: Actor, batch: int = BATCH) -> int:
    """Count the calls of shifted agents that have become final; return how many.

    Records: nothing; the sums are an index of calls that are on the record already.
    Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    UsageMark.objects.bulk_create(
        [UsageMark(name=MARK, counted_at=clock.now())], ignore_conflicts=True
    )
    counted = 0
    while (taken := _count_batch(batch)) > 0:
        counted += taken
    old = clock.now() - timedelta(hours=KEPT_HOURS)
    ShiftMinute.objects.filter(minute__lt=old).delete()
    return counted


@transaction.atomic
def _count_batch(batch: int) -> int:
    mark = UsageMark.objects.select_for_update().get(name=MARK)
    values: dict[str, Any] = {
        "xid": mark.xid, "call_id": mark.call_id, "batch": batch, "now": clock.now(), "name": MARK,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, values)
        row = cursor.fetchone()
    return int(row[0]) if row else 0
