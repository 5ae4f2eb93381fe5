"""What moves agents from one model to another, and what keeps an agent from being moved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet

from kernel import clock
from registry.models import Agent
from routing.gateway.shifting import region_for
from routing.models import Model, Route, RouteTarget, Shift
from rules.models import Grant


def shifts_in_force(agents: Iterable[str], source: Model | None = None) -> QuerySet[Shift]:
    """Return what is in force for agents, by their ids, away from one model or from any."""
    found = Shift.objects.filter(agent_id__in=list(agents), ended_at=None)
    if source is not None:
        found = found.filter(source=source)
    return found.select_related("source__vendor", "target__vendor").order_by("id")


def routes_on(models: Iterable[Model], agents: Sequence[Agent]) -> list[Route]:
    """Return the routes of agents that have one of the models as a target."""
    names = {name for agent in agents for name in agent.routes}
    on = RouteTarget.objects.filter(model__in=list(models)).values("route_id")
    return list(Route.objects.filter(name__in=names, pk__in=on).order_by("name"))


def obstacles(agents: Sequence[Agent], source: Model, target: Model) -> list[str]:
    """Say what keeps agents from being served by a model in another's place; nothing if all can.

    What the routes demand (vendors, regions, the dialect they may be said in) and which data
    the vendor takes, less what was granted.
    """
    found = [] if target.disabled_at is None else [f"{target.name} is disabled"]
    if target.vendor.disabled_at is not None:
        found.append(f"the vendor {target.vendor.name} is disabled")
    for route in routes_on([source], agents):
        found += _of_route(route, source, target)
    found += _of_data(agents, target)
    found += _in_circles(agents, source, target)
    return found


def why_off(model: Model) -> str:
    """Say why a model serves nobody: disabled, its vendor is, or its day has come; else nothing."""
    if model.disabled_at is not None:
        return f"{model.name} is disabled"
    if model.vendor.disabled_at is not None:
        return f"the vendor {model.vendor.name} is disabled"
    ended = model.retires_on is not None and model.retires_on <= clock.now().date()
    return f"{model.name} ended on {model.retires_on}" if ended else ""


def paused_for(agents: Iterable[Agent], source: Model) -> frozenset[str]:
    """Return for which of the agents, by their ids, a model is paused."""
    held = shifts_in_force((agent.public_id for agent in agents), source)
    return frozenset(held.filter(target=None).order_by().values_list("agent_id", flat=True))


def _of_route(route: Route, source: Model, target: Model) -> list[str]:
    limits: dict[str, Any] = route.constraints
    vendor, where = target.vendor, f"the route {route.name}"
    found = []
    if (vendors := limits.get("vendors")) and vendor.name not in vendors:
        found.append(f"{where} permits only the vendors {', '.join(vendors)}, not {vendor.name}")
    if regions := limits.get("regions"):
        for row in route.targets.filter(model=source):
            if region_for(row.region, vendor.regions, regions) not in regions:
                has = ", ".join(vendor.regions) or "none"
                found.append(
                    f"{where} keeps calls in {', '.join(regions)}; {vendor.name} has: {has}"
                )
    if vendor.dialect != source.vendor.dialect and route.options.get("translate") is False:
        found.append(f"{where} does not translate, and {vendor.name} speaks {vendor.dialect}")
    return found


def _of_data(agents: Sequence[Agent], target: Model) -> list[str]:
    taken = set(target.vendor.data_classes)
    lacking = {
        agent.pk: (agent, missing)
        for agent in agents
        if (missing := set(agent.data_classes) - taken)
    }
    if not lacking:
        return []
    granted = Grant.objects.filter(
        agent_id__in=lacking, vendor=target.vendor.name, state="given", until__gt=clock.now()
    )
    for agent_id, data_class in granted.values_list("agent_id", "data_class"):
        lacking[agent_id][1].discard(data_class)
    return [
        f"{agent.name} sends {', '.join(sorted(missing))} data, which {target.vendor.name} does"
        " not take and nobody granted"
        for agent, missing in lacking.values()
        if missing
    ]


def _in_circles(agents: Sequence[Agent], source: Model, target: Model) -> list[str]:
    names = {agent.public_id: agent.name for agent in agents}
    ways: dict[str, dict[int, int | None]] = {}
    rows = Shift.objects.filter(agent_id__in=names, ended_at=None).exclude(source=source)
    for agent, begins, leads in rows.values_list("agent_id", "source_id", "target_id"):
        ways.setdefault(agent, {})[begins] = leads
    found = []
    for agent, steps in ways.items():
        now: int | None = target.pk
        for _ in range(len(steps)):
            now = steps.get(now) if now is not None else None
            if now == source.pk:
                found.append(f"{names[agent]} is being moved back to {source.name} already")
                break
    return found
