"""Incidents: opened once under a key, told to those who answer, escalated until somebody takes it.

Opening one that is open adds to it and tells nobody anew; closing one that is not open does
nothing. Both may be called by anybody at any time, also twice at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import IntegrityError, transaction

from fleet.health.actions.calling import put_on_call
from fleet.health.errors import AssigneeOutside, IncidentOver
from fleet.health.models import Incident, IncidentAgent, IncidentEvent
from fleet.health.queries.incidents import require_acting
from fleet.health.queries.rotas import Duty
from fleet.health.queries.runbooks import runbook_of
from fleet.telling.actions.telling import tell
from kernel import clock
from kernel.db import constraint_of
from kernel.errors import Denied
from kernel.refs import Ref, new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent, Person, Role

Severity = Incident.Severity
State = Incident.State
What = IncidentEvent.What
WATCH: Final = Actor.system("health")
LONGEST_NOTE: Final = 2000


def open_incident(  # noqa: PLR0913  one incident, said in one call with named parts
    *,
    key: str,
    kind: str,
    subject: Ref,
    agent: Agent | None,
    title: str,
    facts: Mapping[str, Any],
    severity: str = Severity.DOWN,
    owner: Person | None = None,
    actor: Actor = WATCH,
) -> Incident:
    """Open an incident under a key, or return the one that is open; of two callers one opens it.

    The owner is the agent's unless named. Who is told: the person on call where the team has a
    rota, else the owner, and who is on call where the manifest names one; the channels that chose
    incidents; without an owner, the platform team. Records: incident.opened.
    """
    known = Incident.objects.filter(key=key, resolved_at__isnull=True).first()
    if known is not None:
        return known
    row = _new(key, kind, subject, agent, title[:300], dict(facts), severity)
    row.owner = owner or (agent.owner if agent is not None else None)
    duty = put_on_call(row)
    try:
        with transaction.atomic():
            _insert(row, duty, actor)
    except IntegrityError as error:
        if constraint_of(error) != "health_incident_one_open_per_key":
            raise
        return Incident.objects.get(key=key, resolved_at__isnull=True)
    return row


def resolve_incident(key: str, *, why: str, actor: Actor = WATCH) -> Incident | None:
    """Close the incident that is open under a key; nothing where none is.

    Records: incident.resolved.
    """
    return _resolve(key, why[:300], actor)


@transaction.atomic
def acknowledge_incident(incident: Incident, *, actor: Actor) -> Incident:
    """Take an incident: it escalates no further. The first who does so is named.

    Records: incident.acknowledged. Raises: IncidentOver, RoleMissing.
    """
    if actor.person is None:
        actor.require(Role.PLATFORM)
    row = _open_row(incident)
    if row.state == State.ACKNOWLEDGED:
        return row
    row.state, row.acknowledged_at = State.ACKNOWLEDGED, clock.now()
    row.acknowledged_by, row.escalates_at = actor.person, None
    row.save(update_fields=["state", "acknowledged_at", "acknowledged_by", "escalates_at"])
    note(row, What.ACKNOWLEDGED, actor)
    _record(Verb.INCIDENT_ACKNOWLEDGED, row, actor)
    announce(row, "acknowledged", f"{actor.person} takes it.")
    return row


@transaction.atomic
def assign_incident(incident: Incident, person: Person, *, actor: Actor) -> Incident:
    """Give an incident to somebody who may take it; they are told, and it is theirs from now on.

    Where nobody has taken it yet it goes on escalating: being named is not having answered.
    Records: incident.assigned. Raises: IncidentOver, AssigneeOutside.
    """
    row = _open_row(incident)
    try:
        require_acting(Actor.of(person), row)
    except Denied:
        raise AssigneeOutside(f"{person} does not answer for its agents.") from None
    if row.owner_id == person.pk:
        return row
    row.owner = person
    row.save(update_fields=["owner"])
    note(row, What.ASSIGNED, actor, f"To {person}.")
    _record(Verb.INCIDENT_ASSIGNED, row, actor, {"owner": person.public_id})
    announce(row, "assigned", f"{actor.person or 'The service'} gave it to {person}.")
    return row


@transaction.atomic
def note_on_incident(incident: Incident, text: str, *, actor: Actor) -> IncidentEvent:
    """Add a note to an incident's story, also after it is over.

    Records: incident.noted.
    """
    event = note(incident, What.NOTED, actor, text.strip()[:LONGEST_NOTE])
    _record(Verb.INCIDENT_NOTED, incident, actor)
    return event


@transaction.atomic
def close_incident(incident: Incident, *, why: str, actor: Actor) -> Incident:
    """Say that an incident is over; it opens anew if what it is about goes on.

    Records: incident.resolved. Raises: IncidentOver.
    """
    row = _open_row(incident)
    _end(row, why.strip()[:300] or "Closed by hand.", actor)
    return row


def note(incident: Incident, what: str, actor: Actor, text: str = "") -> IncidentEvent:
    """Add a line to an incident's story, in the transaction of what it tells of."""
    return IncidentEvent.objects.create(
        incident=incident, at=clock.now(), what=what, actor=str(actor.ref), text=text
    )


def announce(
    incident: Incident,
    event: str,
    *lines: str,
    people: tuple[Person, ...] = (),
    roles: tuple[Role, ...] = (),
    with_team: bool = False,
) -> None:
    """Tell those who answer for an incident, and its channels, of one event of it."""
    # Who is on call is told first: the owner sees it in the list, and is told when it goes on.
    is_first = event == "opened" and incident.called is not None
    owner = None if is_first else incident.owner
    named = (owner, incident.called, *people)
    # Whoever has left is told nothing: if nobody else is named, the platform is.
    told = [person for person in named if person is not None and person.is_active]
    if incident.on_call and incident.called is None:
        told += Person.objects.filter(email__iexact=incident.on_call, deactivated_at__isnull=True)
    teams = [incident.team] if with_team and incident.team is not None else []
    is_urgent = incident.severity == Severity.DOWN and event in {"opened", "worsened", "escalated"}
    tell(
        key=_key_of(incident, event),
        kind=f"incident.{event}",
        subject=_told_of(incident),
        title=f"{_WORDS[event]}: {incident.title}",
        lines=[*lines, *_known(incident)],
        path=incident.path,
        people=told,
        teams=teams,
        roles=roles if told or roles else (Role.PLATFORM,),
        urgent=is_urgent,
    )


_WORDS: Final = {
    "opened": "Incident",
    "worsened": "Worse",
    "acknowledged": "Taken",
    "assigned": "Yours now",
    "escalated": "Nobody has taken it yet",
    "resolved": "Resolved",
}


def _key_of(incident: Incident, event: str) -> str:
    # Told once of each event; each level of escalation and each new owner is one of its own.
    which = str(incident.level if event == "escalated" else 0)
    if event == "assigned" and incident.owner is not None:
        which = f"{incident.owner.public_id}:{clock.now():%Y%m%d%H%M%S}"
    return f"{incident.public_id}:{event}:{which}"


def _told_of(incident: Incident) -> Ref:
    # Channels that are told of some agents only choose by the agent.
    return incident.agent.ref if incident.agent is not None else incident.ref


def _known(incident: Incident) -> list[str]:
    named = {
        "Agent": incident.agent.name if incident.agent is not None else "",
        "Agents touched": str(incident.agent_count) if incident.agent_count > 1 else "",
        "Owner": str(incident.owner or ""),
        "On call": str(incident.called or incident.on_call),
        "Runbook": incident.runbook,
    }
    return [f"{name}: {value}" for name, value in named.items() if value]


def _new(  # noqa: PLR0913, PLR0917  the parts of one row
    key: str,
    kind: str,
    subject: Ref,
    agent: Agent | None,
    title: str,
    facts: dict[str, Any],
    severity: str,
) -> Incident:
    return Incident(
        public_id=new_id("inc"),
        key=key,
        kind=kind,
        severity=severity,
        subject=str(subject),
        agent=agent,
        title=title,
        facts=facts,
        team=agent.team if agent is not None else None,
        on_call=agent.on_call if agent is not None else "",
        runbook=runbook_of(agent) if agent is not None else "",
        agent_count=1 if agent is not None else 0,
        opened_at=clock.now(),
    )


def _insert(row: Incident, duty: Duty | None, actor: Actor) -> None:
    row.save(force_insert=True)
    if row.agent is not None:
        IncidentAgent.objects.create(incident=row, agent=row.agent, joined_at=row.opened_at)
    note(row, What.OPENED, actor, _reason(row))
    lines = [reason] if (reason := _reason(row)) else []
    if duty is not None:
        note(row, What.CALLED, actor, str(duty))
        lines.append(str(duty))
    called = row.called.public_id if row.called is not None else ""
    _record(Verb.INCIDENT_OPENED, row, actor, {"severity": row.severity, "called": called})
    announce(row, "opened", *lines, with_team=duty is not None and duty.person is None)


def _reason(row: Incident) -> str:
    return str(row.facts.get("reason", ""))[:300]


@transaction.atomic
def _resolve(key: str, why: str, actor: Actor) -> Incident | None:
    rows = Incident.objects.select_for_update(of=("self",)).select_related(
        "agent", "owner", "team", "called"
    )
    row = rows.filter(key=key, resolved_at__isnull=True).first()
    if row is not None:
        _end(row, why, actor)
    return row


def _end(row: Incident, why: str, actor: Actor) -> None:
    row.state, row.resolved_at, row.resolved_why = State.RESOLVED, clock.now(), why
    row.escalates_at = None
    row.save(update_fields=["state", "resolved_at", "resolved_why", "escalates_at"])
    IncidentAgent.objects.filter(incident=row, left_at__isnull=True).update(left_at=clock.now())
    note(row, What.RESOLVED, actor, why)
    _record(Verb.INCIDENT_RESOLVED, row, actor)
    announce(row, "resolved", why)


def _open_row(incident: Incident) -> Incident:
    rows = Incident.objects.select_for_update(of=("self",)).select_related(
        "agent", "owner", "team", "called"
    )
    row = rows.get(pk=incident.pk)
    if row.resolved_at is not None:
        raise IncidentOver
    return row


def _record(
    verb: Verb, row: Incident, actor: Actor, facts: Mapping[str, Fact] | None = None
) -> None:
    agent = row.agent.public_id if row.agent is not None else ""
    named: dict[str, Fact] = {"key": row.key, "kind": row.kind, **(facts or {})}
    record(verb, row.ref, actor=actor.ref, facts=named, agent_id=agent)
