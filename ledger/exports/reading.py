"""What an export reads, through server-side cursors: as much memory for a million as for ten.

The order is the format's: texts by their bytes, whatever the database's collation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from ledger.exports.planning import Database
from ledger.exports.scope import OneAgent, OneRun, Period, Plan

BATCH: Final = 500
# Payloads of a batch are held together no further than this.
HELD_BYTES: Final = 8 * 1024 * 1024

_OF_RUN: Final = "e.stream = %s"
_OF_AGENT: Final = "(e.agent_id = %s OR e.stream = 'agent:' || %s)"
_BY_CHAIN: Final = """
    SELECT e.id, h.epoch, CASE WHEN h.epoch IS NOT NULL THEN l.index END, e.stream, e.writer, e.seq
    FROM ledger_entry e
    LEFT JOIN ledger_leaf l ON l.entry = e.id
    LEFT JOIN unnest(%s::int[], %s::bigint[]) AS h(epoch, size)
           ON h.epoch = l.epoch AND l.index < h.size
    WHERE {which} {after}
    ORDER BY e.stream COLLATE "C", e.writer COLLATE "C", e.seq
"""
_AFTER_PLACE: Final = """
    AND (e.stream COLLATE "C", e.writer COLLATE "C", e.seq) > (%s, %s, %s)
"""
_BY_INDEX: Final = """
    SELECT l.entry, l.epoch, l.index FROM ledger_leaf l
    WHERE l.epoch = %s AND l.index >= %s AND l.index < %s ORDER BY l.index
"""
_COUNT: Final = "SELECT count(*) FROM ledger_entry e WHERE {which}"
_HEADERS: Final = "SELECT id, entry_id, header FROM ledger_entry WHERE id = ANY(%s)"
_SIZES: Final = """
    SELECT entry_id, octet_length(ciphertext) FROM ledger_payload WHERE entry_id = ANY(%s)
"""
_PAYLOADS: Final = """
    SELECT entry_id, nonce, ciphertext FROM ledger_payload
    WHERE entry_id = ANY(%s) ORDER BY recorded_at DESC
"""
_NUMBERS: Final = """
    SELECT DISTINCT l.index >> %s AS number FROM ledger_entry e
    JOIN ledger_leaf l ON l.entry = e.id AND l.epoch = %s AND l.index < %s WHERE {which}
    UNION SELECT unnest(%s::bigint[]) ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry as it is exported; ``after`` is where to go on behind it."""

    epoch: int | None
    index: int | None
    header: bytes
    payload: tuple[bytes, bytes] | None
    after: list[Any]


@dataclass(frozen=True, slots=True)
class _Place:
    row: int
    epoch: int | None
    index: int | None
    after: list[Any]


def entries(database: Database, plan: Plan, after: Sequence[Any] = ()) -> Iterator[Found]:
    """Yield the entries of a plan in the format's order, behind a place already reached."""
    places = (
        _by_index(database, plan.scope, after)
        if isinstance(plan.scope, Period)
        else _by_chain(database, plan, after)
    )
    while batch := list(islice(places, BATCH)):
        stored = {
            row: (entry_id, bytes(header))
            for row, entry_id, header in database.execute(_HEADERS, [[at.row for at in batch]])
        }
        # An entry that is gone is missed by whoever checks the file: its leaf is in the tree.
        held = [(at, *stored[at.row]) for at in batch if at.row in stored]
        yield from _with_payloads(database, plan, held)


def _by_index(database: Database, scope: Period, after: Sequence[Any]) -> Iterator[_Place]:
    reached = tuple(after) or (0, -1)
    for each in scope.ranges:
        if each.epoch < reached[0]:
            continue
        start = max(each.start, reached[1] + 1) if each.epoch == reached[0] else each.start
        for row, epoch, index in _rows(database, _BY_INDEX, [each.epoch, start, each.end]):
            yield _Place(row, epoch, index, [epoch, index])


def _by_chain(database: Database, plan: Plan, after: Sequence[Any]) -> Iterator[_Place]:
    which, named = _which(plan)
    heads = plan.heads
    statement = _BY_CHAIN.format(which=which, after=_AFTER_PLACE if after else "")
    parameters = [list(heads), list(heads.values()), *named, *after]
    for row, epoch, index, *place in _rows(database, statement, parameters):
        yield _Place(row, epoch, index, place)


def _which(plan: Plan) -> tuple[str, list[str]]:
    match plan.scope:
        case OneRun(run):
            return _OF_RUN, [run]
        case OneAgent(agent):
            return _OF_AGENT, [agent, agent]
        case Period():
            raise ValueError("a period is read by index")


def _with_payloads(
    database: Database, plan: Plan, batch: list[tuple[_Place, str, bytes]]
) -> Iterator[Found]:
    sizes: dict[str, int] = {}
    if plan.payloads:
        sizes = dict(database.execute(_SIZES, [[entry_id for _, entry_id, _ in batch]]))
    held: list[tuple[_Place, str, bytes]] = []
    weight = 0
    for each in batch:
        weight += sizes.get(each[1], 0)
        if held and weight > HELD_BYTES:
            yield from _found(database, held, sizes)
            held, weight = [], sizes.get(each[1], 0)
        held.append(each)
    yield from _found(database, held, sizes)


def _found(
    database: Database, held: list[tuple[_Place, str, bytes]], sizes: dict[str, int]
) -> Iterator[Found]:
    kept = [entry_id for _, entry_id, _ in held if entry_id in sizes]
    payloads = {
        entry_id: (bytes(nonce), bytes(ciphertext))
        for entry_id, nonce, ciphertext in (database.execute(_PAYLOADS, [kept]) if kept else ())
    }
    for at, entry_id, header in held:
        yield Found(at.epoch, at.index, header, payloads.get(entry_id), at.after)


def tile_numbers(database: Database, plan: Plan, epoch: int, level: int) -> Iterator[int]:
    """Yield the numbers of the tiles of one level that a plan's file holds, upwards."""
    shift, head = 8 * (level + 1), plan.heads[epoch]
    edges = sorted({size - 1 >> shift for size in dict(plan.sizes)[epoch]})
    if isinstance(plan.scope, Period):
        yield from _period_numbers(plan.scope, epoch, shift, edges)
        return
    which, named = _which(plan)
    statement = _NUMBERS.format(which=which)
    for (number,) in _rows(database, statement, [shift, epoch, head, *named, edges]):
        yield number


def _period_numbers(scope: Period, epoch: int, shift: int, edges: list[int]) -> Iterator[int]:
    held = range(0)
    for each in scope.ranges:
        if each.epoch == epoch:
            held = range(each.start >> shift, (each.end - 1 >> shift) + 1)
    yield from (number for number in edges if (held and number < held.start) or not held)
    yield from held
    yield from (number for number in edges if held and number >= held.stop)


def _rows(database: Database, statement: str, parameters: Sequence[Any]) -> Iterator[Any]:
    with database.cursor(name="unsprawl_export") as cursor:
        cursor.itersize = BATCH
        cursor.execute(statement, parameters)
        yield from cursor


def count_entries(database: Database, plan: Plan) -> int:
    """Return how many entries a plan comes to, to show how far a long export is."""
    if isinstance(plan.scope, Period):
        return sum(each.end - each.start for each in plan.scope.ranges)
    which, named = _which(plan)
    row = database.execute(_COUNT.format(which=which), named).fetchone()
    return int(row[0]) if row else 0
