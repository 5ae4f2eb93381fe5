"""An agent that is retired is watched no more, from the moment of its end and not a sweep later.

Owns that nobody is woken by the silence of an agent that was ended on purpose. Its checks stay
as they were set up: if it comes back, following the registry begins them again.
"""

from __future__ import annotations

from django.db import transaction

from fleet.health.actions.incidents import resolve_incident
from fleet.health.actions.restating import restate
from fleet.health.models import AgentHealth, Check
from registry.actors import Actor
from registry.models import Agent


class UnwatchedHealth:
    """Stops the checks of a retired agent."""

    noun = "health check"
    after_return = "Its health is watched again by itself."

    def stop(self, agent: Agent, *, actor: Actor) -> int:
        return stop_watching(agent, actor=actor)


@transaction.atomic
def stop_watching(agent: Agent, *, actor: Actor) -> int:
    """Look at one agent no more, and close its incident; return how many checks were due.

    Records: incident.resolved, where one was open.
    """
    due = Check.objects.filter(agent=agent, due_at__isnull=False)
    count = due.update(due_at=None, leased_until=None)
    AgentHealth.objects.filter(agent=agent).update(is_watched=False)
    restate([agent.pk])
    resolve_incident(str(agent.ref), why="The agent is retired.", actor=actor)
    return count
