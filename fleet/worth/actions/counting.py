"""Counting days: what ended, what people gave, what ran. A day is counted as a whole, or anew.

Today and yesterday are counted at every sweep, days before them once; the same day twice
comes to the same. Outcomes are of the day on which they ended.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min

from fleet.worth.models import WorthMark
from kernel import clock
from registry.actors import Actor
from registry.models import Role
from routing.models import UsageDay

MARK: Final = "days"
BACK: Final = timedelta(days=100)  # as far as anything here looks
_OUTCOMES: Final = """
DELETE FROM worth_outcomeday WHERE day = %(day)s;
INSERT INTO worth_outcomeday
    (agent_id, day, action, accepted, edited, kept_permille, rejected, failed)
SELECT agent.public_id, %(day)s, place.name || '.' || operation.name,
       count(*) FILTER (WHERE done AND NOT changed),
       count(*) FILTER (WHERE done AND changed),
       coalesce(sum(CASE WHEN done AND changed AND paths > 0
                         THEN 1000 - 1000 * paths_changed / paths ELSE 0 END), 0),
       count(*) FILTER (WHERE proposal.state = 'denied'),
       count(*) FILTER (WHERE proposal.state = 'failed')
FROM (
    SELECT p.*, p.state = 'succeeded' AS done, p.decided_digest <> p.action_digest AS changed
    FROM effects_proposal AS p
    WHERE p.ended_at >= %(since)s AND p.ended_at < %(until)s
      AND (p.state IN ('succeeded', 'failed')
           OR p.state = 'denied' AND p.decided_how = 'people')
) AS proposal
JOIN registry_agent AS agent ON agent.id = proposal.agent_id
JOIN effects_operation AS operation ON operation.id = proposal.operation_id
JOIN effects_connection AS place ON place.id = operation.connection_id
LEFT JOIN effects_correction AS correction ON correction.proposal_id = proposal.id
GROUP BY 1, 3
"""
_DAY: Final = """
DELETE FROM worth_worthday WHERE day = %(day)s;
INSERT INTO worth_worthday
    (agent_id, day, runs, good_runs, tool_micros, answers, review_seconds)
SELECT agent_id, %(day)s, sum(runs), sum(good), sum(tools), sum(answers), sum(seconds) FROM (
    SELECT agent_id, count(*) AS runs,
           count(*) FILTER (WHERE failed_count <= 0 AND denied_count = 0) AS good,
           0 AS tools, 0 AS answers, 0 AS seconds
    FROM routing_runsummary
    WHERE started_at >= %(since)s AND started_at < %(until)s
      AND NOT (own_count > 0 AND own_count >= call_count)
    GROUP BY 1
    UNION ALL
    SELECT agent_id, 0, 0, sum(cost_micros), 0, 0
    FROM routing_reportedstep
    WHERE recorded_at >= %(since)s AND recorded_at < %(until)s AND type IN ('tool', 'retrieval')
      AND cost_micros IS NOT NULL AND currency = 'USD' AND observed = ''
      AND agent_id IN (SELECT DISTINCT agent_id FROM routing_runsummary
                       WHERE last_at >= %(since)s AND reported_count > 0)
    GROUP BY 1
    UNION ALL
    SELECT review.about_agent, 0, 0, 0, count(*),
           sum(least(%(cap)s, greatest(0, ceil(extract(epoch FROM
               answer.created_at - review.created_at)))))::bigint
    FROM approvals_reviewdecision AS answer
    JOIN approvals_review AS review ON review.id = answer.review_id
    WHERE answer.created_at >= %(since)s AND answer.created_at < %(until)s
      AND review.about_agent <> ''
    GROUP BY 1
) AS told (agent_id, runs, good, tools, answers, seconds)
WHERE agent_id <> '' GROUP BY 1
"""


def count_days(*, actor: Actor) -> int:
    """Count every day that may have changed; return how many.

    Each day is a transaction of its own, so a long backlog can be stopped anywhere.
    Records: nothing; the sums are an index of what is on record already.
    Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    today = clock.now().date()
    WorthMark.objects.bulk_create(
        [WorthMark(name=MARK, counted_to=_first(today))], ignore_conflicts=True
    )
    counted = 0
    while (day := _count_next(today)) is not None:
        counted += 1
        if day >= today:
            break
    return counted


@transaction.atomic
def _count_next(today: date) -> date | None:
    """Count the first day that is not counted for good, and those after it that may change."""
    mark = WorthMark.objects.select_for_update().get(name=MARK)
    day = mark.counted_to
    if day > today:
        return None
    count_day(day)
    if day < today - timedelta(days=1):
        mark.counted_to = day + timedelta(days=1)
        mark.save(update_fields=["counted_to"])
        return day
    for later in range((today - day).days):
        count_day(day + timedelta(days=later + 1))
    return today


def count_day(day: date) -> None:
    """Put the sums of one day in the place of those there were."""
    since = datetime.combine(day, time(), UTC)
    values: dict[str, Any] = {
        "day": day, "since": since, "until": since + timedelta(days=1),
        "cap": settings.REVIEW_MINUTES_CAP * 60,
    }  # fmt: skip
    with connection.cursor() as cursor:
        for statements in (_OUTCOMES, _DAY):
            for statement in statements.split(";"):
                cursor.execute(statement, values)


def _first(today: date) -> date:
    oldest = UsageDay.objects.aggregate(day=Min("day"))["day"]
    return max(today - BACK, min(oldest or today, today - timedelta(days=1)))
