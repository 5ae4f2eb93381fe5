"""Finding out which vendor keeps a response. No Django: one connection, asked now and then.

Most calls never come here; one that names an earlier answer does, and is refused when the
database cannot say whose that answer is.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import psycopg

from routing.gateway.errors import NotGoverned
from routing.gateway.ports import StoredResponse

_OPTIONS: Final = "-c statement_timeout=4000 -c default_transaction_read_only=on"
# For the turn and the question together: nobody waits behind a database that says nothing.
PATIENCE_SECONDS: Final = 2.0
_FIND: Final = """
    SELECT vendor_id, model, route FROM routing_storedresponse
    WHERE response_id = %s AND agent_id = %s
"""


class StoredResponseIndex:
    """The index of stored responses, by the response's id and the agent's."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return "StoredResponseIndex(•••)"  # the address carries a password

    async def find(self, agent_id: str, response_id: str) -> StoredResponse | None:
        """Return where an agent's response is kept. Raises: NotGoverned."""
        if "\0" in response_id:
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._turn:
                row = await self._find(response_id, agent_id)
        except TimeoutError:
            raise NotGoverned from None
        return StoredResponse(*row) if row is not None else None

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
        cursor = await self._connection.execute(_FIND, values)
        return await cursor.fetchone()

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
