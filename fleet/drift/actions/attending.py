"""An incident for each list of a vendor, or feed, that is silent for too long, until it is read.

Nobody sees what a list does not say: an announcement goes by unheard while it cannot be read.
"""

from __future__ import annotations

from typing import Final

from fleet.drift.queries.sources import silent_sources
from fleet.health.actions.incidents import open_incident, resolve_incident
from fleet.health.models import Incident
from kernel import clock
from registry.actors import Actor

KIND: Final = "sync"


def attend_sources(*, actor: Actor) -> int:
    """Open an incident for what has been silent too long, close those of what is read again.

    Return how many are silent. Records: incident.opened, incident.resolved.
    """
    silent = silent_sources(clock.now())
    for source in silent:
        open_incident(
            key=source.key,
            kind=KIND,
            subject=source.subject,
            agent=None,
            title=source.title,
            severity=Incident.Severity.DEGRADED,
            facts={
                "reason": f"{source.code} since {source.since:%Y-%m-%d %H:%M} UTC. What it said"
                " before still counts; what is announced now is not heard.",
                "code": source.code,
            },
            actor=actor,
        )
    still = {source.key for source in silent}
    opened = Incident.objects.filter(kind=KIND, resolved_at__isnull=True)
    for key in opened.values_list("key", flat=True):
        if key not in still:
            resolve_incident(key, why="It is read again, or no longer asked.", actor=actor)
    return len(silent)
