"""Golden cases as they are listed and read, for those who see an agent's inside."""

from __future__ import annotations

from django.db.models import QuerySet

from fleet.evaluations.errors import GoldenNotFound
from fleet.evaluations.models import GoldenCase
from registry.actors import Actor
from registry.models import Agent
from registry.queries.agents import agent_inside_for
from routing.queries.calls import seen_agents


def golden_cases_for(actor: Actor, agent: Agent, *, ended: bool = False) -> QuerySet[GoldenCase]:
    """Return an agent's cases in use, or every version. Raises: AgentNotFound, NotYourAgent."""
    rows = GoldenCase.objects.filter(agent=agent_inside_for(actor, agent.public_id))
    rows = rows.select_related("agent", "agent__owner", "agent__backup_owner")
    return rows if ended else rows.filter(state=GoldenCase.State.LIVE)


def golden_case_for(actor: Actor, public_id: str) -> GoldenCase:
    """Return one version of a case. Raises: GoldenNotFound."""
    said = "" if "\x00" in public_id else public_id
    rows = GoldenCase.objects.select_related("agent", "agent__owner", "agent__backup_owner")
    seen = seen_agents(actor)
    if seen is not None:
        rows = rows.filter(agent__in=seen)
    found = rows.filter(public_id=said).first()
    if found is None:
        raise GoldenNotFound(f"There is no golden case {said[:60]!r}, or you may not see it.")
    return found


def versions_of(golden: GoldenCase) -> QuerySet[GoldenCase]:
    """Return every version of a case, the newest first."""
    return GoldenCase.objects.filter(agent=golden.agent, name=golden.name).order_by("-number")
