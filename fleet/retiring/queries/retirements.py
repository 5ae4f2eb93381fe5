"""Reading retirements: everybody who is signed in may know that an agent ends, and what follows."""

from __future__ import annotations

from typing import Final

from django.db.models import Count, Q, QuerySet

from fleet.retiring.errors import RetirementNotFound
from fleet.retiring.models import Retirement
from registry.actors import Actor
from registry.models import Agent, Role
from registry.queries.agents import owns

SHREDDING: Final = (Role.PLATFORM, Role.SECURITY)


def retirements_for(actor: Actor) -> QuerySet[Retirement]:
    """Return every retirement, as the inventory is everybody's."""
    rows = Retirement.objects.select_related("agent__owner", "agent__team", "successor")
    return rows if actor.ref.kind != "agent" else rows.filter(agent__public_id=actor.ref.id)


def retirement_for(actor: Actor, public_id: str) -> Retirement:
    """Return one. Raises: RetirementNotFound."""
    wanted = public_id[:80].replace("\0", "")
    found = retirements_for(actor).filter(public_id=wanted).first()
    if found is None:
        raise RetirementNotFound(f"There is no retirement {public_id[:80]!r}.")
    return found


def standing_of(agent: Agent) -> Retirement | None:
    """Return the plan or the tombstone that holds for an agent now."""
    rows = Retirement.objects.filter(agent=agent, state__in=Retirement.STANDING)
    return rows.select_related("agent", "successor").first()


def may_plan(actor: Actor, agent: Agent) -> bool:
    """Say whether an actor may plan, cancel and carry out the end of an agent."""
    return owns(actor, agent) or actor.has(Role.PLATFORM)


def agent_called(name: str) -> Agent | None:
    """Return an agent by its name, as a form names one."""
    return Agent.objects.filter(name=name.replace("\0", "")[:63]).first()


def counts() -> dict[str, int]:
    """Return how many retirements are in each state."""
    rows = Retirement.objects.values("state").annotate(number=Count("id"))
    found = dict(rows.values_list("state", "number"))
    return {state: found.get(state, 0) for state in Retirement.State.values}


def narrowed(rows: QuerySet[Retirement], words: str, state: str) -> QuerySet[Retirement]:
    """Return those in a state, in whose agent's name, title or successor's every word occurs."""
    if state:
        rows = rows.filter(state=state)
    for word in words.split()[:8]:
        rows = rows.filter(
            Q(agent__name__icontains=word)
            | Q(agent__title__icontains=word)
            | Q(successor__name__icontains=word)
            | Q(agent__owner__email__icontains=word)
        )
    return rows
