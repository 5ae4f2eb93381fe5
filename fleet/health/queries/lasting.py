"""How long agents were how, by day: one statement over their changes, by team or by agent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db import connection

from fleet.health.models import TeamDay
from fleet.health.uptime import Bar
from kernel import clock

DAYS: Final = 90
_READ: Final = """
WITH asked AS (
    SELECT agent.id, {key} AS key FROM registry_agent AS agent
    LEFT JOIN registry_team AS team ON team.id = agent.team_id
    WHERE {which}
), days AS (
    SELECT day, (day::timestamp AT TIME ZONE 'UTC') AS begins,
           least((day + 1)::timestamp AT TIME ZONE 'UTC', %(now)s) AS ends
    FROM unnest(%(days)s::date[]) AS listed (day)
), spans AS (
    SELECT asked.id, asked.key, days.day, days.ends, change.at, change.id AS number, change.status
    FROM asked CROSS JOIN days CROSS JOIN LATERAL (
        -- Ordered by what is stored: a bare "at" would be the constant that is returned.
        (SELECT days.begins AS at, 0::bigint AS id, before.status
         FROM health_healthchange AS before
         WHERE before.agent_id = asked.id AND before.at <= days.begins
         ORDER BY before.at DESC, before.id DESC LIMIT 1)
        UNION ALL
        (SELECT during.at, during.id, during.status FROM health_healthchange AS during
         WHERE during.agent_id = asked.id AND during.at > days.begins AND during.at < days.ends)
    ) AS change
), pieces AS (
    SELECT key, day, status,
           lead(at, 1, ends) OVER (PARTITION BY id, day ORDER BY at, number) - at AS lasted
    FROM spans
)
SELECT key, day, status, round(sum(extract(epoch FROM lasted)))::bigint
FROM pieces WHERE status <> 'unknown' GROUP BY 1, 2, 3
"""
_BY_TEAM: Final = _READ.format(key="coalesce(team.public_id, '')", which="true")
_BY_AGENT: Final = _READ.format(key="agent.public_id", which="agent.id = ANY(%(agents)s)")
Sums = dict[tuple[str, date], Bar]


def lasted_by_team(days: Iterable[date]) -> Sums:
    """Return how long the agents of each team were how on some days."""
    return _read(_BY_TEAM, days)


def lasted_by_agent(agents: Iterable[int], days: Iterable[date]) -> Sums:
    """Return how long some agents were how on some days, by their public ids."""
    return _read(_BY_AGENT, days, agents=list(agents))


def last_days(count: int = DAYS) -> list[date]:
    """Return the last days in UTC, today the last of them."""
    today = clock.now().astimezone(UTC).date()
    return [today - timedelta(days=back) for back in reversed(range(count))]


def bars_by_team() -> dict[str, list[Bar]]:
    """Return each team's last ninety days: what is over from the sums, today as it stands."""
    days = last_days()
    sums = {
        (row.team, row.day): Bar(row.day, row.healthy, row.degraded, row.down)
        for row in TeamDay.objects.filter(day__gte=days[0], day__lt=days[-1])
    }
    return in_order(sums | lasted_by_team(days[-1:]), days)


def in_order(sums: Sums, days: list[date]) -> dict[str, list[Bar]]:
    """Return a bar for each day of each key, also where nothing is known."""
    return {
        key: [sums.get((key, day), Bar(day)) for day in days]
        for key in sorted({key for key, _ in sums})
    }


def _read(statement: str, days: Iterable[date], **given: Any) -> Sums:
    now: datetime = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(statement, {"now": now, "days": list(days), **given})
        rows: list[Any] = cursor.fetchall()
    counted: dict[tuple[str, date], dict[str, int]] = {}
    for key, day, status, seconds in rows:
        counted.setdefault((key, day), {})[status] = max(int(seconds), 0)
    return {place: Bar(place[1], **each) for place, each in counted.items()}
