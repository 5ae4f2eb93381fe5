"""Freezing the database into what the gateway knows. No Django: plain SQL, one moment.

Owns the reading and its cost. A table is known to be unchanged by the number of its rows
and the sum of the transactions that wrote them: updates and inserts raise the sum, and a
delete lowers the number. What changed in the two big tables is fetched by the writing
transaction, and everything is read in one REPEATABLE READ transaction. Work is done in
slices, so that a reload of ten thousand agents never holds up a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from sys import intern
from typing import Any, Final

from psycopg import AsyncConnection

from credentials.broker import COLUMNS, SealedRow
from routing.gateway.budgets import NO_BUDGETS, Budgets, Limit
from routing.gateway.options import Shadow, read_options
from routing.gateway.snapshot import (
    Agent,
    DataGrant,
    Key,
    Model,
    Route,
    Shift,
    Snapshot,
    Target,
    Vendor,
)
from routing.gateway.stops import NO_STOPS, Stop, Stops
from routing.gateway.tools.declared import NOTHING, DeclaredTools

SLICE: Final = 100

Row = tuple[Any, ...]
Marks = dict[str, tuple[int, int]]

_TABLES: Final = (
    "registry_team",
    "registry_agent",
    "registry_agentkey",
    "routing_vendor",
    "routing_model",
    "routing_route",
    "routing_routetarget",
    "routing_budget",
    "credentials_secret",
    "routing_delegationend",
    "routing_stop",
    "routing_shift",
    "rules_activation",
    "rules_grant",
)
# Of these only what is in force is marked: the rest is history, and grows.
_IN_FORCE: Final = {"routing_shift": " WHERE ended_at IS NULL"}
_POLICY: Final = frozenset({"rules_activation", "rules_grant"})
# What is not read together with vendors, models and routes.
_APART: Final = frozenset(
    {
        "registry_agent",
        "registry_agentkey",
        "registry_team",
        "routing_stop",
        "routing_shift",
        "routing_budget",
        "routing_delegationend",
        *_POLICY,
    }
)
_MARKS: Final = " UNION ALL ".join(
    f"SELECT '{table}', count(*), coalesce(sum(xmin::text::bigint), 0)::bigint,"  # noqa: S608
    " pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    f" FROM {table}{_IN_FORCE.get(table, '')}"
    for table in _TABLES
)
_AGENTS: Final = """
    SELECT a.id, a.public_id, a.name, a.stage, a.suspended_at IS NOT NULL,
           a.killed_at IS NOT NULL, a.data_classes, a.routes, coalesce(t.slug, ''),
           coalesce(t.public_id, ''), p.public_id, v.manifest #> '{spec,tools}',
           CASE WHEN a.stage = 'deprecated'
                THEN extract(epoch FROM a.stage_changed_at)::float8 END,
           extract(epoch FROM coalesce(a.ends_at, a.retired_at))::float8, coalesce(s.name, '')
    FROM registry_agent a LEFT JOIN registry_team t ON t.id = a.team_id
    LEFT JOIN registry_agent s ON s.id = a.successor_id
    JOIN registry_person p ON p.id = a.owner_id
    LEFT JOIN registry_agentversion v ON v.id = a.current_version_id
"""
_KEYS: Final = """
    SELECT a.id, a.public_id, a.key_id, a.agent_id, a.pepper_id, a.digest,
           extract(epoch FROM a.expires_at)::float8, a.revoked_at IS NOT NULL
    FROM registry_agentkey a
"""
_SINCE: Final = " WHERE a.xmin::text::bigint >= %s"
_VENDORS: Final = """
    SELECT id, public_id, name, dialect, base_url, auth_scheme, disabled_at IS NULL, data_classes,
           profile, regions
    FROM routing_vendor
"""
_SECRETS: Final = (
    f"SELECT {', '.join(COLUMNS)} FROM credentials_secret"  # noqa: S608
    " WHERE ring = 'vendor' AND retired_at IS NULL"
)
_MODELS: Final = """
    SELECT id, vendor_id, public_id, name, currency, input_micros_per_mtok,
           output_micros_per_mtok, cached_input_micros_per_mtok, deprecated_on, retires_on,
           replacement, disabled_at IS NULL, extract(epoch FROM created_at)::float8,
           context_tokens, max_output_tokens
    FROM routing_model
"""
_ROUTES: Final = """
    SELECT id, public_id, name, constraints, disabled_at IS NULL,
           extract(epoch FROM created_at)::float8, options, aliases
    FROM routing_route
"""
_STOPS: Final = """
    SELECT scope, subject, public_id, placed_as, extract(epoch FROM placed_at)::float8
    FROM routing_stop WHERE lifted_at IS NULL
"""
_BUNDLE: Final = """
    SELECT b.digest FROM rules_activation a JOIN rules_bundle b ON b.id = a.bundle_id
    WHERE a.ended_at IS NULL
"""
_GRANTS: Final = """
    SELECT a.public_id, g.vendor, g.data_class, extract(epoch FROM g.until)::float8
    FROM rules_grant g JOIN registry_agent a ON a.id = g.agent_id
    WHERE g.state = 'given' AND g.until > now() ORDER BY g.id
"""
_SHIFTS: Final = """
    SELECT s.agent_id, s.public_id, f.public_id, coalesce(v.public_id, ''), coalesce(t.name, ''),
           s.percent, s.subject
    FROM routing_shift s JOIN routing_model f ON f.id = s.source_id
    LEFT JOIN routing_model t ON t.id = s.target_id
    LEFT JOIN routing_vendor v ON v.id = t.vendor_id
    WHERE s.ended_at IS NULL ORDER BY s.id
"""
_ENDED: Final = "SELECT delegation_id FROM routing_delegationend WHERE until > now()"
_TARGETS: Final = """
    SELECT route_id, model_id, region, weight, priority, canary_percent, first_byte_ms,
           passed_eval_at IS NOT NULL
    FROM routing_routetarget ORDER BY route_id, priority, id
"""
_BUDGETS: Final = """
    SELECT id, public_id, subject_kind, subject, model, measure, period, cap, currency,
           time_zone, lets_unpriced
    FROM routing_budget WHERE ended_at IS NULL ORDER BY id
"""


@dataclass(slots=True)
class _Kept:
    """One of the two big tables as last read."""

    select: str
    build: Callable[[Row], tuple[Any, Any]]
    rows: dict[int, tuple[Any, Any]]  # primary key to what it is found by and what it is


class SnapshotReading:
    """Reads snapshots over one connection at a time, each from what changed since the last."""

    def __init__(self) -> None:
        self._marks: Marks = {}
        self._horizon = -1
        self._agents = _Kept(_AGENTS, _agent, {})
        self._keys = _Kept(_KEYS, _key, {})
        self._routes: dict[str, Route] = {}
        self._vendors: dict[str, Vendor] = {}
        self._models: dict[tuple[str, str], Model] = {}
        self._stops = NO_STOPS
        self._shifts: dict[str, dict[str, Shift]] = {}
        self._ended: frozenset[str] = frozenset()
        self._budgets = NO_BUDGETS
        self._bundle = ""
        self._grants: dict[str, tuple[DataGrant, ...]] = {}

    def forget(self) -> None:
        """Read everything next time: the database may be another one now."""
        self.__init__()  # type: ignore[misc]

    async def read(self, connection: AsyncConnection[Any]) -> Snapshot | None:
        """Return a snapshot when anything changed since the last reading, else None."""
        marks, _ = await _read_marks(connection)
        if marks == self._marks:
            return None
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            snapshot = await self._read_changes(connection)
        except BaseException:
            self.forget()
            raise
        await connection.execute("COMMIT")
        return snapshot

    async def _read_changes(self, connection: AsyncConnection[Any]) -> Snapshot:
        marks, horizon = await _read_marks(connection)
        changed = {table for table in _TABLES if marks[table] != self._marks.get(table)}
        # Transaction ids in rows have 32 bits; past a turn of the epoch they cannot be compared.
        since = self._horizon & 0xFFFF_FFFF if self._horizon >> 32 == horizon >> 32 else 0
        if changed & {"registry_agent", "registry_team"}:
            all_agents = "registry_team" in changed
            count = marks["registry_agent"][0]
            await _renew(connection, self._agents, 0 if all_agents else since, count)
        if "registry_agentkey" in changed:
            await _renew(connection, self._keys, since, marks["registry_agentkey"][0])
        await self._read_limits(connection, changed)
        if changed & _POLICY:
            self._bundle = "".join(row[0] for row in await _all(connection, _BUNDLE))
            self._grants = _grants(await _all(connection, _GRANTS))
        if "routing_delegationend" in changed:
            self._ended = frozenset(row[0] for row in await _all(connection, _ENDED))
        if changed - _APART:
            self._vendors, self._models, self._routes = await _read_routing(connection)
        self._marks, self._horizon = marks, horizon
        return Snapshot(
            keys=dict(self._keys.rows.values()),
            agents=dict(self._agents.rows.values()),
            routes=self._routes,
            vendors=self._vendors,
            models=self._models,
            stops=self._stops,
            ended_delegations=self._ended,
            budgets=self._budgets,
            grants=self._grants,
            bundle=self._bundle,
            shifts=self._shifts,
        )

    async def _read_limits(self, connection: AsyncConnection[Any], changed: set[str]) -> None:
        """Read what keeps agents from calling, or leads them elsewhere, where that changed."""
        if "routing_stop" in changed:
            self._stops = _stops(await _all(connection, _STOPS))
        if "routing_shift" in changed:
            self._shifts = _shifts(await _all(connection, _SHIFTS))
        if "routing_budget" in changed:
            rows = await _all(connection, _BUDGETS)
            self._budgets = Budgets(Limit(*row) for row in rows)


async def _read_marks(connection: AsyncConnection[Any]) -> tuple[Marks, int]:
    cursor = await connection.execute(_MARKS, prepare=True)
    rows = await cursor.fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}, min(row[3] for row in rows)


async def _renew(connection: AsyncConnection[Any], kept: _Kept, since: int, count: int) -> None:
    """Fetch what was written since; everything, when a row has gone."""
    rows = {} if since <= 0 else kept.rows.copy()
    await _fetch(connection, kept, rows, since)
    if len(rows) != count:
        rows = {}
        await _fetch(connection, kept, rows, 0)
    kept.rows = rows


async def _fetch(
    connection: AsyncConnection[Any], kept: _Kept, rows: dict[int, tuple[Any, Any]], since: int
) -> None:
    cursor = connection.cursor(binary=True)
    if since > 0:
        await cursor.execute(kept.select + _SINCE, (since,))
    else:
        await cursor.execute(kept.select)
    while piece := await cursor.fetchmany(SLICE):
        rows.update((row[0], kept.build(row)) for row in piece)
        await asyncio.sleep(0)


def _agent(row: Row) -> tuple[int, Agent]:
    return row[0], Agent(
        public_id=row[1],
        name=row[2],
        stage=row[3],
        is_suspended=row[4],
        is_killed=row[5],
        data_classes=tuple(sorted(row[6])),
        routes=tuple(sorted(row[7])),
        team=row[8],
        team_id=intern(row[9]),
        owner=intern(row[10]),
        tools=DeclaredTools(row[11]) if row[11] else NOTHING,
        deprecated_at=row[12],
        ends_at=row[13],
        successor=row[14],
    )


def _key(row: Row) -> tuple[str, Key]:
    return row[2], Key(
        public_id=row[1],
        key_id=row[2],
        agent=row[3],
        pepper_id=row[4],
        digest=bytes(row[5]),
        expires_at=row[6],
        is_revoked=row[7],
    )


async def _read_routing(
    connection: AsyncConnection[Any],
) -> tuple[dict[str, Vendor], dict[tuple[str, str], Model], dict[str, Route]]:
    sealed = [SealedRow(*row) for row in await _all(connection, _SECRETS)]
    secrets = {row.holder: row for row in sealed}
    vendors = {
        row[0]: _vendor(row, secrets.get(f"vendor:{row[1]}"))
        for row in await _all(connection, _VENDORS)
    }
    models = {row[0]: (vendors[row[1]], _model(row)) for row in await _all(connection, _MODELS)}
    targets = {
        route: tuple(_target(row, *models[row[1]]) for row in rows)
        for route, rows in groupby(await _all(connection, _TARGETS), itemgetter(0))
    }
    named = {(vendor.name, model.name): (vendor, model) for vendor, model in models.values()}
    routes = {
        row[2]: _route(row, targets.get(row[0], ()), named)
        for row in await _all(connection, _ROUTES)
    }
    # Further names lead to the same route; a trigger sees to it that they hide no other.
    routes |= {alias: route for route in tuple(routes.values()) for alias in route.aliases}
    return (
        {vendor.public_id: vendor for vendor in vendors.values()},
        {(vendor.public_id, model.name): model for vendor, model in models.values()},
        routes,
    )


def _grants(rows: list[Row]) -> dict[str, tuple[DataGrant, ...]]:
    found: dict[str, list[DataGrant]] = {}
    for agent, vendor, data_class, until in rows:
        found.setdefault(agent, []).append(DataGrant(vendor, data_class, until))
    return {agent: tuple(grants) for agent, grants in found.items()}


def _shifts(rows: list[Row]) -> dict[str, dict[str, Shift]]:
    found: dict[str, dict[str, Shift]] = {}
    for agent, *said in rows:
        shift = Shift(*said)
        found.setdefault(agent, {})[shift.source] = shift
    return found


def _stops(rows: list[Row]) -> Stops:
    fleet: Stop | None = None
    found: dict[str, dict[str, Stop]] = {}
    for scope, subject, public_id, placed_as, placed_at in rows:
        stop = Stop(public_id, scope, placed_as, placed_at)
        if scope == "fleet":
            fleet = stop
        else:
            found.setdefault(scope, {})[subject] = stop
    return Stops(fleet, found)


async def _all(connection: AsyncConnection[Any], query: str) -> list[Row]:
    cursor = connection.cursor(binary=True)
    await cursor.execute(query)
    rows: list[Row] = []
    while piece := await cursor.fetchmany(SLICE):
        rows += piece
        await asyncio.sleep(0)
    return rows


def _vendor(row: Row, secret: SealedRow | None) -> Vendor:
    return Vendor(
        public_id=row[1],
        name=row[2],
        dialect=row[3],
        base_url=row[4],
        auth_scheme=row[5],
        is_enabled=row[6],
        data_classes=tuple(sorted(row[7])),
        secret=secret,
        profile=row[8],
        regions=tuple(row[9]),
    )


def _model(row: Row) -> Model:
    return Model(
        public_id=row[2],
        name=row[3],
        currency=row[4],
        input_price=row[5],
        output_price=row[6],
        cached_input_price=row[7],
        deprecated_on=row[8],
        retires_on=row[9],
        replacement=row[10],
        is_enabled=row[11],
        created_at=row[12],
        context_tokens=row[13],
        max_output_tokens=row[14],
    )


def _target(row: Row, vendor: Vendor, model: Model) -> Target:
    return Target(
        vendor=vendor,
        model=model,
        region=row[2],
        weight=row[3],
        priority=row[4],
        canary_percent=row[5],
        first_byte_ms=row[6],
        has_passed=row[7],
    )


def _route(
    row: Row, targets: tuple[Target, ...], named: dict[tuple[str, str], tuple[Vendor, Model]]
) -> Route:
    options = read_options(row[6])
    return Route(
        public_id=row[1],
        name=row[2],
        constraints=row[3],
        is_enabled=row[4],
        targets=targets,
        created_at=row[5],
        options=options,
        shadow=_shadow(options.shadow, named),
        aliases=tuple(row[7]),
    )


def _shadow(
    wanted: Shadow | None, named: dict[tuple[str, str], tuple[Vendor, Model]]
) -> Target | None:
    found = named.get((wanted.vendor, wanted.model)) if wanted is not None else None
    if wanted is None or found is None:
        return None
    return Target(*found, region=wanted.region, weight=1, priority=0)
