"""What the platform's own calls came to: of golden cases, evaluations and runs asked again.

They are no agent's use and stand in no chart of it; whoever watches drift sees their price here.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Sum

from registry.actors import Actor
from routing.models import UsageOwn
from routing.queries.calls import seen_agents
from routing.queries.usage import first_day


@dataclass(frozen=True, slots=True)
class OwnCalls:
    """The calls of one purpose in the last days."""

    purpose: UsageOwn.Purpose
    calls: int
    errors: int
    cost_micros: int
    unpriced_calls: int

    @property
    def name(self) -> str:
        return str(self.purpose.label)


def own_calls(actor: Actor, *, days: int = 30) -> list[OwnCalls]:
    """Return what was asked in place of the agents that the viewer sees, by purpose."""
    rows = UsageOwn.objects.filter(day__gte=first_day(days))
    seen = seen_agents(actor)
    if seen is not None:
        rows = rows.filter(agent_id__in=seen.values("public_id"))
    names = ("calls", "errors", "cost_micros", "unpriced_calls")
    summed = rows.values_list("purpose").annotate(*(Sum(name) for name in names))
    found = {str(purpose): [int(each) for each in sums] for purpose, *sums in summed}
    return [OwnCalls(each, *found[each]) for each in UsageOwn.Purpose if each in found]
