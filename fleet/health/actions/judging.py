"""Judging agents by their calls, once a minute: one statement for all, and rows for what moved."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction

from fleet.health.actions.counting import count_calls
from fleet.health.actions.restating import restate
from fleet.health.damping import RULES, settle
from fleet.health.models import AgentHealth, Check, Source, Sweep
from fleet.health.usual import Recent, Said, say
from kernel import clock
from registry.actors import Actor
from registry.models import Role

NAME: Final = "judged"
EVERY: Final = timedelta(seconds=50)
SILENT_HOURS: Final = 3
_READ: Final = """
WITH lately AS (
    SELECT agent_id, vendor, sum(calls) AS calls, sum(errors) AS errors FROM health_callwindow
    WHERE minutes = 5 AND starts_at > %(now)s - interval '20 minutes' GROUP BY 1, 2
), recent AS (
    SELECT agent_id, sum(calls) AS calls, sum(errors) AS errors,
           (array_agg(vendor ORDER BY errors DESC))[1] AS vendor, max(errors) AS most
    FROM lately GROUP BY 1
), habit AS (
    SELECT agent_id, sum(errors)::float / nullif(sum(calls), 0) AS share FROM health_callwindow
    WHERE minutes = 60 AND starts_at < %(hour)s AND starts_at >= %(hour)s - interval '28 days'
      AND agent_id IN (SELECT agent_id FROM recent WHERE errors > 0)
    GROUP BY 1
), weeks AS (
    SELECT agent_id, (%(hour)s - starts_at) AS age, calls,
           (extract(epoch FROM %(hour)s - starts_at) / 604800)::int AS week
    FROM health_callwindow WHERE minutes = 60 AND starts_at = ANY(%(hours)s)
), usual AS (
    SELECT agent_id, min(calls) AS calls FROM (
        SELECT agent_id, week, sum(calls) AS calls FROM weeks GROUP BY 1, 2
    ) AS by_week GROUP BY 1 HAVING count(*) >= 2
), now_hours AS (
    SELECT agent_id, sum(calls) AS calls FROM health_callwindow
    WHERE minutes = 60 AND starts_at >= %(since)s GROUP BY 1
)
SELECT agent.id, coalesce(recent.calls, 0), coalesce(recent.errors, 0), coalesce(habit.share, 0),
       coalesce(usual.calls, 0), coalesce(now_hours.calls, 0), coalesce(recent.vendor, ''),
       coalesce(recent.most, 0)
FROM registry_agent AS agent
JOIN health_agenthealth AS health ON health.agent_id = agent.id AND health.is_watched
LEFT JOIN recent ON recent.agent_id = agent.public_id
LEFT JOIN habit ON habit.agent_id = agent.public_id
LEFT JOIN usual ON usual.agent_id = agent.public_id
LEFT JOIN now_hours ON now_hours.agent_id = agent.public_id
WHERE recent.agent_id IS NOT NULL OR usual.agent_id IS NOT NULL
"""


def judge_calls(*, actor: Actor) -> int:
    """Count what is new and judge every agent by it; return how many statuses changed.

    Records: nothing; an incident that follows is on record. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    count_calls(actor=actor)
    return _judge()


@transaction.atomic
def _judge() -> int:
    now = clock.now()
    Sweep.objects.bulk_create([Sweep(name=NAME, at=now - EVERY)], ignore_conflicts=True)
    mark = Sweep.objects.select_for_update().get(name=NAME)
    if now - EVERY < mark.at <= now:
        return 0  # outcomes are counted by the minute: twice in one would be damped as two
    mark.at = now
    mark.save(update_fields=["at"])
    said = {pk: say(recent) for pk, recent in _recent(now)}
    known = {
        check.agent_id: check
        for check in Check.objects.select_for_update().filter(source=Source.GATEWAY).order_by("pk")
    }
    made, changed, moved = [], [], []
    for pk, one in said.items():
        check = known.get(pk)
        if not one.seen or (check is not None and _is_steady(check, one)):
            continue
        if check is None:
            check = Check(
                agent_id=pk, source=Source.GATEWAY, kind=Check.Kind.GATEWAY,
                origin=Check.Origin.SERVICE, since=now,
            )  # fmt: skip
            made.append(check)
        else:
            changed.append(check)
        if _add(check, one, now):
            moved.append(pk)
    Check.objects.bulk_create(made, ignore_conflicts=True)
    fields = ["status", "since", "reason", "cause", "recent", "seen_at"]
    Check.objects.bulk_update(changed, fields, batch_size=500)
    watched = AgentHealth.objects.filter(agent_id__in=moved).values_list("agent_id", flat=True)
    return restate(list(watched))


def _recent(now: datetime) -> list[tuple[int, Recent]]:
    hour = now.replace(minute=0, second=0, microsecond=0)
    since = hour - timedelta(hours=SILENT_HOURS)
    hours = [
        hour - timedelta(weeks=week, hours=back)
        for week in (1, 2, 3, 4)
        for back in range(1, SILENT_HOURS + 1)
    ]
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"now": now, "hour": hour, "since": since, "hours": hours})
        rows: list[Any] = cursor.fetchall()
    return [
        (row[0], Recent(int(row[1]), int(row[2]), float(row[3]), float(row[4]), int(row[5]), row[6],
                        int(row[7])))
        for row in rows
    ]  # fmt: skip


def _is_steady(check: Check, said: Said) -> bool:
    """Say whether one more of the same changes nothing that is kept."""
    letter = {"healthy": "h", "degraded": "g", "down": "d"}[said.seen]
    return check.status == said.seen and set(check.recent) == {letter} and len(check.recent) >= 3


def _add(check: Check, said: Said, now: datetime) -> bool:
    settled = settle(check.status, check.recent, said.seen, RULES["gateway"])
    check.recent, check.seen_at = settled.recent, now
    moved = settled.status != check.status
    if moved:
        check.status, check.since = settled.status, now
    if settled.status == said.seen:
        moved = moved or (check.reason, check.cause) != (said.reason, said.cause)
        check.reason, check.cause = said.reason, said.cause
    return moved
