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
from registry.models import Person, Team


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


def called_for(agents: Collection[int]) -> list[Person]:
    """Return who is on call for the teams of some agents, those without a word of their own."""
    rotas = Rota.objects.filter(replaced_at__isnull=True, starts_at__lte=clock.now())
    teams = Team.objects.filter(
        pk__in=rotas.filter(team__agents__in=agents, team__agents__on_call="").values("team")
    )
    duties = [duty_of(team) for team in teams.order_by("pk")]
    return [duty.person for duty in duties if duty is not None and duty.person is not None]
