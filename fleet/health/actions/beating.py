"""Heartbeats: taken from an agent by its key, and missed when they do not come.

An agent's word is taken as it is said; its absence counts from the moment it was expected plus
the grace. Whoever was not looking meanwhile looks at the latest state only: what was missed while
nobody could have heard it is not held against the agent.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from approvals.channels import plain
from fleet.health.actions.counted_days import count_days
from fleet.health.actions.following import expectation
from fleet.health.actions.restating import restate
from fleet.health.damping import RULES, SELDOM, SELDOM_SECONDS, Damping, settle
from fleet.health.models import AgentHealth, Check, Source, Sweep
from fleet.health.schedules import late_at
from kernel import clock
from registry.actors import Actor
from registry.models import Agent, Role

STATUSES: Final = {"ok": "healthy", "degraded": "degraded", "down": "down"}
LONGEST: Final = 500
BATCH: Final = 500
GAP: Final = timedelta(minutes=2)  # longer than this nobody was looking
NAME: Final = "late"
_REASONS: Final = {
    "healthy": "Its heartbeats come.",
    "degraded": "It says that it is degraded.",
    "down": "It says that it is down.",
}
_SAVED: Final = (
    "status", "since", "reason", "recent", "seen_at", "misses", "said", "said_at", "due_at",
)  # fmt: skip


@transaction.atomic
def take_heartbeat(agent: Agent, *, status: str, message: str = "", actor: Actor) -> Check:
    """Note that an agent says how it is; the same again changes nothing but when it was heard.

    Records: nothing; a heartbeat is no evidence, and the last one only is kept.
    """
    now = clock.now()
    AgentHealth.objects.bulk_create([AgentHealth(agent=agent, since=now)], ignore_conflicts=True)
    # One that says how it is without having been asked is heard, and never late.
    unasked = Check(
        agent=agent, source=Source.HEARTBEAT, kind=Check.Kind.HEARTBEAT,
        origin=Check.Origin.SERVICE, since=now,
    )  # fmt: skip
    Check.objects.bulk_create([unasked], ignore_conflicts=True)
    check = Check.objects.select_for_update().get(agent=agent, source=Source.HEARTBEAT)
    was_late = check.misses > 0
    check.seen_at = max(now, check.seen_at or now)
    check.misses = 0
    if message.strip() or check.said:
        check.said, check.said_at = plain.line(message.strip(), LONGEST), now
    if check.interval_seconds or check.cron:
        check.due_at = late_at(now, **expectation(check))
    rule = SELDOM if was_late else _rule(check)
    changed = _settle(check, STATUSES[status], _REASONS[STATUSES[status]], rule, now)
    check.save(update_fields=list(_SAVED))
    count_days({agent.pk: {"beats": 1}})
    if changed:
        restate([agent.pk])
    return check


def note_late(*, actor: Actor) -> int:
    """Note every heartbeat that has not come in time; return how many.

    Records: nothing; an incident that follows from it is on record.
    Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    _begin()
    noted = 0
    while taken := _note_batch():
        noted += taken
    return noted


@transaction.atomic
def _begin() -> None:
    """Note that somebody looks; after a gap, give what could not have been heard its time."""
    now = clock.now()
    Sweep.objects.bulk_create([Sweep(name=NAME, at=now)], ignore_conflicts=True)
    mark = Sweep.objects.select_for_update().get(name=NAME)
    since, mark.at = mark.at, now
    mark.save(update_fields=["at"])
    if abs(now - since) <= GAP:
        return
    beats = Check.objects.filter(source=Source.HEARTBEAT)
    # If anybody was heard meanwhile, we could hear; who was silent was silent.
    if now > since and beats.filter(seen_at__gt=since, seen_at__lte=now - GAP / 4).exists():
        return
    # Nobody could be heard, or the clock was set: everything is expected from now on.
    for check in beats.filter(due_at__isnull=False, due_at__lte=max(now, since)).iterator():
        check.due_at = late_at(now, **expectation(check))
        check.save(update_fields=["due_at"])


@transaction.atomic
def _note_batch() -> int:
    now = clock.now()
    due = Check.objects.filter(source=Source.HEARTBEAT, due_at__lte=now).order_by("due_at")
    checks = list(due.select_for_update(skip_locked=True)[:BATCH])
    changed = []
    for check in checks:
        check.misses += 1
        # The first one missed may be slow; the second in a row is not there.
        seen = "degraded" if check.misses == 1 else "down"
        moved = _settle(check, seen, _missed(check), _rule(check), now)
        if moved:
            changed.append(check.agent_id)
        # After the second there is nothing more to find out until it comes back.
        check.due_at = late_at(now, **expectation(check)) if check.misses == 1 else None
        check.save(update_fields=list(_SAVED))
    count_days({check.agent_id: {"late": 1} for check in checks})
    restate(changed)
    return len(checks)


def _settle(check: Check, seen: str, reason: str, rule: Damping, now: datetime) -> bool:
    settled = settle(check.status, check.recent, seen, rule)
    check.recent = settled.recent
    moved = settled.status != check.status
    if moved:
        check.status, check.since = settled.status, now
    if moved or settled.status == seen:
        moved = moved or check.reason != reason
        check.reason = reason
    return moved


def _rule(check: Check) -> Damping:
    seldom = bool(check.cron) or check.interval_seconds >= SELDOM_SECONDS
    return SELDOM if seldom else RULES["heartbeat"]


def _missed(check: Check) -> str:
    if check.seen_at is None:
        return "No heartbeat has come yet."
    when = f"{check.seen_at:%Y-%m-%d %H:%M} UTC"
    number = "A heartbeat is" if check.misses == 1 else "Heartbeats are"
    return f"{number} late; the last one came {when}."
