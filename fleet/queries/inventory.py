"""The inventory with what its agents did: figures beside names.

Calls and costs are shown for agents whose inside the viewer may see; of the others the
list says nothing, and an ordering by them says nothing either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import (
    Case,
    F,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Lower, NullIf

from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from registry.queries import GOVERNING, agents_for, listed
from routing.models import Call, ModelUse, UsageDay, UsageRecent
from routing.queries.usage import first_day, is_recent_summed

WEEK: Final = UsageRecent.CALLS_DAYS
MONTH: Final = UsageRecent.COST_DAYS
# What a list can be ordered by: the column that is summed, over how many days.
SUMS: Final = {"calls_week": ("calls", WEEK), "cost_month": ("cost_micros", MONTH)}


@dataclass(frozen=True, slots=True)
class Figures:
    """What one agent did lately; None is what the viewer may not see."""

    calls_week: int | None = None
    cost_month: int | None = None
    unpriced: int = 0
    last_call_at: datetime | None = None


def inventory_for(actor: Actor) -> QuerySet[Agent]:
    """Return the agents with what a list can be ordered by."""
    return listed(agents_for(actor)).annotate(
        shown_title=Lower("title"),
        shown_owner=Lower(
            Coalesce(NullIf("owner__name", Value("")), F("owner__email"), output_field=TextField())
        ),
    )


def with_sum(actor: Actor, agents: QuerySet[Agent], name: str) -> QuerySet[Agent]:
    """Add the one sum that an ordering needs, of calls or cost; zero where it is not seen.

    Until the day's sums are there, they are taken from the days themselves: slower, as exact.
    """
    if is_recent_summed():
        return agents.annotate(**{name: _seen_or_zero(actor, F(f"recent__{name}"))})
    summed, length = SUMS[name]
    days = UsageDay.objects.filter(agent_id=OuterRef("public_id"), day__gte=first_day(length))
    value = days.order_by().values("agent_id").annotate(value=Sum(summed)).values("value")
    return agents.annotate(**{name: _seen_or_zero(actor, Subquery(value))})


def figures_of(actor: Actor, agents: Iterable[Agent]) -> dict[str, Figures]:
    """Return what some agents did, by public id; those not seen are left out."""
    ids = [agent.public_id for agent in agents if _sees(actor, agent)]
    rows = UsageDay.objects.filter(agent_id__in=ids, day__gte=first_day(MONTH))
    sums = rows.values("agent_id").annotate(
        week=Sum("calls", filter=Q(day__gte=first_day(WEEK))),
        cost=Sum("cost_micros"),
        unpriced=Sum("unpriced_calls"),
    )
    used: dict[str, dict[str, Any]] = {row["agent_id"]: dict(row) for row in sums}
    last = dict(
        ModelUse.objects.filter(agent_id__in=ids)
        .values_list("agent_id")
        .annotate(last=Max("last_called_at"))
    )
    return {
        each: Figures(
            int(used.get(each, {}).get("week") or 0),
            int(used.get(each, {}).get("cost") or 0),
            int(used.get(each, {}).get("unpriced") or 0),
            last.get(each),
        )
        for each in ids
    }


def has_called(agent: Agent) -> bool:
    """Say whether the agent ever made a call that was let through."""
    calls = Call.objects.filter(agent_id=agent.public_id, made_for="")
    return calls.exclude(status=Call.Status.DENIED).exists()


def calls_since(agent: Agent, length: timedelta) -> QuerySet[Call]:
    """Return the agent's calls of the last so long."""
    return Call.objects.filter(agent_id=agent.public_id, started_at__gte=clock.now() - length)


def _sees(actor: Actor, agent: Agent) -> bool:
    return (
        actor.has(*GOVERNING) or actor.is_person(agent.owner) or actor.is_person(agent.backup_owner)
    )


def _seen_or_zero(actor: Actor, value: Subquery | F) -> Coalesce | Case:
    if actor.has(*GOVERNING):
        return Coalesce(value, 0)
    own = Q(owner=actor.person) | Q(backup_owner=actor.person)
    return Case(When(own, then=Coalesce(value, 0)), default=Value(0))
