"""Groups of alike agents, as far as a viewer answers for one of them or governs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, QuerySet

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

_MOST: Final = 50


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
    return sides_in([group])[group.pk]


def sides_in(groups: Iterable[DuplicateGroup]) -> dict[int, list[Side]]:
    """Return the agents of each of some groups, in as many statements as for one."""
    pks = [group.pk for group in groups]
    rows = DuplicateMember.objects.filter(group__in=pks).select_related(
        "agent__owner", "agent__backup_owner", "agent__team"
    )
    members = list(rows.defer("agent__searchable"))
    standings = Standing.objects.in_bulk([member.agent_id for member in members])
    depend = _dependants([member.agent.public_id for member in members])
    sides: dict[int, list[Side]] = {pk: [] for pk in pks}
    for member in members:
        found = depend.get(member.agent.public_id, [])
        standing = standings.get(member.agent_id)
        sides[member.group_id].append(Side(member, member.agent, standing, found))
    for each in sides.values():
        each.sort(key=lambda side: (-calls_of(side.standing), side.agent.name))
    return sides


def calls_of(standing: Standing | None) -> int:
    """Return the calls of the last 13 weeks that a standing counts."""
    return int(standing.figures.get("calls") or 0) if standing is not None else 0


def dependants_of(agent: Agent) -> list[Agent]:
    """Return the agents that let this one act for them and may still do so."""
    return _dependants([agent.public_id]).get(agent.public_id, [])


def _dependants(ids: list[str]) -> dict[str, list[Agent]]:
    given = Delegation.objects.filter(to_agent__in=ids, expires_at__gt=clock.now())
    pairs = set(given.values_list("to_agent", "from_agent"))
    rows = Agent.objects.filter(public_id__in={one for _, one in pairs}).select_related("owner")
    known = {agent.public_id: agent for agent in rows.order_by("name")}
    found: dict[str, list[Agent]] = {}
    for to_agent, from_agent in sorted(pairs):
        if from_agent in known and len(found.setdefault(to_agent, [])) < _MOST:
            found[to_agent].append(known[from_agent])
    return {key: sorted(each, key=lambda agent: agent.name) for key, each in found.items()}


def pairs_in(group: DuplicateGroup) -> QuerySet[LikePair]:
    """Return why agents of a group are alike, the most alike first."""
    return group.pairs.select_related("one", "other").order_by("-score_permille", "pk")


def last_look() -> LookMark | None:
    """Return when the fleet was compared last, how many agents, and how long it took."""
    return LookMark.objects.filter(looked_at__isnull=False).first()
