"""Groups of alike agents, as far as a viewer answers for one of them or governs."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from fleet.worth.errors import GroupNotFound
from fleet.worth.models import (
    DuplicateGroup,
    DuplicateMember,
    LikePair,
    LookMark,
    Standing,
)
from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from routing.models import Delegation
from routing.queries.calls import seen_agents


@dataclass(frozen=True, slots=True)
class Side:
    """One agent of a group, with its figures and who depends on it."""

    member: DuplicateMember
    agent: Agent
    standing: Standing | None
    dependants: list[Agent]


def groups_for(actor: Actor) -> QuerySet[DuplicateGroup]:
    """Return the groups that hold an agent whose inside the viewer sees."""
    groups = DuplicateGroup.objects.annotate(size=Count("members"))
    seen = seen_agents(actor)
    if seen is None:
        return groups
    held = DuplicateMember.objects.filter(agent__in=seen).values("group")
    return groups.filter(pk__in=held)


def group_for(actor: Actor, public_id: str) -> DuplicateGroup:
    """Return one group. Raises: GroupNotFound."""
    found = groups_for(actor).filter(public_id=public_id[:80].replace("\0", "")).first()
    if found is None:
        raise GroupNotFound
    return found


def sides_of(group: DuplicateGroup) -> list[Side]:
    """Return the agents of a group side by side, the most used first."""
    members = list(
        group.members.select_related("agent", "agent__owner", "agent__backup_owner", "agent__team")
    )
    ids = [member.agent_id for member in members]
    standings = Standing.objects.in_bulk(ids)
    sides = [
        Side(member, member.agent, standings.get(member.agent_id), dependants_of(member.agent))
        for member in members
    ]
    return sorted(sides, key=lambda side: (-calls_of(side.standing), side.agent.name))


def calls_of(standing: Standing | None) -> int:
    """Return the calls of the last 13 weeks that a standing counts."""
    return int(standing.figures.get("calls") or 0) if standing is not None else 0


def dependants_of(agent: Agent) -> list[Agent]:
    """Return the agents that let this one act for them and may still do so."""
    now = clock.now()
    parents = Delegation.objects.filter(Q(to_agent=agent.public_id), expires_at__gt=now)
    found = Agent.objects.filter(public_id__in=parents.values("from_agent"))
    return list(found.select_related("owner").order_by("name")[:50])


def pairs_in(group: DuplicateGroup) -> QuerySet[LikePair]:
    """Return why agents of a group are alike, the most alike first."""
    return group.pairs.select_related("one", "other").order_by("-score_permille", "pk")


def last_look() -> LookMark | None:
    """Return when the fleet was compared last, how many agents, and how long it took."""
    return LookMark.objects.filter(looked_at__isnull=False).first()
