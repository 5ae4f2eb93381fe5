"""Which agents a route, a model or a vendor concerns: what stopping it would stop.

An agent is concerned when a route it declares leads there, or when it was served there in
the last 90 days, by whatever route. That an agent exists and which routes it names is
everybody's to see; what it did is not told here beyond when it last did it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery, Window

from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from registry.queries.agents import agents_for, listed
from routing.models import Model, ModelUse, Route, Vendor

TOUCHED_DAYS: Final = 90
NAMED: Final = 100

_OF_MODELS: Final = """
WITH wanted AS (
    SELECT model.id, vendor.name AS vendor, model.name
    FROM routing_model AS model JOIN routing_vendor AS vendor ON vendor.id = model.vendor_id
    WHERE model.id = ANY(%(models)s)
), ways AS (
    SELECT DISTINCT wanted.id, route.name AS route
    FROM wanted
    JOIN routing_routetarget AS target ON target.model_id = wanted.id
    JOIN routing_route AS route ON route.id = target.route_id AND route.disabled_at IS NULL
), touching AS (
    SELECT wanted.id, agent.id AS agent, true AS called
    FROM wanted JOIN routing_modeluse AS used
      ON used.vendor = wanted.vendor AND used.model = wanted.name
     AND used.last_called_at >= %(since)s
    JOIN registry_agent AS agent
      ON agent.public_id = used.agent_id AND agent.stage <> 'retired'
    UNION ALL
    SELECT ways.id, agent.id, false
    FROM registry_agent AS agent CROSS JOIN LATERAL unnest(agent.routes) AS named(route)
    JOIN ways ON ways.route = named.route
    WHERE agent.stage <> 'retired'
), agents AS (
    SELECT id, agent, bool_or(called) AS called FROM touching GROUP BY 1, 2
)
SELECT id, count(*), count(*) FILTER (WHERE called) FROM agents GROUP BY id
"""
_OF_ROUTES: Final = """
SELECT named.route, count(*) FROM registry_agent AS agent, unnest(agent.routes) AS named(route)
WHERE agent.stage <> 'retired' AND agent.routes && %(routes)s AND named.route = ANY(%(routes)s)
GROUP BY named.route
"""


@dataclass(frozen=True, slots=True)
class Touched:
    """How many agents something concerns, and how many of them it served lately."""

    agents: int = 0
    calling: int = 0


@dataclass(frozen=True, slots=True)
class Concerned:
    """The agents that something concerns: the first of them, and how many there are."""

    agents: list[Agent]
    count: int

    @property
    def others(self) -> int:
        return self.count - len(self.agents)


def touched_by_models(models: Iterable[Model]) -> dict[int, Touched]:
    """Return how many agents each of some models concerns, by the model's key."""
    ids = [model.pk for model in models]
    with connection.cursor() as cursor:
        cursor.execute(_OF_MODELS, {"models": ids, "since": _since()})
        return {row[0]: Touched(row[1], row[2]) for row in cursor.fetchall()}


def declared_counts(routes: Collection[str]) -> dict[str, int]:
    """Return how many agents that are not retired name each of some routes."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_ROUTES, {"routes": list(routes)})
        return dict(cursor.fetchall())


def concerned_by_model(actor: Actor, model: Model, *, limit: int = NAMED) -> Concerned:
    """Return the agents that one model concerns."""
    used = ModelUse.objects.filter(vendor=model.vendor.name, model=model.name)
    return _concerned(actor, Route.objects.filter(targets__model=model), used, limit)


def concerned_by_vendor(actor: Actor, vendor: Vendor, *, limit: int = NAMED) -> Concerned:
    """Return the agents that one vendor concerns, through any of its models."""
    used = ModelUse.objects.filter(vendor=vendor.name)
    return _concerned(actor, Route.objects.filter(targets__model__vendor=vendor), used, limit)


def concerned_by_route(actor: Actor, route: Route) -> Concerned:
    """Return the agents that name a route, or were served through it."""
    used = ModelUse.objects.filter(route=route.name)
    return _concerned(actor, Route.objects.filter(pk=route.pk), used, NAMED)


def routes_of_vendor(vendor: Vendor) -> QuerySet[Route]:
    """Return the routes that a vendor may serve, by name."""
    return Route.objects.filter(targets__model__vendor=vendor).distinct().order_by("name")


def _concerned(
    actor: Actor, routes: QuerySet[Route], used: QuerySet[ModelUse], limit: int
) -> Concerned:
    names = list(routes.order_by().values_list("name", flat=True).distinct())
    recent = used.filter(last_called_at__gte=_since())
    last = (
        recent.filter(agent_id=OuterRef("public_id"))
        .order_by()
        .values("agent_id")
        .annotate(last=Max("last_called_at"))
    )
    agents = (
        listed(agents_for(actor))
        .filter(Q(routes__overlap=names) | Q(public_id__in=recent.values("agent_id")))
        .exclude(stage=Agent.Stage.RETIRED)
        .annotate(last_served_at=Subquery(last.values("last")), number=Window(Count("*")))
        .order_by(F("last_served_at").desc(nulls_last=True), "name")
    )
    first = list(agents[:limit])
    return Concerned([*first], first[0].number if first else 0)


def _since() -> datetime:
    return clock.now() - timedelta(days=TOUCHED_DAYS)
