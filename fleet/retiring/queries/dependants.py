"""Who would miss an agent: those that delegate to it, name it, or own what only it uses.

Asked for one agent or a thousand in the same number of questions. That somebody is named
here tells them that the agent ends, and nothing of what it did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from kernel import clock
from registry.models import Agent

SEEN_DAYS: Final = 90
_MOST: Final = 200  # of one agent; beyond it nobody reads the list

# Those that let it act for them, and those whose runs it worked for.
_CALLERS: Final = """
SELECT named.to_agent, caller.name, max(named.at), bool_or(named.delegated)
FROM (
    SELECT to_agent, from_agent, created_at AS at, true AS delegated FROM routing_delegation
    WHERE to_agent = ANY(%(ids)s) AND created_at >= %(since)s
    UNION ALL
    SELECT child_agent, parent_agent, linked_at, delegation_id <> '' FROM routing_runlink
    WHERE child_agent = ANY(%(ids)s) AND linked_at >= %(since)s
) AS named JOIN registry_agent AS caller ON caller.public_id = named.from_agent
WHERE caller.stage <> 'retired' AND caller.public_id <> named.to_agent
GROUP BY 1, 2 ORDER BY 1, 3 DESC
"""
# A text in tools, skills or interfaces that is its name, or an address that ends in it.
_NAMED: Final = """
SELECT agent.public_id, other.name, min(said.place)
FROM registry_agent AS other
JOIN registry_agentversion AS version ON version.id = other.current_version_id
CROSS JOIN LATERAL (
    SELECT place, word #>> '{}' AS word
    FROM unnest(ARRAY['tools', 'skills', 'interfaces']) AS place
    CROSS JOIN LATERAL jsonb_path_query(
        version.manifest -> 'spec' -> place, '$.** ? (@.type() == "string")') AS word
) AS said
JOIN registry_agent AS agent ON agent.public_id = ANY(%(ids)s) AND agent.id <> other.id
 AND agent.name = regexp_replace(said.word, '^.*[:/]', '')
WHERE other.stage NOT IN ('draft', 'retired')
GROUP BY 1, 2 ORDER BY 1, 2
"""
_ROUTES: Final = """
SELECT agent.public_id, route.name
FROM registry_agent AS agent CROSS JOIN LATERAL unnest(agent.routes) AS named(route)
JOIN routing_route AS route ON route.name = named.route AND route.disabled_at IS NULL
WHERE agent.public_id = ANY(%(ids)s) AND NOT EXISTS (
    SELECT FROM registry_agent AS other
    WHERE other.stage NOT IN ('draft', 'retired') AND other.public_id <> ALL(%(ids)s)
      AND other.routes @> ARRAY[route.name])
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Dependant:
    """One that depends on an agent, and how."""

    way: str  # delegates, names, route
    name: str  # of an agent, or of a route
    detail: str

    @property
    def is_agent(self) -> bool:
        return self.way != "route"

    def facts(self) -> dict[str, str]:
        return asdict(self)


def dependants_of(agents: Iterable[Agent]) -> Mapping[str, list[Dependant]]:
    """Return who depends on each of some agents, by the agent's id."""
    ids = [agent.public_id for agent in agents]
    found: dict[str, list[Dependant]] = defaultdict(list)
    if not ids:
        return found
    for public_id, name, at, delegated in _asked(_CALLERS, ids):
        how = "lets it act for it" if delegated else "has runs that it worked for"
        found[public_id].append(Dependant("delegates", name, f"{how}, last {_day(at)}"))
    for public_id, name, place in _asked(_NAMED, ids):
        found[public_id].append(Dependant("names", name, f"names it under {place}"))
    for public_id, route in _asked(_ROUTES, ids):
        found[public_id].append(Dependant("route", route, "no other agent uses this route"))
    return {public_id: each[:_MOST] for public_id, each in found.items()}


def _asked(question: str, ids: list[str]) -> list[tuple[Any, ...]]:
    since = clock.now() - timedelta(days=SEEN_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(question, {"ids": ids, "since": since})
        return list(cursor.fetchall())


def _day(moment: datetime) -> str:
    return f"on {moment:%Y-%m-%d}"
