"""Counting calls into days: every call once, in the order that commits became visible.

A cursor of (xid, id) follows the calls; only those below the oldest running transaction
are taken, because a call with a smaller id may still be on its way. Days, uses and the
cursor move in one statement under the lock of the cursor, so a crash or a second worker
counts nothing twice and leaves nothing out. Sums of each agent's last days grow in that
statement too, and are made anew from the days by the first count of a day.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import Any, Final

from django.db import connection, transaction

from kernel import clock
from registry.actors import Actor
from registry.models import Role
from routing.models import UsageMark, UsageRecent
from routing.models.usage import SUMS

logger = logging.getLogger("unsprawl.usage")

MARK: Final = "calls"
BATCH: Final = 5000

_NAMES: Final = ", ".join(SUMS)
_SUMS: Final = ", ".join(f"sum({name})" for name in SUMS)
_ADDED: Final = ", ".join(f"{name} = kept.{name} + excluded.{name}" for name in SUMS)
_LONGEST_NAME: Final = 200  # of a model, as vendors report it: theirs to write, ours to keep
_FAILED: Final = "'error', 'incomplete', 'unknown'"
_COUNT: Final = (
    """
WITH fresh AS MATERIALIZED (
    SELECT *, (started_at AT TIME ZONE 'UTC')::date AS day FROM routing_call
    WHERE (xid, id) > (%(xid)s::text::xid8, %(call_id)s)
      AND xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY xid, id LIMIT %(batch)s
), followed AS MATERIALIZED (
    SELECT before.*, (before.started_at AT TIME ZONE 'UTC')::date AS day,
           fresh.fallback_reason AS why
    FROM fresh JOIN routing_call AS before ON before.intent_id = fresh.call_id
    WHERE fresh.attempt = 2
    UNION ALL
    SELECT before.*, (before.started_at AT TIME ZONE 'UTC')::date, fresh.fallback_reason
    FROM fresh JOIN routing_call AS before
      ON before.call_id = fresh.call_id AND before.attempt = fresh.attempt - 1
    WHERE fresh.attempt > 2
), told AS MATERIALIZED (
    SELECT day, agent_id, route, vendor, model, made_for,
           (status <> 'denied' AND NOT is_shadow)::int AS calls,
           (status IN ({failed}) AND NOT is_shadow)::int AS errors,
           (status = 'denied')::int AS denied,
           input_tokens, output_tokens, coalesce(cost_micros, 0) AS cost_micros,
           (status <> 'denied' AND cost_micros IS NULL)::int AS unpriced_calls,
           CASE WHEN is_shadow THEN 0 ELSE duration_ms END AS duration_ms,
           (status <> 'denied')::int AS attempts
    FROM fresh
    UNION ALL
    SELECT day, agent_id, route, vendor, model, made_for, -1, -(status IN ({failed}))::int,
           0, 0, 0, 0, 0, 0, 0
    FROM followed
), counted AS (
    SELECT * FROM told WHERE made_for = ''
), own AS (
    INSERT INTO routing_usageown AS kept (
        day, purpose, agent_id, route, vendor, model, {names})
    SELECT day, split_part(made_for, '_', 1), agent_id, route, vendor, model, {sums}
    FROM told WHERE made_for <> '' GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (day, purpose, agent_id, route, vendor, model) DO UPDATE SET {added}
), days AS (
    INSERT INTO routing_usageday AS kept (day, agent_id, route, vendor, model, {names})
    SELECT day, agent_id, route, vendor, model, {sums}
    FROM counted GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (day, agent_id, route, vendor, model) DO UPDATE SET {added}
), routes AS (
    INSERT INTO routing_usageroute AS kept (day, route, vendor, model, {names}, attempts)
    SELECT day, route, vendor, model, {sums}, sum(attempts)
    FROM counted GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (day, route, vendor, model) DO UPDATE SET
        {added}, attempts = kept.attempts + excluded.attempts
), fallbacks AS (
    INSERT INTO routing_usagefallback AS kept (day, route, vendor, model, reason, calls)
    SELECT day, route, vendor, model, reason, count(*) FROM (
        SELECT day, route, vendor, model, CASE
            WHEN http_status >= 400 THEN 'http_' || http_status
            WHEN why <> 'breaker_open' THEN why
            ELSE left(error_code, 60) END
        FROM followed WHERE made_for = ''
        UNION ALL
        SELECT day, route, '', '', fallback_reason FROM fresh
        WHERE attempt = 1 AND fallback_reason <> '' AND made_for = ''
    ) AS gone_on (day, route, vendor, model, reason)
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (route, day, vendor, model, reason) DO UPDATE SET
        calls = kept.calls + excluded.calls
), totals AS (
    INSERT INTO routing_usagetotal AS kept (day, {names})
    SELECT day, {sums} FROM counted GROUP BY 1 ORDER BY 1
    ON CONFLICT (day) DO UPDATE SET {added}
), months AS (
    INSERT INTO routing_usagemonth AS kept (month, agent_id, {names})
    SELECT date_trunc('month', day)::date, agent_id, {sums} FROM counted
    GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (month, agent_id) DO UPDATE SET {added}
), recent AS (
    INSERT INTO routing_usagerecent AS kept (agent_id, calls_week, errors_week, cost_month)
    SELECT agent_id, coalesce(sum(calls) FILTER (WHERE day >= %(calls_since)s), 0),
           coalesce(sum(errors) FILTER (WHERE day >= %(calls_since)s), 0),
           coalesce(sum(cost_micros) FILTER (WHERE day >= %(cost_since)s), 0)
    FROM counted WHERE agent_id <> '' AND day >= least(%(calls_since)s, %(cost_since)s)
    GROUP BY 1 ORDER BY 1
    ON CONFLICT (agent_id) DO UPDATE SET
        calls_week = kept.calls_week + excluded.calls_week,
        errors_week = kept.errors_week + excluded.errors_week,
        cost_month = kept.cost_month + excluded.cost_month
), uses AS (
    INSERT INTO routing_modeluse AS kept (
        agent_id, route, vendor, model, way, calls, first_called_at, last_called_at)
    SELECT agent_id, route, vendor, model, way, count(*), min(started_at), max(started_at)
    FROM (
        SELECT agent_id, route, vendor, model, started_at, CASE
            WHEN is_shadow THEN 'shadow'
            WHEN attempt > 1 THEN 'fallback'
            WHEN requested_model IN (model, vendor || '/' || model) THEN 'name'
            WHEN requested_model NOT IN ('', route) THEN 'alias'
            ELSE 'route' END AS way
        FROM fresh
        WHERE status <> 'denied' AND vendor <> '' AND agent_id <> '' AND made_for = ''
        UNION ALL
        SELECT agent_id, route, vendor, reported_model, started_at,
               CASE WHEN is_substituted THEN 'substitution' ELSE 'alias' END
        FROM fresh
        WHERE status <> 'denied' AND vendor <> '' AND agent_id <> '' AND made_for = ''
          AND reported_model NOT IN ('', model) AND length(reported_model) <= {longest}
    ) AS used GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (agent_id, route, vendor, model, way) DO UPDATE SET
        calls = kept.calls + excluded.calls,
        first_called_at = least(kept.first_called_at, excluded.first_called_at),
        last_called_at = greatest(kept.last_called_at, excluded.last_called_at)
), last AS (
    SELECT xid, id FROM fresh ORDER BY xid DESC, id DESC LIMIT 1
)
UPDATE routing_usagemark AS mark
SET xid = last.xid::text::bigint, call_id = last.id, counted_at = %(now)s
FROM last WHERE mark.name = %(name)s
RETURNING (SELECT count(*) FROM fresh)
""".replace("{names}", _NAMES)
    .replace("{sums}", _SUMS)
    .replace("{added}", _ADDED)
    .replace("{failed}", _FAILED)
    .replace("{longest}", str(_LONGEST_NAME))
)
_SUM_RECENT: Final = """
INSERT INTO routing_usagerecent (agent_id, calls_week, errors_week, cost_month)
SELECT agent_id, coalesce(sum(calls) FILTER (WHERE day >= %(calls_since)s), 0),
       coalesce(sum(errors) FILTER (WHERE day >= %(calls_since)s), 0),
       coalesce(sum(cost_micros) FILTER (WHERE day >= %(cost_since)s), 0)
FROM routing_usageday
WHERE agent_id <> '' AND day >= least(%(calls_since)s, %(cost_since)s)
GROUP BY agent_id
"""


def count_usage(*, actor: Actor, batch: int = BATCH) -> int:
    """Count every call that has become final since the last time; return how many.

    Each batch is a transaction of its own, so a long backlog can be stopped anywhere.
    Records: nothing; days are an index of calls that are on the record already.
    Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    UsageMark.objects.bulk_create(
        [UsageMark(name=MARK, counted_at=clock.now())], ignore_conflicts=True
    )
    counted = 0
    while (taken := _count_batch(batch)) > 0:
        counted += taken
    return counted


@transaction.atomic
def _count_batch(batch: int) -> int:
    # The lock comes first and the count in a later statement: its snapshot then sees all
    # that the holder before us has counted.
    mark = UsageMark.objects.select_for_update().get(name=MARK)
    today = clock.now().date()
    if mark.recent_on != today:
        _begin_day(mark, today)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s > pg_snapshot_xmax(pg_current_snapshot())::text::bigint", [mark.xid]
        )
        if cursor.fetchone()[0]:
            # A dump restored into a new cluster begins its transaction ids anew.
            logger.error("usage.mark_ahead: calls are newer than this database's transactions")
            return 0
        values: dict[str, Any] = {
            "xid": mark.xid, "call_id": mark.call_id, "batch": batch,
            "now": clock.now(), "name": MARK, **_recently(today),
        }  # fmt: skip
        cursor.execute(_COUNT, values)
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _begin_day(mark: UsageMark, today: date) -> None:
    # What was counted for yesterday's last days holds a day too many, and the next not at all.
    UsageRecent.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(_SUM_RECENT, _recently(today))
    mark.recent_on = today
    mark.save(update_fields=["recent_on"])


def _recently(today: date) -> dict[str, date]:
    return {
        "calls_since": today - timedelta(days=UsageRecent.CALLS_DAYS - 1),
        "cost_since": today - timedelta(days=UsageRecent.COST_DAYS - 1),
    }
