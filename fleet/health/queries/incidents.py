"""Incidents and mutes, for those who answer for the agents and those who govern."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from fleet.health.errors import IncidentNotFound, MuteNotFound
from fleet.health.models import Incident, IncidentAgent, IncidentEvent, Mute
from kernel import clock
from kernel.errors import Denied
from registry.actors import Actor
from registry.models import Agent, Role
from routing.queries.calls import agents_of_seen_runs


def incidents_for(actor: Actor) -> QuerySet[Incident]:
    """Return the incidents this viewer sees: of agents of their own and of their team's."""
    rows = Incident.objects.select_related("agent", "owner", "team", "acknowledged_by", "called")
    agents = agents_of_seen_runs(actor)
    if agents is None:
        return rows
    touched = IncidentAgent.objects.filter(incident=OuterRef("pk"), agent__in=agents)
    own = Q(owner=actor.person) if actor.person is not None else Q(pk__in=[])
    return rows.filter(Q(agent__in=agents) | own | Exists(touched))


def incident_for(actor: Actor, public_id: str) -> Incident:
    """Return one incident. Raises: IncidentNotFound."""
    found = incidents_for(actor).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise IncidentNotFound
    return found


def require_acting(actor: Actor, incident: Incident) -> None:
    """Refuse whoever sees an incident and has no part in it. Raises: Denied."""
    if actor.has(Role.PLATFORM, Role.SECURITY):
        return
    person = actor.person
    if person is not None and actor.has(Role.EMPLOYEE):
        mine = Q(owner=person) | Q(backup_owner=person)
        if person.team_id is not None:
            mine |= Q(team_id=person.team_id)
        touched = IncidentAgent.objects.filter(incident=incident).values("agent_id")
        if incident.owner_id == person.pk or Agent.objects.filter(mine, pk__in=touched).exists():
            return
    raise Denied("Those who answer for the agents, the platform and security take an incident.")


def may_act(actor: Actor, incident: Incident) -> bool:
    """Say whether somebody takes part in an incident."""
    try:
        require_acting(actor, incident)
    except Denied:
        return False
    return True


def open_count(actor: Actor) -> int:
    """Count the incidents that are not over."""
    return incidents_for(actor).filter(resolved_at__isnull=True).count()


def story_of(incident: Incident) -> list[IncidentEvent]:
    """Return what happened in an incident, in order."""
    return list(IncidentEvent.objects.filter(incident=incident).order_by("at", "pk")[:500])


def touched_by(incident: Incident) -> QuerySet[IncidentAgent]:
    """Return the agents that an incident has touched, those still in it first."""
    rows = IncidentAgent.objects.filter(incident=incident).select_related("agent", "agent__health")
    return rows.order_by("-left_at", "agent__name")


def incidents_of(agent: Agent, *, limit: int = 10) -> list[Incident]:
    """Return the newest incidents that have touched an agent."""
    touched = IncidentAgent.objects.filter(incident=OuterRef("pk"), agent=agent)
    rows = Incident.objects.filter(Q(agent=agent) | Exists(touched))
    return list(rows.select_related("owner").order_by("-opened_at", "-pk")[:limit])


def mutes_for(actor: Actor) -> QuerySet[Mute]:
    """Return the mutes in force or ahead that this viewer sees."""
    live = Mute.objects.filter(ended_at__isnull=True, ends_at__gt=clock.now())
    rows = live.select_related("agent", "team").order_by("ends_at")
    agents = agents_of_seen_runs(actor)
    if agents is None:
        return rows
    team = actor.person.team if actor.person is not None else None
    return rows.filter(Q(agent__in=agents) | Q(team=team, team__isnull=False))


def mute_for(actor: Actor, public_id: str) -> Mute:
    """Return one mute. Raises: MuteNotFound."""
    found = mutes_for(actor).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise MuteNotFound
    return found
