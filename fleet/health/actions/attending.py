"""Incidents from statuses: opened for what stays bad, one for what fails together, and ended.

An agent that is down has an incident at once, a degraded one after a while. What one vendor or
one host does to many agents is one incident. An incident ends when its agents have been well for
a while, so what flaps is one incident and not twenty.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from fleet.health.actions.calling import answering_for, call_next, wait_of
from fleet.health.actions.incidents import (
    Severity,
    State,
    What,
    announce,
    note,
    open_incident,
    resolve_incident,
)
from fleet.health.models import AgentHealth, Incident, IncidentAgent, Mute, Status, Sweep
from kernel import clock
from kernel.refs import Ref
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role

NAME: Final = "attended"
PATIENCE: Final = timedelta(minutes=10)  # with what is degraded
SETTLED: Final = timedelta(minutes=5)  # well for so long, and it is over
TOGETHER: Final = 5  # agents with one cause are one incident
MOST_LEVEL: Final = 2


def attend(*, actor: Actor) -> int:
    """Open, extend and end the incidents that follow from statuses; return how many were opened.

    Records: incident.opened, incident.resolved. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    with transaction.atomic():
        _one_at_a_time()
        opened = _open(actor)
        _worsen(actor)
        _leave()
        _end(actor)
    return opened


def escalate(*, actor: Actor) -> int:
    """Carry what nobody has taken to the next on the rota, else to the backup owner; then to all.

    Records: incident.escalated. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    escalated = 0
    while _escalate_one(actor):
        escalated += 1
    return escalated


def _one_at_a_time() -> None:
    # Two sweeps that looked at once would each group by half of what they see.
    now = clock.now()
    Sweep.objects.bulk_create([Sweep(name=NAME, at=now)], ignore_conflicts=True)
    Sweep.objects.select_for_update().get(name=NAME)


def _muted(now: datetime) -> QuerySet[Mute]:
    live = Mute.objects.filter(starts_at__lte=now, ends_at__gt=now, ended_at__isnull=True)
    return live.filter(Q(agent=OuterRef("agent")) | Q(team=OuterRef("agent__team")))


def _open(actor: Actor) -> int:
    now = clock.now()
    within = IncidentAgent.objects.filter(
        agent=OuterRef("agent"), left_at__isnull=True, incident__kind__in=("health", "group")
    )
    bad = AgentHealth.objects.filter(
        Q(status=Status.DOWN) | Q(status=Status.DEGRADED, since__lte=now - PATIENCE),
        ~Exists(within), ~Exists(_muted(now)), is_watched=True,
    )  # fmt: skip
    related = ("agent__owner", "agent__team", "agent__current_version", "agent__backup_owner")
    by_cause: dict[str, list[AgentHealth]] = defaultdict(list)
    for row in bad.select_related(*related).order_by("since", "agent_id"):
        by_cause[row.cause].append(row)
    opened = 0
    for cause, rows in by_cause.items():
        if cause and _is_common(cause, rows):
            opened += _together(cause, rows, actor)
        else:
            opened += sum(_alone(row, actor) for row in rows)
    return opened


def _is_common(cause: str, rows: list[AgentHealth]) -> bool:
    if len(rows) >= TOGETHER or Incident.objects.filter(key=cause, resolved_at=None).exists():
        return True
    # Those that have an incident of their own already count as well.
    return AgentHealth.objects.filter(cause=cause, rank__gte=2, is_watched=True).count() >= TOGETHER


def _alone(row: AgentHealth, actor: Actor) -> int:
    agent = row.agent
    word = "is down" if row.status == Status.DOWN else "is degraded"
    known = Incident.objects.filter(key=str(agent.ref), resolved_at__isnull=True).first()
    if known is not None:
        IncidentAgent.objects.filter(incident=known, agent=agent).update(left_at=None)
        return 0
    open_incident(
        key=str(agent.ref), kind="health", subject=agent.ref, agent=agent,
        title=f"{agent.name} {word}", severity=_severity(row),
        facts={"reason": row.reason, "source": row.source}, actor=actor,
    )  # fmt: skip
    return 1


def _together(cause: str, rows: list[AgentHealth], actor: Actor) -> int:
    kind, _, name = cause.partition(":")
    what = f"Vendor {name}" if kind == "vendor" else f"Host {name}"
    known = Incident.objects.filter(key=cause, resolved_at__isnull=True).first()
    count = AgentHealth.objects.filter(cause=cause, rank__gte=2, is_watched=True).count()
    incident = known or open_incident(
        key=cause, kind="group", subject=Ref(kind, name), agent=None,
        title=f"{what} fails for {count} agents", severity=max(map(_severity, rows)),
        facts={"reason": rows[0].reason, "cause": cause, "agents": count}, actor=actor,
    )  # fmt: skip
    # Each agent's own incident goes into the common one.
    own = Incident.objects.filter(
        kind="health", agent__health__cause=cause, resolved_at__isnull=True
    )
    joined = list(own.values_list("agent_id", "key"))
    for _, key in joined:
        resolve_incident(key, why=f"It is part of {incident.public_id}: {what} fails.", actor=actor)
    now, members = clock.now(), {*(row.agent_id for row in rows), *(pk for pk, _ in joined if pk)}
    IncidentAgent.objects.bulk_create(
        [IncidentAgent(incident=incident, agent_id=pk, joined_at=now) for pk in sorted(members)],
        update_conflicts=True, unique_fields=["incident", "agent"], update_fields=["left_at"],
    )  # fmt: skip
    total = IncidentAgent.objects.filter(incident=incident).count()
    Incident.objects.filter(pk=incident.pk).update(
        agent_count=total, well_since=None, title=f"{what} fails for {total} agents"
    )
    # The same message once more: it reaches those whose agents were not touched before. Else who
    # makes five agents fail at a host could hide that somebody else's fails there.
    told = tuple(answering_for(members))
    announce(incident, "opened", rows[0].reason, people=told, roles=(Role.PLATFORM,))
    if known is not None:
        note(incident, What.JOINED, actor, f"{len(members)} more, {total} in all.")
    return int(known is None)


def _worsen(actor: Actor) -> None:
    """Say of an incident that was a nuisance that it is an outage now; it is told once more."""
    rows = Incident.objects.filter(
        kind="health", severity=Severity.DEGRADED, resolved_at__isnull=True,
        agent__health__status=Status.DOWN,
    )  # fmt: skip
    for row in rows.select_related("agent__health", "owner", "team", "called"):
        if row.agent is None:
            continue
        row.severity, row.title = Severity.DOWN, f"{row.agent.name} is down"
        row.save(update_fields=["severity", "title"])
        note(row, What.CHANGED, actor, row.agent.health.reason)
        announce(row, "worsened", row.agent.health.reason)


def _leave() -> None:
    """Let agents that are well leave; an incident whose agents all left is well since then."""
    now = clock.now()
    inside = IncidentAgent.objects.filter(
        left_at__isnull=True, incident__resolved_at__isnull=True,
        incident__kind__in=("health", "group"),
    )  # fmt: skip
    well = Q(agent__health__rank__lt=2) | Q(agent__health__is_watched=False)
    inside.filter(well, incident__kind="group").update(left_at=now)
    live = Incident.objects.filter(kind__in=("health", "group"), resolved_at__isnull=True)
    still = IncidentAgent.objects.filter(
        incident=OuterRef("pk"), left_at__isnull=True, agent__health__rank__gte=2,
        agent__health__is_watched=True,
    )  # fmt: skip
    live.filter(~Exists(still), well_since__isnull=True).update(well_since=now)
    live.filter(Exists(still), well_since__isnull=False).update(well_since=None)


def _end(actor: Actor) -> None:
    over = Incident.objects.filter(
        kind__in=("health", "group"), resolved_at__isnull=True,
        well_since__lte=clock.now() - SETTLED,
    )  # fmt: skip
    for key in over.values_list("key", flat=True):
        resolve_incident(key, why="It has been well for five minutes.", actor=actor)


def _severity(row: AgentHealth) -> str:
    return str(Severity.DOWN if row.status == Status.DOWN else Severity.DEGRADED)


@transaction.atomic
def _escalate_one(actor: Actor) -> bool:
    now = clock.now()
    due = Incident.objects.filter(state=State.OPEN, escalates_at__lte=now).order_by("escalates_at")
    row = (
        due.select_for_update(of=("self",), skip_locked=True)
        .select_related("agent__backup_owner", "owner", "team", "called")
        .first()
    )
    if row is None:
        return False
    row.level += 1
    row.escalates_at = now + wait_of(row) if row.level < MOST_LEVEL else None
    row.save(update_fields=["level", "escalates_at"])
    to_all = row.level >= MOST_LEVEL
    before, backup = row.called, row.agent.backup_owner if row.agent is not None else None
    following = None if to_all else call_next(row)
    if to_all:
        where = "To the team and the platform."
    else:
        where = f"To {following}, next on the rota." if following is not None else "To the backup."
    note(row, What.ESCALATED, actor, where)
    told = [person for person in (before, following, backup) if person is not None]
    announce(
        row, "escalated", where,
        people=tuple(told),
        roles=(Role.PLATFORM,) if to_all or not (following or backup) else (),
        with_team=to_all,
    )  # fmt: skip
    record(
        Verb.INCIDENT_ESCALATED, row.ref, actor=actor.ref, facts={"level": row.level},
        agent_id=row.agent.public_id if row.agent is not None else "",
    )  # fmt: skip
    return True
