"""Loading many rows at once, past the actions: the rows of a bench are nobody's evidence.

Owns the COPY. Only for throw-away clusters: triggers and foreign keys are off meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import psycopg
from psycopg import sql

_BLANK: Final[dict[str, Any]] = {
    "text": "",
    "character varying": "",
    "boolean": False,
    "ARRAY": [],
    "jsonb": "{}",
    "smallint": 0,
    "integer": 0,
    "bigint": 0,
}


class Bulk:
    """A superuser's connection that copies rows in."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        self._needed: dict[str, dict[str, Any]] = {}

    def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Copy rows; a column that must be there and is not named gets its emptiest value."""
        blank = {name: value for name, value in self._blanks(table).items() if name not in columns}
        tail = tuple(blank.values())
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, (*columns, *blank)))
        )
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row((*row, *tail))

    def run(self, statement: str, *values: Any) -> None:
        self.connection.execute(statement, values)

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(statement, values).fetchall()

    def _blanks(self, table: str) -> dict[str, Any]:
        if table not in self._needed:
            found = self.rows(
                "SELECT column_name, data_type FROM information_schema.columns"
                " WHERE table_name = %s AND is_nullable = 'NO' AND column_default IS NULL"
                " AND is_identity = 'NO' AND is_generated = 'NEVER'",
                table,
            )
            self._needed[table] = {name: _BLANK[kind] for name, kind in found if kind in _BLANK}
        return self._needed[table]
