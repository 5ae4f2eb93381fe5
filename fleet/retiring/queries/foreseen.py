"""What the end of each of some agents would touch: its callers, what it holds, who depends on it.

A constant number of statements, however many agents are asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Max, Q, Sum

from credentials.models import Lease
from effects.models import Proposal
from fleet.retiring.queries.dependants import SEEN_DAYS, dependants_of
from kernel import clock
from registry.models import Agent, AgentKey
from routing.models import ModelUse, UsageDay

_WAITING: Final = ("proposed", "approved")


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One agent, and what its end would touch."""

    agent: str  # its name
    title: str
    stage: str
    calls: int  # in 90 days
    last_call_at: datetime | None
    keys: int  # that work
    keys_used: int  # of all it ever had, in 90 days: those are its callers
    leases: int
    actions: int  # open ones
    dependants: int
    data: str

    def facts(self) -> dict[str, Any]:
        return asdict(self)


def foresee_each(agents: Sequence[Agent], *, data: str = "") -> list[Foreseen]:
    """Return what the end of each agent would touch; `data` is the rule that is asked for."""
    ids, now = [agent.public_id for agent in agents], clock.now()
    since = now - timedelta(days=SEEN_DAYS)
    days = UsageDay.objects.filter(agent_id__in=ids, day__gte=since.date())
    calls = dict(days.values_list("agent_id").order_by().annotate(sum=Sum("calls")))
    uses = ModelUse.objects.filter(agent_id__in=ids).values_list("agent_id").order_by()
    last = dict(uses.annotate(at=Max("last_called_at")))
    leases = Lease.objects.filter(agent_id__in=ids, state=Lease.State.ACTIVE)
    lent = dict(leases.values_list("agent_id").order_by().annotate(number=Count("pk")))
    waiting = Proposal.objects.filter(agent__in=agents, state__in=_WAITING)
    open_ = dict(waiting.values_list("agent_id").order_by().annotate(number=Count("pk")))
    keys = _keys(agents, since)
    depend = dependants_of(agents)
    return [
        Foreseen(
            agent=agent.name,
            title=agent.title,
            stage=agent.stage,
            calls=int(calls.get(agent.public_id) or 0),
            last_call_at=last.get(agent.public_id),
            keys=keys.get(agent.pk, (0, 0))[0],
            keys_used=keys.get(agent.pk, (0, 0))[1],
            leases=int(lent.get(agent.public_id) or 0),
            actions=int(open_.get(agent.pk) or 0),
            dependants=len(depend.get(agent.public_id, ())),
            data=data,
        )
        for agent in agents
    ]


def rule_of(asked: Mapping[str, Any]) -> str:
    """Say in words what becomes of the data by what was asked for."""
    if asked.get("data") != "shred":
        return "kept by retention, unless their destruction is planned"
    said = asked.get("shred_after_days")
    days = 30 if said in {None, ""} else int(said)
    return f"destroyed {days} days after the end, past the floor and holds"


def _keys(agents: Sequence[Agent], since: datetime) -> dict[int, tuple[int, int]]:
    works = Q(revoked_at__isnull=True, expires_at__gt=clock.now())
    rows = AgentKey.objects.filter(agent__in=agents).values_list("agent_id").order_by()
    counted = rows.annotate(
        number=Count("pk", filter=works), used=Count("pk", filter=Q(last_used_at__gte=since))
    )
    return {agent_id: (number, used) for agent_id, number, used in counted}
