"""What a route would mean for the agents that call it, said before it is set.

Reads targets and constraints as the shipped policy does, for people to look at; the
decision itself is made by the policy, at every call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.models import Agent
from routing.models import Model


@dataclass(frozen=True, slots=True)
class Way:
    """One target as it is meant: a model, where, and in which order."""

    model: Model
    region: str = ""
    weight: int = 100
    priority: int = 0

    @property
    def name(self) -> str:
        return f"{self.model.vendor.name}/{self.model.name}"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one agent's calls would meet: the target tried first, or why none takes them."""

    agent: Agent
    way: Way | None
    why: str


def outlook(
    agents: Iterable[Agent], ways: Sequence[Way], constraints: Mapping[str, Any]
) -> list[Outlook]:
    """Say for each agent who would serve it, those that nobody would serve first."""
    ordered = sorted(ways, key=lambda way: (way.priority, -way.weight))
    told = [_outlook(agent, ordered, constraints) for agent in agents]
    return sorted(told, key=lambda each: each.way is not None)


def _outlook(agent: Agent, ways: Sequence[Way], constraints: Mapping[str, Any]) -> Outlook:
    on_route = constraints.get("data_classes")
    beyond = sorted(set(agent.data_classes) - set(on_route)) if on_route else []
    if beyond:
        return Outlook(agent, None, f"the route takes no {' or '.join(beyond)} data")
    why = "there is no target"
    for way in ways:
        why = _refusal(agent, way, constraints)
        if not why:
            return Outlook(agent, way, "")
    return Outlook(agent, None, why)


def _refusal(agent: Agent, way: Way, constraints: Mapping[str, Any]) -> str:
    vendor = way.model.vendor
    if way.model.disabled_at is not None or vendor.disabled_at is not None:
        return f"{way.name} is disabled"
    if (vendors := constraints.get("vendors")) and vendor.name not in vendors:
        return f"the route keeps to other vendors than {vendor.name}"
    if (regions := constraints.get("regions")) and way.region not in regions:
        return f"{way.name} is in none of the route's regions"
    beyond = sorted(set(agent.data_classes) - set(vendor.data_classes))
    return f"{vendor.name} may not receive {' or '.join(beyond)} data" if beyond else ""
