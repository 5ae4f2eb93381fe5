"""Which cutovers there are, for whom, and what is bound by a signature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from django.db.models import Count, F, Q, QuerySet

from fleet.cutovers.errors import CutoverNotFound
from fleet.cutovers.models import Cutover, CutoverAgent, CutoverEvent
from kernel.canonical import digest
from kernel.refs import Ref
from registry.actors import Actor
from registry.models import Agent, Role
from registry.queries.agents import backs_up, owns

_OPEN = (*Cutover.MOVING, Cutover.State.SIGNING, Cutover.State.DONE)
_OUT = (CutoverAgent.State.ROLLED_BACK, CutoverAgent.State.LEFT_OUT)
SEES_ALL = (Role.SECURITY, Role.PLATFORM, Role.AUDITOR)


def cutovers_seen(actor: Actor) -> QuerySet[Cutover]:
    """Return all of them for those who govern, else those of one's own agents."""
    found = Cutover.objects.select_related("source__vendor", "target__vendor")
    if actor.has(*SEES_ALL):
        return found
    mine = CutoverAgent.objects.filter(_mine(actor)).values("cutover_id")
    return found.filter(pk__in=mine)


def cutover_for(actor: Actor, public_id: str) -> Cutover:
    """Return one. Raises: CutoverNotFound."""
    found = cutovers_seen(actor).filter(public_id=public_id).first()
    if found is None:
        raise CutoverNotFound(f"There is no cutover {public_id[:60]!r}, or none of yours.")
    return found


def cutovers_for(subject: Ref) -> QuerySet[Cutover]:
    """Return what was begun for something, the newest first."""
    found = Cutover.objects.filter(subject=str(subject))
    return found.select_related("source", "target").order_by("-id")


def steps_taken(cutover: Cutover) -> list[datetime]:
    """Return when each of its steps was put down, the first to the last."""
    taken = CutoverEvent.objects.filter(cutover=cutover, kind__in=["started", "advanced"])
    return list(taken.order_by("at").values_list("at", flat=True))


def rows_of(cutover: Cutover, actor: Actor | None = None) -> QuerySet[CutoverAgent]:
    """Return the agents on their way: all, or those that a viewer may see."""
    rows = CutoverAgent.objects.filter(cutover=cutover)
    if actor is not None and not actor.has(*SEES_ALL):
        rows = rows.filter(_mine(actor))
    return rows.select_related(
        "agent__owner", "agent__backup_owner", "agent__current_version", "signed_by"
    ).order_by("agent__name")


def listed_rows(cutover: Cutover, actor: Actor) -> QuerySet[CutoverAgent]:
    """Return the agents that a viewer may see, to be cut into pages by name."""
    rows = rows_of(cutover, actor)
    return rows.annotate(name=F("agent__name"), public_id=F("agent__public_id"))


def shifted_rows(cutover: Cutover, actor: Actor) -> QuerySet[CutoverAgent]:
    """Return no more of the rows that a viewer may see than figures are made of."""
    rows = rows_of(cutover, actor).filter(shift__gt="").select_related(None)
    return rows.select_related("agent").only("shift", "cutover", "agent__public_id")


def counts_of(cutover: Cutover, actor: Actor) -> Counter[str]:
    """Count the agents that a viewer may see, by where they stand."""
    rows = rows_of(cutover, actor).order_by("state").values_list("state")
    return Counter(dict(rows.annotate(agents=Count("pk"))))


def mine_of(cutover: Cutover, actor: Actor) -> QuerySet[CutoverAgent]:
    """Return the rows that somebody signs for."""
    return rows_of(cutover).filter(_mine(actor))


def under_way(agents: Iterable[Agent], source_id: int) -> QuerySet[CutoverAgent]:
    """Return which of the agents are being moved away from a model already."""
    rows = CutoverAgent.objects.filter(
        cutover__state__in=_OPEN, agent__in=list(agents), cutover__source_id=source_id
    )
    return rows.exclude(state__in=_OUT).select_related("agent", "cutover")


def on_the_way(agent: Agent) -> QuerySet[CutoverAgent]:
    """Return the cutovers that an agent is in now, the newest first."""
    rows = CutoverAgent.objects.filter(agent=agent, cutover__state__in=_OPEN)
    found = rows.exclude(state__in=_OUT).order_by("-id")
    return found.select_related("cutover__source", "cutover__target")


def to_sign(actor: Actor) -> QuerySet[CutoverAgent]:
    """Return the agents for which somebody is asked to agree."""
    rows = CutoverAgent.objects.filter(_mine(actor), state=CutoverAgent.State.WAITING)
    return rows.filter(cutover__state=Cutover.State.SIGNING)


def bound_digest(cutover: Cutover, rows: Iterable[CutoverAgent] | None = None) -> str:
    """Return what signatures and the review are to: who, whereto, on which evaluations, how."""
    listed = rows if rows is not None else rows_of(cutover)
    return digest(
        {
            "cutover": cutover.public_id,
            "source": cutover.source.public_id,
            "target": cutover.target.public_id,
            "agents": [
                {
                    "agent": row.agent.public_id,
                    "evaluation": row.evaluation,
                    "digest": row.evaluation_digest,
                    "passed": row.has_passed,
                }
                for row in listed
            ],
            "steps": cutover.steps,
            "limits": {name: str(value) for name, value in cutover.limits.items()},
            "override": cutover.override_reason,
        }
    )


def signs_as(actor: Actor, agent: Agent) -> str:
    """Return in which office somebody signs for an agent; empty where in none."""
    if owns(actor, agent):
        return "owner"
    return "backup owner" if backs_up(actor, agent) else ""


def _mine(actor: Actor) -> Q:
    # As `registry.queries.owns` has it: a token without `employee` answers for nobody's agents.
    if actor.person is None or not actor.has(Role.EMPLOYEE):
        return Q(pk__in=[])
    return Q(agent__owner=actor.person) | Q(agent__backup_owner=actor.person)
