"""What the gateway asks of the database in a call. No Django: one connection, now and then.

Most calls never come here: one that names an earlier answer does, and one of an agent that
drains. Each is refused when the database cannot say what it was asked.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final, LiteralString

import psycopg

from routing.gateway.errors import NotGoverned
from routing.gateway.ports import StoredResponse

_OPTIONS: Final = "-c statement_timeout=4000 -c default_transaction_read_only=on"
# For the turn and the question together: nobody waits behind a database that says nothing.
PATIENCE_SECONDS: Final = 2.0


class RowIndex:
    """One question, whose answer is one row or none."""

    question: ClassVar[LiteralString]

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(•••)"  # the address carries a password

    async def row(self, *values: str) -> Any:
        """Return the row. Raises: NotGoverned."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._turn:
                return await self._find(*values)
        except TimeoutError:
            raise NotGoverned from None

    async def _find(self, *values: str) -> Any:
        try:
            return await self._ask(*values)
        except (psycopg.Error, OSError):
            await self.close()
            try:  # the connection was perhaps an old one
                return await self._ask(*values)
            except (psycopg.Error, OSError):
                await self.close()
                raise NotGoverned from None
        except asyncio.CancelledError:
            await self.close()  # an answer may be on its way that nobody waits for
            raise

    async def _ask(self, *values: str) -> Any:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(
                self._address, autocommit=True, connect_timeout=3, options=_OPTIONS
            )
        cursor = await self._connection.execute(self.question, values)
        return await cursor.fetchone()

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


class StoredResponseIndex(RowIndex):
    """Which vendor keeps a response, by the response's id and the agent's."""

    question = """
        SELECT vendor_id, model, route FROM routing_storedresponse
        WHERE response_id = %s AND agent_id = %s
    """

    async def find(self, agent_id: str, response_id: str) -> StoredResponse | None:
        """Return where an agent's response is kept. Raises: NotGoverned."""
        if "\0" in response_id:
            return None
        row = await self.row(response_id, agent_id)
        return StoredResponse(*row) if row is not None else None


class RunBeginnings(RowIndex):
    """When runs began."""

    question = "SELECT extract(epoch FROM started_at)::float8 FROM routing_run WHERE run_id = %s"

    async def began_at(self, run_id: str) -> float | None:
        """Return when a run began; None for one that did not. Raises: NotGoverned."""
        row = await self.row(run_id)
        return float(row[0]) if row is not None else None
