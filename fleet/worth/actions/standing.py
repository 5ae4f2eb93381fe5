"""Making the standing of every agent anew: figures, and what the rules suggest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from fleet.worth.earning import WEEKS
from fleet.worth.models import DuplicateGroup, DuplicateMember, Standing, WorthMark
from fleet.worth.queries.figures import Figures, figures_between, last_weeks
from fleet.worth.rules import Evidence, suggest
from kernel import clock
from registry.actors import Actor
from registry.models import Agent, Role

MARK: Final = "standings"
_TOLD: Final = [
    "suggestion", "reasons", "cost_micros", "accepted_milli", "net_micros", "figures", "made_at",
]  # fmt: skip
COUNTED: Final = (*Agent.CALLABLE,)  # drafts have nothing to show, and what is retired is over


@transaction.atomic
def make_standings(*, actor: Actor) -> int:
    """Make the standing of every agent that may call; return of how many.

    Records: nothing; a standing is an index of sums. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    now = clock.now()
    WorthMark.objects.bulk_create(
        [WorthMark(name=MARK, counted_to=now.date())], ignore_conflicts=True
    )
    mark = WorthMark.objects.select_for_update().get(name=MARK)
    agents = list(standing_agents())
    since, until = last_weeks(now.date(), WEEKS)
    figures, like = figures_between(since, until), alike(agents)
    rows = [
        standing_of(agent, figures.get(agent.public_id) or Figures(agent.public_id), like, now)
        for agent in agents
    ]
    Standing.objects.exclude(agent__in=[agent.pk for agent in agents]).delete()
    Standing.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["agent"], update_fields=_TOLD, batch_size=1000
    )
    mark.counted_to, mark.made_at = now.date(), now
    mark.save(update_fields=["counted_to", "made_at"])
    return len(rows)


def standing_agents() -> Any:
    """Return the agents that have a standing, without what is widest."""
    return (
        Agent.objects.filter(stage__in=COUNTED)
        .select_related("owner", "backup_owner", "team")
        .defer("searchable", "description", "purpose")
    )


def standing_of(
    agent: Agent, figures: Figures, like: Mapping[int, tuple[str, bool]], now: datetime
) -> Standing:
    """Return one agent's standing, not saved."""
    facts = figures.facts(WEEKS, now)
    facts["is_orphan"] = is_orphan(agent)
    name, is_confirmed = like.get(agent.pk, ("", False))
    what, reasons = suggest(
        Evidence(
            age_days=(now - agent.created_at).days,
            idle_days=facts["idle_days"],
            is_orphan=facts["is_orphan"],
            weeks_negative=facts["weeks_negative"],
            is_measured=facts["is_measured"],
            decided=facts["decided"],
            accepted_upper=facts["accepted_upper"],
            calls=facts["calls"],
            error_percent=100 * facts["errors"] // facts["calls"] if facts["calls"] else 0,
            gap_lower=facts["gap_lower"],
            like=name,
            is_confirmed=is_confirmed,
            broken_days=facts["broken_days"],
            broken_because=facts["broken_because"],
        )
    )
    net = facts["net_lower_micros"]
    return Standing(
        agent=agent, suggestion=what, reasons=reasons, cost_micros=facts["cost_micros"],
        accepted_milli=facts["accepted_milli"], figures=facts, made_at=now,
        net_micros=net if net is not None else -facts["cost_micros"],
    )  # fmt: skip


def is_orphan(agent: Agent) -> bool:
    """Say whether nobody who is still here answers for an agent."""
    backup = agent.backup_owner
    return not agent.owner.is_active and (backup is None or not backup.is_active)


def alike(agents: Sequence[Agent]) -> dict[int, tuple[str, bool]]:
    """For each agent that a group holds: the one that would survive, and whether people said so."""
    known = {agent.pk: agent for agent in agents}
    groups: dict[int, list[int]] = {}
    states: dict[int, DuplicateGroup] = {}
    rows = DuplicateMember.objects.filter(
        group__state__in=[DuplicateGroup.State.OPEN, DuplicateGroup.State.CONFIRMED]
    ).select_related("group")
    for row in rows:
        if row.agent_id in known:
            groups.setdefault(row.group_id, []).append(row.agent_id)
            states[row.group_id] = row.group
    used = {
        each.agent_id: int(each.figures.get("calls") or 0) for each in Standing.objects.all()
    } if groups else {}  # fmt: skip
    found: dict[int, tuple[str, bool]] = {}
    for group_id, members in groups.items():
        group = states[group_id]
        most = max(members, key=lambda pk: (used.get(pk, 0), -pk))
        survivor = group.survivor_id if group.survivor_id in known else most
        for pk in members:
            if pk != survivor and len(members) > 1:
                is_confirmed = group.state == DuplicateGroup.State.CONFIRMED
                found[pk] = (known[survivor].name, is_confirmed)
    return found
