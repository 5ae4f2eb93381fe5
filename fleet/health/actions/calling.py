"""Whom an incident of a team's agent is put to: who is on call, then the next, then the team.

The agent's own word for who is on call goes before the rota. Where nobody of a rota can be
called, the owner and the team are told at once.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.conf import settings

from fleet.health.models import Incident, Rota
from fleet.health.queries.rotas import Duty, duty_of
from kernel import clock
from registry.models import Agent, Person, Team


def duty_in(incident: Incident) -> Duty | None:
    """Return the duty that an incident follows; None where the agent names somebody itself."""
    agent, team = incident.agent, incident.team
    if agent is None or team is None or agent.on_call:
        return None
    return duty_of(team)


def put_on_call(incident: Incident) -> Duty | None:
    """Name who is on call in an incident that is about to open."""
    duty = duty_in(incident)
    wait = settings.INCIDENT_ESCALATE_MINUTES
    if duty is not None:
        wait = duty.minutes
        incident.called = duty.person
        incident.on_call = duty.person.email if duty.person is not None else ""
    incident.escalates_at = incident.opened_at + timedelta(minutes=wait)
    return duty


def call_next(incident: Incident) -> Person | None:
    """Name who is called next in an incident that nobody has taken; None where there is nobody."""
    duty = duty_in(incident)
    found = duty.after(incident.called) if duty is not None else None
    if found is not None:
        incident.called, incident.on_call = found, found.email
        incident.save(update_fields=["called", "on_call"])
    return found


def wait_of(incident: Incident) -> timedelta:
    """Return how long an incident waits for somebody to take it before it goes further."""
    duty = duty_in(incident)
    minutes = duty.minutes if duty is not None else settings.INCIDENT_ESCALATE_MINUTES
    return timedelta(minutes=minutes)


def answering_for(agents: Collection[int]) -> list[Person]:
    """Return who is told that some agents fail together: each once, however many are theirs.

    For a team with a rota it is who is on call; for an agent without one, its owner.
    """
    rows = Agent.objects.filter(pk__in=agents).select_related("owner", "team")
    duties = {team.pk: duty_of(team) for team in _with_rota(agents)}
    found: dict[int, Person] = {}
    for agent in rows.order_by("pk"):
        duty = duties.get(agent.team_id or 0) if not agent.on_call else None
        person = duty.person if duty is not None else None
        told = person or agent.owner
        found[told.pk] = told
    return list(found.values())


def _with_rota(agents: Collection[int]) -> list[Team]:
    rotas = Rota.objects.filter(replaced_at__isnull=True, starts_at__lte=clock.now())
    return list(Team.objects.filter(pk__in=rotas.filter(team__agents__in=agents).values("team")))
