"""Waiting for entries to reach a level: for who may not go on before that. No Django.

Owns one connection, opened by the first who waits and let go when nobody has waited for a
while. However many wait, each notification of the tree costs one question for all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from typing import Any, Final

import psycopg
import structlog

from ledger.levels import CHANNEL, Level

_LOOK_SECONDS: Final = 0.25  # a notification that was missed delays by no more than this
_KEPT_SECONDS: Final = 60.0
_PAUSE: Final = 0.25
_OPTIONS: Final = "-c statement_timeout=2000"
_LEVELS: Final = (
    "SELECT e.entry_id, CASE"
    " WHEN EXISTS (SELECT FROM ledger_checkpointsignature s"
    ' WHERE s.epoch = l.epoch AND s.size > l."index" AND s.is_witness) THEN 3'
    " WHEN EXISTS (SELECT FROM ledger_checkpointsignature s"
    ' WHERE s.epoch = l.epoch AND s.size > l."index" AND NOT s.is_witness) THEN 2'
    " ELSE 1 END"
    " FROM ledger_entry e JOIN ledger_leaf l ON l.entry = e.id WHERE e.entry_id = ANY(%s)"
)

logger = structlog.get_logger("unsprawl.receipts")

_Waiter = tuple[Level, "asyncio.Future[None]"]


class AwaitedReceipts:
    """Entries that somebody waits for. Of one event loop."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._waiting: defaultdict[str, list[_Waiter]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"AwaitedReceipts({len(self._waiting)})"  # the address carries a password

    async def reached(self, entry_id: str, level: Level, seconds: float) -> bool:
        """Return True once a durable entry has reached a level; False when the time is over."""
        reached = asyncio.get_running_loop().create_future()
        waiter = (level, reached)
        self._waiting[entry_id].append(waiter)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch(), name="receipts")
        try:
            async with asyncio.timeout(seconds):
                await reached
        except TimeoutError:
            return False
        finally:
            self._forget(entry_id, waiter)
        return True

    async def close(self) -> None:
        """Stop watching; who still waits is not answered."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _forget(self, entry_id: str, waiter: _Waiter) -> None:
        waiters = self._waiting.get(entry_id, [])
        with contextlib.suppress(ValueError):
            waiters.remove(waiter)
        if not waiters:
            self._waiting.pop(entry_id, None)

    async def _watch(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._address, autocommit=True, connect_timeout=2, options=_OPTIONS
                ) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    await self._answer_while_wanted(connection)
                    return
            except (psycopg.Error, OSError) as error:
                logger.warning("receipts.lost", kind=type(error).__name__)
                await asyncio.sleep(_PAUSE)
                if not self._waiting:
                    return

    async def _answer_while_wanted(self, connection: psycopg.AsyncConnection[Any]) -> None:
        wanted_at = time.monotonic()
        while time.monotonic() - wanted_at < _KEPT_SECONDS:
            if self._waiting:
                wanted_at = time.monotonic()
                await self._answer(connection)
            async for _ in connection.notifies(timeout=_LOOK_SECONDS, stop_after=1):
                pass

    async def _answer(self, connection: psycopg.AsyncConnection[Any]) -> None:
        cursor = await connection.execute(_LEVELS, [list(self._waiting)])
        for entry_id, level in await cursor.fetchall():
            for wanted, reached in self._waiting.get(entry_id, []):
                if level >= wanted and not reached.done():
                    reached.set_result(None)
