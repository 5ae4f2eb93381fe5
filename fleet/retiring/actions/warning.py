"""Warning those who depend on an agent that it ends: found, kept with the plan, told once.

Told are the owners of agents that delegate to it or name it, its own owner and backup owner,
and, of a route that nobody else uses, the platform role. Who was told of another day is told
again, because the plan's moment is part of what makes a message one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from fleet.retiring.actions.stepping import take
from fleet.retiring.models import Retirement, Step
from fleet.retiring.queries.dependants import Dependant, dependants_of
from fleet.telling.actions.telling import tell
from registry.actors import Actor
from registry.models import Agent, Person, Role

State = Retirement.State
_LISTED: Final = 20


@transaction.atomic
def warn_dependants(retirement: Retirement, *, actor: Actor) -> None:
    """Find who depends on the agent and tell them, once for each day it was planned for.

    Records: retirement.step_taken.
    """
    locked = Retirement.objects.select_for_update().get(pk=retirement.pk)
    agent = retirement.agent
    found = dependants_of([agent]).get(agent.public_id, [])
    locked.dependants = [each.facts() for each in found]
    locked.save(update_fields=["dependants"])
    told = _tell(retirement, found)
    number = len(found)
    detail = f"{number} depend{'s' if number == 1 else ''} on it."
    if told:
        detail += f" {told} people were told."
    take(retirement, Step.Name.WARNED, count=number, detail=detail, actor=actor)


def tell_it_stays(retirement: Retirement) -> None:
    """Tell those who were warned that the agent stays after all."""
    found = [Dependant(**each) for each in retirement.dependants]
    if not retirement.steps.filter(name=Step.Name.WARNED, done_at__isnull=False).exists():
        return
    agent = retirement.agent
    tell(
        key=f"{retirement.public_id}:{retirement.state}",
        kind="retirement.cancelled",
        subject=retirement.ref,
        title=f"Agent {agent.name} stays",
        lines=["Its retirement was cancelled. It goes on as before."],
        path=path_of(retirement),
        people=_people(agent, found),
    )


def tell_it_is_back(retirement: Retirement, stopped: str) -> None:
    """Tell its owners and those who were warned that the agent is back, and what is not."""
    agent = retirement.agent
    found = [Dependant(**each) for each in retirement.dependants]
    tell(
        key=f"{retirement.public_id}:{retirement.state}",
        kind="retirement.restored",
        subject=retirement.ref,
        title=f"Agent {agent.name} is back",
        lines=["It is a soft launch without keys; make it a new one.", stopped],
        path=path_of(retirement),
        people=_people(agent, found),
    )


def path_of(retirement: Retirement) -> str:
    """Return where a retirement is shown."""
    return reverse("retiring:retirement", args=[retirement.public_id])


def _tell(retirement: Retirement, found: list[Dependant]) -> int:
    agent, day = retirement.agent, retirement.drains_at
    is_over = retirement.state == State.RETIRED
    when = f"on {day:%Y-%m-%d}" if day is not None else "on a day that is not set yet"
    title = f"Agent {agent.name} {'is retired' if is_over else f'is retired {when}'}"
    lines = [
        f"Its keys open nothing{' any more' if is_over else ' from then on'}"
        + ("." if is_over or day is None else f"; new runs are refused from {day:%H:%M} UTC."),
        f"Its successor is agent {retirement.successor.name}."
        if retirement.successor
        else "No successor is named; ask its owner.",
        *(f"{each.name}: {each.detail}." for each in found[:_LISTED]),
    ]
    moment = day.isoformat() if day is not None else "announced"
    return tell(
        key=f"{retirement.public_id}:warned:{moment}",
        kind="retirement.announced",
        subject=retirement.ref,
        title=title,
        lines=lines,
        path=path_of(retirement),
        people=_people(agent, found),
        roles=[Role.PLATFORM] if any(not each.is_agent for each in found) else [],
    )


def _people(agent: Agent, found: Iterable[Dependant]) -> list[Person]:
    names = {each.name for each in found if each.is_agent}
    owned = Q(owned_agents__name__in=names) | Q(backed_up_agents__name__in=names)
    own = Q(pk__in=[agent.owner_id, agent.backup_owner_id])
    rows = Person.objects.filter(owned | own, deactivated_at__isnull=True)
    return list(rows.distinct().order_by("pk"))
