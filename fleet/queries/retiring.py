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
NAMED: Final = 8
LONGEST: Final = 50

_TOUCHING: Final = """
WITH soon AS (
    SELECT model.id, model.public_id, vendor.name AS vendor, model.name, model.retires_on,
           model.replacement, model.lifecycle_source, model.lifecycle_as_of
    FROM routing_model AS model JOIN routing_vendor AS vendor ON vendor.id = model.vendor_id
    WHERE model.retires_on <= %(before)s AND model.disabled_at IS NULL
), touching AS (
    SELECT soon.id, used.agent_id, true AS called
    FROM soon JOIN routing_modeluse AS used
      ON used.vendor = soon.vendor AND used.model = soon.name
     AND used.last_called_at >= %(since)s
    UNION ALL
    SELECT soon.id, agent.public_id, false
    FROM soon
    JOIN routing_routetarget AS target ON target.model_id = soon.id
    JOIN routing_route AS route ON route.id = target.route_id AND route.disabled_at IS NULL
    JOIN registry_agent AS agent ON agent.routes @> ARRAY[route.name]
), agents AS (
    SELECT touching.id, agent.name, bool_or(touching.called) AS called
    FROM touching JOIN registry_agent AS agent ON agent.public_id = touching.agent_id
    WHERE agent.stage <> 'retired' AND {seen}
    GROUP BY touching.id, agent.name
), counted AS (
    SELECT id, count(*) AS agents, count(*) FILTER (WHERE called) AS calling,
           (array_agg(name ORDER BY called DESC, name))[1:%(named)s] AS names
    FROM agents GROUP BY id
)
SELECT soon.public_id, soon.vendor, soon.name, soon.retires_on, soon.replacement,
       soon.lifecycle_source, soon.lifecycle_as_of,
       counted.agents, counted.calling, counted.names
FROM soon JOIN counted ON counted.id = soon.id
ORDER BY soon.retires_on, soon.vendor, soon.name LIMIT %(longest)s
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
    names: list[str]
    days_left: int

    @property
    def others(self) -> int:
        return self.agents - len(self.names)


def retiring_for(actor: Actor, *, within_days: int) -> list[Retiring]:
    """Return the models in use that end within so many days, the soonest first."""
    now = clock.now()
    today = now.date()
    seen, values = _seen(actor)
    values |= {
        "before": today + timedelta(days=within_days),
        "since": now - timedelta(days=TOUCHED_DAYS),
        "named": NAMED,
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
