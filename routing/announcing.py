"""A gateway process that says where it is, for as long as it is there. No Django.

Owns its one row: written before the first call is served, renewed every second, and
signed off when the process ends cleanly. A row that is missing is written again. When the
database is away nothing is said, and nothing is served either.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any, Final

import psycopg
import structlog

from routing.whereabouts import began, machine

logger = structlog.get_logger("unsprawl.announcing")

EVERY_SECONDS: Final = 1.0
_OPTIONS: Final = "-c statement_timeout=4000 -c lock_timeout=2000"
_SAY: Final = """
    INSERT INTO routing_livegateway
        (name, door, machine, pid, pid_since, started_at, seen_at)
    VALUES (%s, %s, %s, %s, %s, now(), now())
    ON CONFLICT (name) DO UPDATE SET seen_at = now(), left_at = NULL
"""
_LEAVE: Final = "UPDATE routing_livegateway SET left_at = now(), seen_at = now() WHERE name = %s"


class Announcing:
    """Keeps a process announced."""

    def __init__(self, address: str, name: str) -> None:
        self._address = address
        self._name = name
        self._row: tuple[Any, ...] = ()
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return "Announcing(•••)"  # the address carries a password

    async def open(self, door: str) -> None:
        """Announce for the first time, and keep on. Raises psycopg.Error, OSError."""
        pid = os.getpid()
        self._row = (self._name, door, machine(), pid, began(pid))
        await self._say()
        self._task = asyncio.create_task(self._keep_saying(), name="announcing")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            with contextlib.suppress(psycopg.Error, OSError, TimeoutError):
                await (await self._line()).execute(_LEAVE, (self._name,))
        await self._let_go()

    async def _keep_saying(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self._say()
            except (psycopg.Error, OSError, TimeoutError) as error:
                logger.warning("announcing.failed", kind=type(error).__name__)
                await self._let_go()

    async def _say(self) -> None:
        async with asyncio.timeout(5):
            await (await self._line()).execute(_SAY, self._row)

    async def _line(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(
                self._address, autocommit=True, connect_timeout=3, options=_OPTIONS
            )
        return self._connection

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await connection.close()
