"""A connection of its own for a long reading: one snapshot, its own limits, nobody's pool.

A client that takes its bytes slowly holds this connection and no other; it is ended when
nothing moves for a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from django.db import connection

from kernel.errors import Unavailable
from ledger.exports.planning import Database

_LIMITS: Final = (
    "SET statement_timeout = '{seconds}s'",
    "SET idle_in_transaction_session_timeout = '60s'",
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
)


class ExportUnreadable(Unavailable):
    """Raised when the database does not let an export be read."""

    code = "ledger.export_unreadable"
    title = "The record cannot be read for an export now"


@contextmanager
def snapshot(*, statement_seconds: int = 60) -> Iterator[Database]:
    """Read everything as it stands at one moment. Raises: ExportUnreadable."""
    opened = open_snapshot(statement_seconds=statement_seconds)
    try:
        yield opened
    finally:
        opened.close()


def open_snapshot(*, statement_seconds: int = 60) -> Database:
    """Open one; whoever does closes it. Raises: ExportUnreadable."""
    parameters: dict[str, Any] = dict(connection.get_connection_params())
    for ours in ("cursor_factory", "context"):
        parameters.pop(ours, None)
    said = parameters.pop("options", "") or ""
    try:
        opened = psycopg.connect(**parameters, options=said, autocommit=False)
        opened.prepare_threshold = None
        for statement in _LIMITS:
            opened.execute(statement.format(seconds=statement_seconds).encode())
    except psycopg.OperationalError as error:
        raise ExportUnreadable("The database does not answer.") from error
    return opened
