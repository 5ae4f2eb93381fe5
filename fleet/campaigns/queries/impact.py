"""Which agents touch a model, in which ways, what that comes to, and who answers for them.

An agent touches a model when it was served by it in the last 90 days, by whatever route, alias,
fallback or substitution, or when its manifest names something that leads there. Reads the sums
that calls were counted into, never the calls or the ledger: the cost does not grow with them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection

from kernel import clock
from registry.actors import Actor
from routing.models import Model, ModelUse
from routing.queries.calls import seen_agents
from routing.queries.usage import first_day

DAYS: Final = 90
NAMED: Final = 100
DECLARED: Final = "declared"
REPOSITORY: Final = "repository"
WAYS: Final = (*ModelUse.Way.values, DECLARED)

# What leads to each model, and every agent that was served by it or names what leads there.
_TOUCHING: Final = """
WITH wanted AS MATERIALIZED (
    SELECT model.id, vendor.name AS vendor, model.name
    FROM routing_model AS model JOIN routing_vendor AS vendor ON vendor.id = model.vendor_id
    WHERE model.id = ANY(%(models)s)
), paths AS MATERIALIZED (
    SELECT wanted.id, route.name, route.aliases
    FROM wanted
    JOIN routing_routetarget AS target ON target.model_id = wanted.id
    JOIN routing_route AS route ON route.id = target.route_id AND route.disabled_at IS NULL
), names AS MATERIALIZED (
    SELECT id, name FROM paths
    UNION SELECT id, unnest(aliases) FROM paths
    UNION SELECT id, name FROM wanted
    UNION SELECT id, vendor || '/' || name FROM wanted
), touching AS (
    SELECT wanted.id AS model, agent.id AS agent, agent.public_id, agent.owner_id AS owner,
           used.way, used.calls, used.last_called_at AS last
    FROM wanted
    JOIN routing_modeluse AS used ON used.vendor = wanted.vendor AND used.model = wanted.name
     AND used.last_called_at >= %(since)s
    JOIN registry_agent AS agent ON agent.public_id = used.agent_id
    WHERE agent.stage <> 'retired' AND {seen}
    UNION ALL
    SELECT names.id, agent.id, agent.public_id, agent.owner_id, '{declared}', 0, NULL
    FROM names JOIN registry_agent AS agent ON agent.routes @> ARRAY[names.name]
    WHERE agent.stage <> 'retired' AND {seen}
)
""".replace("{declared}", DECLARED)
_EXPOSED: Final = """, spent AS (
    SELECT wanted.id, sum(used.calls) AS calls, sum(used.cost_micros) AS cost_micros
    FROM wanted JOIN routing_usageroute AS used
      ON used.vendor = wanted.vendor AND used.model = wanted.name AND used.day >= %(day)s
    GROUP BY wanted.id
), whole AS (
    SELECT model, agent, owner, max(last) AS last FROM touching GROUP BY model, agent, owner
), held AS (
    SELECT model, count(*) AS agents, count(last) AS calling, count(DISTINCT owner) AS owners
    FROM whole GROUP BY model
)
SELECT wanted.id, coalesce(held.agents, 0), coalesce(held.calling, 0), coalesce(held.owners, 0),
       coalesce(spent.calls, 0), coalesce(spent.cost_micros, 0)
FROM wanted LEFT JOIN held ON held.model = wanted.id LEFT JOIN spent ON spent.id = wanted.id
"""
_NAMED: Final = """
SELECT agent, public_id, array_agg(DISTINCT way), max(last)
FROM touching GROUP BY agent, public_id
HAVING %(way)s = '' OR %(way)s = ANY(array_agg(way))
ORDER BY sum(calls) DESC, public_id LIMIT %(limit)s OFFSET %(start)s
"""
_FOUND: Final = """(agent.name ILIKE %({word})s OR agent.title ILIKE %({word})s
    OR agent.owner_id IN (SELECT person.id FROM registry_person AS person
        WHERE person.email ILIKE %({word})s OR person.name ILIKE %({word})s))"""
_FIGURES: Final = """
SELECT agent_id, sum(calls), sum(input_tokens), sum(output_tokens), sum(cost_micros),
       sum(unpriced_calls)
FROM routing_usageday
WHERE agent_id = ANY(%(agents)s) AND day >= %(day)s AND vendor = %(vendor)s AND model = %(model)s
GROUP BY agent_id
"""
_DESCRIBED: Final = """
SELECT agent.id, agent.name, agent.title, agent.data_classes, owner.email, owner.name
FROM registry_agent AS agent JOIN registry_person AS owner ON owner.id = agent.owner_id
WHERE agent.id = ANY(%(agents)s)
"""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What depends on a model: agents, those of them that call it, owners, calls and cost."""

    agents: int = 0
    calling: int = 0
    owners: int = 0
    calls: int = 0
    cost_micros: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one agent's calls to a model came to in the last 90 days."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micros: int = 0
    unpriced_calls: int = 0


@dataclass(frozen=True, slots=True)
class Touching:
    """That one agent touches a model: by which ways, and when it was last served."""

    agent_key: int
    agent_id: str
    ways: list[str]
    last_called_at: datetime | None


@dataclass(frozen=True, slots=True)
class TouchedAgent:
    """One agent that touches a model, as a list shows it."""

    agent_id: str
    name: str
    title: str
    owner_email: str
    owner_name: str
    data_classes: list[str]
    ways: list[str]
    last_called_at: datetime | None
    figures: Figures = field(default_factory=Figures)


@dataclass(frozen=True, slots=True)
class Impact:
    """Whom a change of one model concerns: the first of its agents, and the sums of all."""

    model_id: str
    exposure: Exposure
    agents: list[TouchedAgent]

    @property
    def others(self) -> int:
        return self.exposure.agents - len(self.agents)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list of agents is narrowed to."""

    search: str = ""
    way: str = ""


ANYTHING: Final = Asked()


def exposure_of(models: Iterable[Model], *, viewer: Actor | None = None) -> dict[str, Exposure]:
    """Return what depends on each of some models, by public id, in one statement.

    Calls and cost are everybody's; a viewer who governs nothing is told of their own agents only.
    """
    wanted = {model.pk: model.public_id for model in models}
    if not wanted:
        return {}
    rows = _asked(_EXPOSED, wanted, viewer, day=first_day(DAYS))
    sees_all = viewer is None or seen_agents(viewer) is None
    return {
        wanted[row[0]]: Exposure(*row[1:4], *(map(int, row[4:]) if sees_all else (0, 0)))
        for row in rows
    }


def impact_of(model: Model, *, viewer: Actor | None = None, limit: int = NAMED) -> Impact:
    """Return whom a change of a model concerns, as far as this viewer sees; None sees all."""
    agents = touched_agents(model, viewer=viewer, limit=limit)
    exposure = exposure_of([model], viewer=viewer).get(model.public_id, Exposure())
    return Impact(model.public_id, exposure, agents)


def touched_agents(
    model: Model,
    *,
    viewer: Actor | None = None,
    limit: int | None = None,
    start: int = 0,
    asked: Asked = ANYTHING,
) -> list[TouchedAgent]:
    """Return the agents that touch a model with their owners and figures, the busiest first."""
    touching = touching_of(model, viewer=viewer, limit=limit, start=start, asked=asked)
    figures = figures_of(model, [each.agent_id for each in touching])
    with connection.cursor() as cursor:
        cursor.execute(_DESCRIBED, {"agents": [each.agent_key for each in touching]})
        said: dict[int, tuple[Any, ...]] = {row[0]: row for row in cursor.fetchall()}
    agents = []
    for each in touching:
        if each.agent_key in said:  # else it went in between
            _, name, title, classes, email, owner = said[each.agent_key]
            known = figures.get(each.agent_id, Figures())
            shown = TouchedAgent(
                each.agent_id, name, title, email, owner, classes, each.ways, each.last_called_at,
                known,
            )  # fmt: skip
            agents.append(shown)
    return agents


def touching_of(
    model: Model,
    *,
    viewer: Actor | None = None,
    limit: int | None = None,
    start: int = 0,
    asked: Asked = ANYTHING,
) -> list[Touching]:
    """Return the agents that touch a model, the busiest first; all of them without a limit."""
    rows = _asked(
        _NAMED, {model.pk: model.public_id}, viewer, search=asked.search, limit=limit, start=start,
        way=asked.way,
    )  # fmt: skip
    return [Touching(row[0], row[1], sorted(row[2]), row[3]) for row in rows]


def figures_of(model: Model, agents: Collection[str]) -> dict[str, Figures]:
    """Return what some agents' calls to a model came to in the last 90 days."""
    if not agents:
        return {}
    values: Mapping[str, Any] = {
        "agents": list(agents), "day": first_day(DAYS), "vendor": model.vendor.name,
        "model": model.name,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, values)
        return {row[0]: Figures(*map(int, row[1:])) for row in cursor.fetchall()}


def _asked(
    tail: str,
    models: Collection[int],
    viewer: Actor | None,
    *,
    search: str = "",
    **values: date | int | str | None,
) -> list[tuple[Any, ...]]:
    seen, who = _seen(viewer)
    for number, word in enumerate(search.split()[:8]):
        seen += f" AND {_FOUND.replace('{word}', f'word_{number}')}"
        who[f"word_{number}"] = f"%{word.replace(chr(0), '')}%"
    given = {"models": list(models), "since": clock.now() - timedelta(days=DAYS), **who, **values}
    with connection.cursor() as cursor:
        cursor.execute((_TOUCHING + tail).replace("{seen}", seen), given)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _seen(viewer: Actor | None) -> tuple[str, dict[str, Any]]:
    if viewer is None or seen_agents(viewer) is None:
        return "true", {}
    person = viewer.person.pk if viewer.person is not None else -1
    return "(agent.owner_id = %(person)s OR agent.backup_owner_id = %(person)s)", {"person": person}
