"""What one commit of a journal holds, and the one statement that writes it.

Owns the SQL: entries, payloads and the rows that belong to them go in through one
statement of data-modifying CTEs over unnested arrays, each joined to the writer's row
locked FOR SHARE. Closing that row therefore waits for a running commit, and a commit
after the closing inserts nothing at all. A batch that holds or spends (`holds`) inserts on
the verdict over its windows instead: all of it, or nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger import holds
from ledger.columns import BY_TYPE, Column
from ledger.entries import Fields, Link
from ledger.holds import Book, Move


@dataclass(frozen=True, slots=True, order=True)
class Table:
    """A table whose rows are written in the commit of an entry. Names are code, never input."""

    name: str
    columns: tuple[tuple[str, str], ...]  # name and type, one of `columns.BY_TYPE`
    on_conflict: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row for a table, in the order of its columns."""

    table: Table
    values: tuple[Any, ...]


@dataclass(slots=True)
class Job:
    """An entry that waits for its commit."""

    fields: Fields
    stream: str
    rows: Sequence[Row]
    is_first: bool
    committed: asyncio.Future[None]
    moves: Sequence[Move] = ()

    @property
    def asks(self) -> bool:
        return any(move.asks for move in self.moves)

    @property
    def size(self) -> int:
        payload = self.fields.payload
        return 1024 + (len(payload.ciphertext) if payload is not None else 0)


ENTRIES: Final = Table(
    "ledger_entry",
    (
        ("entry_id", "text"),
        ("stream", "text"),
        ("writer", "text"),
        ("seq", "bigint"),
        ("prev_hash", "bytea"),
        ("header", "bytea"),
        ("leaf_hash", "bytea"),
        ("kind", "text"),
        ("verb", "text"),
        ("actor", "text"),
        ("subject", "text"),
        ("agent_id", "text"),
        ("intent_id", "text"),
        ("recorded_at", "timestamptz"),
    ),
)
PAYLOADS: Final = Table(
    "ledger_payload",
    (
        ("entry_id", "text"),
        ("recorded_at", "timestamptz"),
        ("dek_id", "text"),
        ("nonce", "bytea"),
        ("ciphertext", "bytea"),
    ),
)


_COUNTED: Final = "(SELECT count(*) FROM into_ledger_entry)"


class Statement:
    """The insert of a batch that touches a certain set of tables, and moves counters or not."""

    def __init__(self, tables: tuple[Table, ...], book: Book | None = None) -> None:
        self._tables = tables
        parts = [
            "WITH fence AS MATERIALIZED (SELECT writer FROM ledger_writer"
            " WHERE writer = $1 AND closed_at IS NULL FOR SHARE)"
        ]
        taken = 1
        if book is not None:
            parts.append(book.clauses(taken + 1))
            taken += holds.COLUMNS
        gate = "fence" if book is None else "verdict"
        for table in (*tables, PAYLOADS, ENTRIES):
            parts.append(_insert(table, taken + 1, gate))
            taken += len(table.columns)
        answers = _COUNTED if book is None else f"{_COUNTED}, {book.answers}"
        self.text = f"{', '.join(parts)} SELECT {answers}"

    def values(
        self, writer: str, links: list[Link], jobs: list[Job], moves: list[Column]
    ) -> list[Any]:
        """Return the parameters: the writer, the moves, every column of every table as a list."""
        found: list[Any] = [writer, *moves]
        for table in self._tables:
            rows = [row.values for job in jobs for row in job.rows if row.table == table]
            # One order everywhere: two gateways that add the same rows never wait in a circle.
            rows.sort(key=_first)
            found += _columns(table, rows)
        found += _columns(PAYLOADS, [_payload(added) for added in links if added.fields.payload])
        found += _columns(ENTRIES, [_entry(added) for added in links])
        return found


def _insert(table: Table, first: int, gate: str) -> str:
    names = ", ".join(name for name, _ in table.columns)
    arrays = ", ".join(
        f"${number}::{kind}[]" for number, (_, kind) in enumerate(table.columns, first)
    )
    picked = ", ".join(f"given.{name}" for name, _ in table.columns)
    return (
        f"into_{table.name} AS (INSERT INTO {table.name} ({names}) SELECT {picked}"  # noqa: S608
        f" FROM {gate}, unnest({arrays}) AS given ({names}) {table.on_conflict} RETURNING 1)"
    )


def _columns(table: Table, rows: list[tuple[Any, ...]]) -> list[Column]:
    values = zip(*rows, strict=True) if rows else [()] * len(table.columns)
    return [
        BY_TYPE[kind].of(column) for (_, kind), column in zip(table.columns, values, strict=True)
    ]


def _first(values: tuple[Any, ...]) -> str:
    return str(values[0])


def _payload(added: Link) -> tuple[Any, ...]:
    payload = added.fields.payload
    assert payload is not None  # noqa: S101  the caller has filtered
    return (
        added.entry_id,
        added.fields.recorded_at,
        payload.dek_id,
        payload.nonce,
        payload.ciphertext,
    )


def _entry(added: Link) -> tuple[Any, ...]:
    fields = added.fields
    return (
        added.entry_id,
        added.stream,
        added.writer,
        added.seq,
        added.prev_hash,
        added.header,
        added.leaf_hash,
        fields.kind,
        fields.verb,
        str(fields.actor),
        str(fields.subject),
        fields.agent_id,
        fields.intent_id,
        fields.recorded_at,
    )
