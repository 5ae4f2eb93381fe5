"""Keeping a snapshot fresh, or refusing to have one. No Django.

Owns the promise that no call is decided on a state older than a second: the bell of the
database (LISTEN) makes changes arrive in milliseconds, a look four times a second makes
them arrive without it, and when neither succeeds there is no snapshot at all. A call that
meets a state which is merely late (a busy machine) waits a moment for the next look.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg
import structlog

from routing.gateway.errors import NotGoverned
from routing.gateway.snapshot import Snapshot
from routing.snapshot import SnapshotReading

logger = structlog.get_logger("unsprawl.snapshot")

CHANNEL: Final = "unsprawl_snapshot"
SHREDS: Final = "unsprawl_shred"
INTERVAL_SECONDS: Final = 0.25
STALE_SECONDS: Final = 1.0
GRACE_SECONDS: Final = 2.0
FIRST_SECONDS: Final = 30.0
_READ_SECONDS: Final = 10.0
_LONGEST_PAUSE: Final = 1.0
# Between two looks that refusals ask for: guessed keys must not keep the database busy.
_GAP_SECONDS: Final = 0.05
_AGAIN_SECONDS: Final = 0.5
_OPTIONS: Final = "-c statement_timeout=8000 -c default_transaction_read_only=on"


class FreshSnapshots:
    """The newest snapshot, for as long as it is known to be true."""

    def __init__(
        self,
        address: str,
        *,
        on_change: Callable[[Snapshot], None],
        on_shred: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._address = address
        self._on_change = on_change
        self._on_shred = on_shred  # told the scope whose keys are gone, or * for any
        self._snapshot: Snapshot | None = None
        self._confirmed = float("-inf")
        self._reading = SnapshotReading()
        self._is_lost = False
        self._rung = asyncio.Event()
        self._looked = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return "FreshSnapshots(•••)"  # the address carries a password

    @property
    def age_seconds(self) -> float:
        """How long ago the state in hand was last known to be the database's."""
        return time.monotonic() - self._confirmed

    def current(self) -> Snapshot:
        """Return what is known now. Raises: NotGoverned when it may have changed unseen."""
        if self._snapshot is None or time.monotonic() - self._confirmed > STALE_SECONDS:
            raise NotGoverned
        return self._snapshot

    async def look_again(self) -> None:
        """Wait until what is known is true for a moment after this call; not for ever."""
        asked = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN_SECONDS):
                await asyncio.sleep(max(0.0, self._confirmed + _GAP_SECONDS - asked))
                while self._confirmed < asked:
                    self._rung.set()
                    await self._looked.wait()

    async def known_since(self, moment: float) -> None:
        """Wait for as long as it takes until what is known is true for after a moment."""
        while self._confirmed < moment:
            self._rung.set()
            await self._looked.wait()

    async def fresh(self) -> Snapshot:
        """Return what is known, waiting for the next look if need be. Raises: NotGoverned."""
        if self.age_seconds > STALE_SECONDS:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE_SECONDS):
                    while self.age_seconds > STALE_SECONDS and not self._is_lost:
                        await self._looked.wait()
        return self.current()

    async def open(self) -> None:
        """Read for the first time and keep on. Raises psycopg.Error, OSError, TimeoutError."""
        connection = await self._connect(FIRST_SECONDS)
        await self._look(connection)
        self._tasks = [
            asyncio.create_task(self._keep_looking(connection), name="snapshot"),
            asyncio.create_task(self._keep_listening(), name="snapshot-bell"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def _connect(self, seconds: float = 5.0) -> psycopg.AsyncConnection[Any]:
        async with asyncio.timeout(seconds):
            return await psycopg.AsyncConnection.connect(
                self._address, autocommit=True, options=_OPTIONS, connect_timeout=5
            )

    async def _look(self, connection: psycopg.AsyncConnection[Any]) -> None:
        # The moment before the question is the one that the answer is known to be true for.
        asked = time.monotonic()
        async with asyncio.timeout(_READ_SECONDS):
            found = await self._reading.read(connection)
        if found is not None:
            self._snapshot = found
            self._on_change(found)
        self._confirmed = asked
        self._wake(is_lost=False)

    async def _keep_looking(self, connection: psycopg.AsyncConnection[Any]) -> None:
        pause = 0.05
        while True:
            try:
                while True:
                    await self._look(connection)
                    pause = 0.05
                    await self._wait_for_bell()
            except (psycopg.Error, OSError, TimeoutError) as error:
                logger.warning("snapshot.unreadable", kind=type(error).__name__)
                self._wake(is_lost=True)
            finally:
                await _let_go(connection)
            connection = await self._reconnect(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _wake(self, *, is_lost: bool) -> None:
        self._is_lost = is_lost
        waiting, self._looked = self._looked, asyncio.Event()
        waiting.set()

    async def _wait_for_bell(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(INTERVAL_SECONDS):
                await self._rung.wait()
        self._rung.clear()

    async def _reconnect(self, pause: float) -> psycopg.AsyncConnection[Any]:
        while True:
            await asyncio.sleep(pause)
            with contextlib.suppress(psycopg.Error, OSError, TimeoutError):
                connection = await self._connect()
                # It may be another database by now, with other transactions.
                self._reading.forget()
                return connection
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _keep_listening(self) -> None:
        connection: psycopg.AsyncConnection[Any] | None = None
        while True:
            try:
                connection = await self._connect()
                await connection.execute(f"LISTEN {CHANNEL}; LISTEN {SHREDS}")
                self._rung.set()  # what was said before we listened
                self._on_shred("*")
                async for bell in connection.notifies():
                    if bell.channel == SHREDS:
                        self._on_shred(bell.payload)
                    else:
                        self._rung.set()
            except (psycopg.Error, OSError, TimeoutError) as error:
                logger.warning("snapshot.bell_lost", kind=type(error).__name__)
                await asyncio.sleep(_LONGEST_PAUSE)
            finally:
                await _let_go(connection)
                connection = None


async def _let_go(connection: psycopg.AsyncConnection[Any] | None) -> None:
    if connection is not None:
        with contextlib.suppress(psycopg.Error, OSError):
            await connection.close()
