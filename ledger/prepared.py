"""Our own statements over a driver's connection, without what the driver does for anybody's.

Owns the way of a commit's one statement to PostgreSQL and of its one row back: prepared once,
its parameters written already (`ledger.columns`), waited for with one callback that stays. The
driver's cursors build, adapt and watch anew for each statement, which cost as much as all
else that the journal does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg import errors
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from ledger.columns import Column

_BINARY: Final = 1
_TEXT: Final = 0
_TEXT_TYPE: Final = 25
_GOOD: Final = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)

Parameter = Column | str


class Prepared:
    """Statements of one connection, one at a time. The driver may use it in between."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection
        self._line = connection.pgconn
        # Of our own, so that the driver's watching of the same socket and ours do not meet.
        self._socket = os.dup(self._line.socket)
        self._loop = asyncio.get_running_loop()
        self._is_watched = False
        self._heard: asyncio.Future[None] | None = None
        self._names: dict[str, bytes] = {}

    async def row(self, text: str, parameters: Sequence[Parameter]) -> tuple[Any, ...] | None:
        """Run a statement and return its first row. Raises: psycopg.Error.

        After it was cancelled the connection is of no use any more.
        """
        name = self._names.get(text)
        if name is None:
            name = await self._prepare(text, parameters)
        self._line.send_query_prepared(
            name,
            [given.encode() if isinstance(given, str) else given for given in parameters],
            [_TEXT if isinstance(given, str) else _BINARY for given in parameters],
            _BINARY,
        )
        result = await self._result()
        if not result.ntuples:
            return None
        reading = Transformer(self._connection)
        reading.set_pgresult(result)
        return reading.load_row(0, tuple)

    def close(self) -> None:
        """Let go of what is watched; the connection is its owner's."""
        self._watch_no_more()
        if self._socket >= 0:
            with contextlib.suppress(OSError):
                os.close(self._socket)
            self._socket = -1

    async def _prepare(self, text: str, parameters: Sequence[Parameter]) -> bytes:
        name = f"unsprawl_{len(self._names)}".encode()
        types = [_TEXT_TYPE if isinstance(given, str) else given.array for given in parameters]
        self._line.send_prepare(name, text.encode(), types)
        await self._result()
        self._names[text] = name
        return name

    async def _result(self) -> PGresult:
        while self._line.flush():
            await self._writable()
        found: PGresult | None = None
        while True:
            while self._line.is_busy():
                await self._readable()
            result = self._line.get_result()
            if result is None:
                break
            found = result
        if found is None:
            raise psycopg.OperationalError("the server said nothing")
        if found.status not in _GOOD:
            raise errors.error_from_result(found)
        return found

    async def _readable(self) -> None:
        if not self._is_watched:
            self._loop.add_reader(self._socket, self._hear)
            self._is_watched = True
        self._heard = self._loop.create_future()
        try:
            await self._heard
        finally:
            self._heard = None

    def _hear(self) -> None:
        heard = self._heard
        if heard is None:
            # Nothing of ours: the driver's, or the connection's end. Not to be told again.
            self._watch_no_more()
            return
        if heard.done():
            return
        try:
            self._line.consume_input()
            if self._line.is_busy():
                return
        except psycopg.Error as error:
            heard.set_exception(error)
            return
        heard.set_result(None)

    def _watch_no_more(self) -> None:
        if self._is_watched:
            self._loop.remove_reader(self._socket)
            self._is_watched = False

    async def _writable(self) -> None:
        written = self._loop.create_future()
        self._loop.add_writer(self._socket, _note, written)
        try:
            await written
        finally:
            self._loop.remove_writer(self._socket)


def _note(written: asyncio.Future[None]) -> None:
    if not written.done():
        written.set_result(None)
