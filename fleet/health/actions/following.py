"""Following the registry: each agent's checks are what the manifest in force asks for.

What somebody set in the portal stays; what the manifest asked for follows it. An address that
changed is a new one: what was allowed of the one before, and proved there, does not hold for it.
"""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Q

from fleet.health.actions.restating import restate
from fleet.health.expected import Expected, expected_of
from fleet.health.models import AgentHealth, Check
from fleet.health.schedules import late_at
from kernel import clock
from registry.actors import Actor
from registry.models import Agent, Role

BATCH: Final = 500
Origin = Check.Origin


def follow_registry(*, actor: Actor) -> int:
    """Bring checks up to date for every agent that changed; return how many did.

    Records: nothing; checks follow from manifests, which are on record.
    Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    followed = 0
    while taken := _follow_batch():
        followed += taken
    return followed


@transaction.atomic
def _follow_batch() -> int:
    runs = Q(stage__in=Agent.CALLABLE, suspended_at__isnull=True, killed_at__isnull=True)
    stale = (
        Q(health__isnull=True)
        | (runs & (~Q(health__version_id=F("current_version_id")) | Q(health__is_watched=False)))
        | (~runs & Q(health__is_watched=True))
    )
    rows = Agent.objects.filter(stale).select_related("current_version").order_by("pk")[:BATCH]
    agents = list(rows)
    if not agents:
        return 0
    now = clock.now()
    AgentHealth.objects.bulk_create(
        [AgentHealth(agent=agent, since=now) for agent in agents], ignore_conflicts=True
    )
    healths = AgentHealth.objects.select_for_update().filter(agent__in=agents).order_by("agent_id")
    by_agent = {row.agent_id: row for row in healths}
    for agent in agents:
        row = by_agent[agent.pk]
        row.version_id, row.is_watched = agent.current_version_id, agent.is_callable
    AgentHealth.objects.bulk_update(by_agent.values(), ["version_id", "is_watched"])
    _follow_checks(agents, now)
    restate([agent.pk for agent in agents])
    return len(agents)


def _follow_checks(agents: list[Agent], now: datetime) -> None:
    kept = {
        (check.agent_id, check.source): check
        for check in Check.objects.select_for_update().filter(agent__in=agents).order_by("pk")
    }
    made = []
    for agent in agents:
        wanted = _wanted(agent)
        for source in ("heartbeat", "probe"):
            check = kept.get((agent.pk, source))
            if check is not None and check.origin == Origin.PORTAL:
                _pause_or_begin(check, agent, now)
            elif wanted is not None and wanted.source == source:
                if check is None:
                    made.append(set_up(Check(agent=agent, source=source, since=now), wanted, now))
                    made[-1].origin = Origin.MANIFEST
                    made[-1].due_at = made[-1].due_at if agent.is_callable else None
                else:
                    _change(check, wanted, agent, now)
            elif check is not None:
                _stop(check)
    Check.objects.bulk_create(made, ignore_conflicts=True)


def set_up(check: Check, wanted: Expected, now: datetime) -> Check:
    """Put what is expected into a check, and say when it is due first."""
    if check.url != wanted.url:
        check.allow_private = check.is_proven = False
    check.kind, check.url, check.host = wanted.kind, wanted.url, wanted.host
    check.interval_seconds, check.grace_seconds = wanted.interval_seconds, wanted.grace_seconds
    check.cron, check.zone = wanted.cron, wanted.zone
    check.due_at = first_due(check, now)
    return check


SET_UP: Final = (
    "kind", "url", "host", "interval_seconds", "grace_seconds", "cron", "zone", "allow_private",
    "is_proven", "due_at",
)  # fmt: skip


def first_due(check: Check, now: datetime) -> datetime | None:
    """Return when a check is looked at first: probes are spread over their interval."""
    if check.source == "probe":
        if not check.url:
            return None
        spread = zlib.crc32(str(check.agent_id).encode()) % max(check.interval_seconds, 1)
        return now + timedelta(seconds=min(spread, check.interval_seconds))
    # An agent that was never heard of is late from its first expected heartbeat on.
    return late_at(now, **expectation(check))


def expectation(check: Check) -> dict[str, Any]:
    """Return what says when a heartbeat is late."""
    return {
        "interval": check.interval_seconds,
        "grace": check.grace_seconds,
        "cron": check.cron,
        "zone": check.zone,
    }


def _wanted(agent: Agent) -> Expected | None:
    version = agent.current_version
    return expected_of(version.manifest["spec"]) if version is not None else None


def _change(check: Check, wanted: Expected, agent: Agent, now: datetime) -> None:
    asked = ("kind", "url", "interval_seconds", "grace_seconds", "cron", "zone")
    is_same = all(getattr(check, name) == getattr(wanted, name) for name in asked)
    if is_same:
        _pause_or_begin(check, agent, now)
        return
    set_up(check, wanted, now)
    if not agent.is_callable:
        check.due_at = None
    check.save(update_fields=list(SET_UP))


def _pause_or_begin(check: Check, agent: Agent, now: datetime) -> None:
    """Watch nothing of an agent that does not run; begin anew when it does."""
    due = None
    if agent.is_callable:
        due = check.due_at or first_due(check, now)
    if due != check.due_at:
        check.due_at = due
        check.save(update_fields=["due_at"])


def _stop(check: Check) -> None:
    # What nobody asks for any more says nothing any more.
    check.status, check.reason, check.cause, check.recent = "unknown", "", "", ""
    check.due_at = None
    check.save(update_fields=["status", "reason", "cause", "recent", "due_at"])
