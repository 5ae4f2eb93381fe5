"""Probes that are due: claimed in batches, and what came of them applied in batches.

Between the two nothing is held but a lease. The next probe is due by the clock, not by the last
one's end, and one that was missed is not made up for: only the latest state counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from fleet.health.actions.counted_days import count_days
from fleet.health.actions.restating import restate
from fleet.health.damping import RULES, settle
from fleet.health.models import Check, Source
from fleet.health.probing.challenge import secret_text
from fleet.health.probing.judging import Judged
from kernel import clock
from registry.actors import Actor
from registry.models import Role
from registry.pepper import pepper_ring

LEASE_SECONDS: Final = 60
# A clock that was set back leaves a check due in a day that is not near: it is taken at once.
_CLAIM: Final = """
WITH due AS (
    SELECT id FROM health_check
    WHERE source = 'probe' AND due_at IS NOT NULL
      AND (due_at <= %(now)s
           OR due_at > %(now)s + (interval_seconds + 60) * interval '1 second')
      AND (leased_until IS NULL OR leased_until < %(now)s
           OR leased_until > %(now)s + interval '10 minutes')
    ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE health_check AS taken
SET fence = taken.fence + 1,
    leased_until = %(now)s + %(lease)s * interval '1 second',
    due_at = CASE WHEN taken.due_at > %(now)s - taken.interval_seconds * interval '1 second'
                   AND taken.due_at <= %(now)s
             THEN taken.due_at ELSE %(now)s END + taken.interval_seconds * interval '1 second'
FROM due, registry_agent AS agent, health_check AS before
WHERE taken.id = due.id AND before.id = due.id AND agent.id = taken.agent_id
RETURNING taken.id, taken.fence, agent.name, agent.public_id, taken.kind, taken.url, taken.host,
          taken.allow_private, taken.secret_number, taken.secret_pepper, taken.is_proven,
          before.due_at
"""
_APPLY: Final = """
UPDATE health_check AS kept
SET status = said.status, since = said.since, reason = said.reason, cause = said.cause,
    recent = said.recent, seen_at = %(now)s, is_proven = said.is_proven, leased_until = NULL
FROM unnest(%(id)s::bigint[], %(fence)s::bigint[], %(status)s::text[], %(since)s::timestamptz[],
            %(reason)s::text[], %(cause)s::text[], %(recent)s::text[], %(proven)s::bool[])
     AS said (id, fence, status, since, reason, cause, recent, is_proven)
WHERE kept.id = said.id AND kept.fence = said.fence
"""


@dataclass(frozen=True, slots=True)
class Due:
    """One probe that is to be made, claimed by its fence."""

    check: int
    fence: int
    agent: str
    kind: str
    url: str
    host: str
    allow_private: bool
    secret: str = field(repr=False)
    was_proven: bool
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one probe."""

    due: Due
    judged: Judged


@transaction.atomic
def claim_probes(limit: int, *, actor: Actor) -> list[Due]:
    """Take probes that are due, the longest due first.

    Records: nothing; what they find is in the status. Raises: RoleMissing, PepperMissing.
    """
    actor.require(Role.PLATFORM)
    ring, now = pepper_ring(), clock.now()
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"now": now, "limit": limit, "lease": LEASE_SECONDS})
        rows = cursor.fetchall()
    return [
        Due(
            check=row[0], fence=row[1], agent=row[2], kind=row[4], url=row[5], host=row[6],
            allow_private=row[7], secret=secret_text(ring, row[3], row[8], row[9]),
            was_proven=row[10], due_at=row[11],
        )
        for row in rows
    ]  # fmt: skip


@transaction.atomic
def apply_probes(found: Sequence[Done], *, actor: Actor) -> int:
    """Put what probes found into their checks; return how many statuses of agents changed.

    A probe whose check was claimed anew since, or changed, says nothing any more.
    Records: nothing; an incident that follows is on record. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    by_check = {done.due.check: done for done in found}
    rows = Check.objects.select_for_update().filter(pk__in=by_check, source=Source.PROBE)
    kept = [
        check for check in rows.order_by("pk")
        if check.fence == by_check[check.pk].due.fence and check.url == by_check[check.pk].due.url
    ]  # fmt: skip
    now, moved, counts = clock.now(), [], {}
    for check in kept:
        done = by_check[check.pk]
        if _add(check, done, now):
            moved.append(check.agent_id)
        counts[check.agent_id] = {"probes": 1, "failed": int(done.judged.seen != "healthy")}
    with connection.cursor() as cursor:
        cursor.execute(_APPLY, {**_columns(kept), "now": now})
    count_days(counts)
    return restate(moved)


def _add(check: Check, done: Done, now: datetime) -> bool:
    judged = done.judged
    settled = settle(check.status, check.recent, judged.seen, RULES["probe"])
    check.recent = settled.recent
    check.is_proven = check.is_proven or judged.is_proven
    moved = settled.status != check.status
    if moved:
        check.status, check.since = settled.status, now
    if settled.status == judged.seen and (moved or check.reason != judged.reason):
        moved = True
        check.reason = judged.reason
        check.cause = f"host:{check.host}" if judged.seen == "down" and check.host else ""
    return moved


def _columns(checks: Sequence[Check]) -> dict[str, list[object]]:
    return {
        "id": [each.pk for each in checks],
        "fence": [each.fence for each in checks],
        "status": [str(each.status) for each in checks],
        "since": [each.since for each in checks],
        "reason": [each.reason for each in checks],
        "cause": [each.cause for each in checks],
        "recent": [each.recent for each in checks],
        "proven": [each.is_proven for each in checks],
    }
