"""What each agent's status is, made anew from its checks: one change for however many outcomes.

Owns the two tables of standing. Whoever changed a check calls it in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fleet.health.damping import RANKS, worst_of
from fleet.health.models import AgentHealth, Check, HealthChange
from kernel import clock


def restate(agents: Collection[int]) -> int:
    """Bring the status of some agents up to what their checks say; return how many changed.

    Records: nothing; an incident that follows from it is on record.
    """
    if not agents:
        return 0
    by_agent: dict[int, list[Check]] = {pk: [] for pk in agents}
    for check in Check.objects.filter(agent_id__in=agents).order_by("source"):
        by_agent[check.agent_id].append(check)
    # Locked in one order, so that two who change some of the same agents wait for each other.
    rows = AgentHealth.objects.select_for_update().filter(agent_id__in=agents).order_by("agent_id")
    changed, changes, now = [], [], clock.now()
    for row in rows:
        status, source, reason, cause = _stated(row, by_agent[row.agent_id])
        if (status, reason, cause, source) == (row.status, row.reason, row.cause, row.source):
            continue
        if status != row.status:
            changes.append(
                HealthChange(
                    agent_id=row.agent_id,
                    at=now,
                    before=row.status,
                    status=status,
                    source=source,
                    reason=reason,
                )
            )
            row.since = now
        row.status, row.rank = status, RANKS[status]
        row.source, row.reason, row.cause = source, reason, cause
        changed.append(row)
    AgentHealth.objects.bulk_update(
        changed, ["status", "rank", "since", "source", "reason", "cause"], batch_size=500
    )
    HealthChange.objects.bulk_create(changes)
    return len(changes)


def _stated(row: AgentHealth, checks: Iterable[Check]) -> tuple[str, str, str, str]:
    known = list(checks)
    if not row.is_watched:
        return "unknown", "", "It is not in service.", ""
    status = worst_of(check.status for check in known)
    saying = [check for check in known if check.status == status]
    if not saying:
        return "unknown", "", "Nothing is known of it: it has made no calls, and has no check.", ""
    first = min(saying, key=lambda check: check.since)
    return status, first.source, first.reason, first.cause
