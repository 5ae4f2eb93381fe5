"""Models that retire soon, and the agents that touch them.

An agent touches a model when a route it declares may be served by it, or when it was
served by it in the last 90 days, by whatever route, alias or fallback.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django.db import connection

from kernel import clock
from registry.actors import Actor
from routing.queries.calls import seen_agents

TOUCHED_DAYS: Final = 90
LISTED: Final = 6  # models whose agents are named
NAMED: Final = 3
LONGEST: Final = 50

_TOUCHING: Final = """
WITH soon AS (
    SELECT model.id, model.public_id, vendor.name AS vendor, model.name, model.retires_on,
           model.replacement, model.lifecycle_source, model.lifecycle_as_of
    FROM routing_model AS model JOIN routing_vendor AS vendor ON vendor.id = model.vendor_id
    WHERE model.retires_on <= %(before)s AND model.disabled_at IS NULL
), ways AS (
    SELECT DISTINCT soon.id, route.name AS route
    FROM soon
    JOIN routing_routetarget AS target ON target.model_id = soon.id
    JOIN routing_route AS route ON route.id = target.route_id AND route.disabled_at IS NULL
), seen AS MATERIALIZED (
    SELECT agent.id, agent.public_id, agent.name, agent.routes FROM registry_agent AS agent
    WHERE agent.stage <> 'retired' AND {seen}
), touching AS (
    SELECT soon.id, seen.id AS agent, true AS called
    FROM soon JOIN routing_modeluse AS used
      ON used.vendor = soon.vendor AND used.model = soon.name
     AND used.last_called_at >= %(since)s
    JOIN seen ON seen.public_id = used.agent_id
    UNION ALL
    SELECT ways.id, seen.id, false
    FROM seen CROSS JOIN LATERAL unnest(seen.routes) AS named(route)
    JOIN ways ON ways.route = named.route
), agents AS MATERIALIZED (
    SELECT id, agent, bool_or(called) AS called FROM touching GROUP BY 1, 2
), counted AS (
    SELECT id, count(*) AS agents, count(*) FILTER (WHERE called) AS calling
    FROM agents GROUP BY id
), first AS (
    SELECT soon.*, counted.agents, counted.calling,
           row_number() OVER (ORDER BY soon.retires_on, soon.vendor, soon.name) AS place
    FROM soon JOIN counted ON counted.id = soon.id
    ORDER BY place LIMIT %(longest)s
), placed AS (
    SELECT agents.id, seen.name, row_number() OVER (
        PARTITION BY agents.id ORDER BY agents.called DESC, seen.name) AS place
    FROM first JOIN agents ON agents.id = first.id JOIN seen ON seen.id = agents.agent
    WHERE first.place <= %(listed)s
), named AS (
    SELECT id, array_agg(name ORDER BY place) AS names FROM placed
    WHERE place <= %(named)s GROUP BY id
)
SELECT first.public_id, first.vendor, first.name, first.retires_on, first.replacement,
       first.lifecycle_source, first.lifecycle_as_of, first.agents, first.calling,
       coalesce(named.names, '{{}}')
FROM first LEFT JOIN named ON named.id = first.id
ORDER BY first.place
"""


@dataclass(frozen=True, slots=True)
class Retiring:
    """A model in use that ends soon (or has ended), and whom that concerns."""

    model_id: str
    vendor: str
    model: str
    retires_on: date
    replacement: str
    source: str
    as_of: str
    agents: int
    calling: int  # of them, those that were served by it lately
    names: list[str]  # the first of them; of the models that end first only
    days_left: int


def retiring_for(actor: Actor, *, within_days: int) -> list[Retiring]:
    """Return the models in use that end within so many days, the soonest first."""
    now = clock.now()
    today = now.date()
    seen, values = _seen(actor)
    values |= {
        "before": today + timedelta(days=within_days),
        "since": now - timedelta(days=TOUCHED_DAYS),
        "named": NAMED,
        "listed": LISTED,
        "longest": LONGEST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TOUCHING.format(seen=seen), values)
        rows = cursor.fetchall()
    return [Retiring(*[*row, (row[3] - today).days]) for row in rows]


def _seen(actor: Actor) -> tuple[str, dict[str, Any]]:
    if seen_agents(actor) is None:
        return "true", {}
    person = actor.person.pk if actor.person is not None else -1
    return "(agent.owner_id = %(person)s OR agent.backup_owner_id = %(person)s)", {"person": person}
