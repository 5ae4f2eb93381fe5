"""From the name an agent calls to the models that may serve it, in the order to be tried."""

from __future__ import annotations

import random
from itertools import groupby

from routing.gateway.errors import ModelNotFound, RouteNotDeclared, RouteUnserved
from routing.gateway.lifecycle import refuse_retired
from routing.gateway.snapshot import Agent, Route, Snapshot, Target


def resolve(name: str, agent: Agent, snapshot: Snapshot) -> Route:
    """Return the route. Raises: ModelNotFound, ModelRetired, RouteNotDeclared, RouteUnserved."""
    route = snapshot.routes.get(name)
    if route is None or not route.is_enabled:
        raise ModelNotFound(
            f"The model {name!r} does not exist here. An agent calls task routes by name;"
            " GET /v1/models lists those that this agent may call.",
            param="model",
        )
    if name not in agent.routes:
        raise RouteNotDeclared(
            f"Agent {agent.name} does not declare the route {name!r}. Add it to spec.models of"
            " its manifest (agent.yaml) and submit that as a new version.",
            param="model",
        )
    if not any(target.is_enabled for target in route.targets):
        refuse_retired(route)
        raise RouteUnserved(f"No target of the route {name!r} is enabled right now.")
    return route


def in_order(route: Route) -> list[Target]:
    """Return the enabled targets, by priority, and among equals at random by weight."""
    enabled = [target for target in route.targets if target.is_enabled]
    if len(enabled) < 2:
        return enabled
    ordered: list[Target] = []
    for _, equals in groupby(enabled, key=lambda target: target.priority):
        # A larger weight draws a larger number more often (Efraimidis and Spirakis, 2006).
        ordered += sorted(
            equals,
            key=lambda target: random.random() ** (1 / target.weight),  # noqa: S311  no secret
            reverse=True,
        )
    return ordered
