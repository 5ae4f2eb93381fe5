"""The loop that probes: claims what is due, asks at once, applies in batches.

The database is spoken to from one thread, so the event loop never waits for it. One host is
asked by a few probes at a time: a host that hangs delays its own and no other's.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from django.db import DatabaseError, close_old_connections, connections

from fleet.health.actions.probing import Done, Due, apply_probes, claim_probes
from fleet.health.probing.challenge import CHALLENGE, Challenge, new_nonce
from fleet.health.probing.client import ProbeClient
from fleet.health.probing.judging import judge
from kernel import clock
from registry.actors import Actor

logger = logging.getLogger("unsprawl.prober")

AT_ONCE: Final = 1000
PER_HOST: Final = 16
BATCH: Final = 500
TICK_SECONDS: Final = 0.25
REST_SECONDS: Final = 5.0  # when the database does not answer
ACTOR: Final = Actor.system("prober")


class Prober:
    """One process's probes. Made before its event loop, run inside it."""

    def __init__(self, client: ProbeClient | None = None, *, tick: float = TICK_SECONDS) -> None:
        self._client = client
        self._tick = tick
        self._flying: set[asyncio.Task[None]] = set()
        self._done: list[Done] = []
        self._hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(PER_HOST)
        )
        self._stopping = False
        self.lateness: deque[float] = deque(maxlen=100_000)  # of what began, in seconds

    def stop(self) -> None:
        """Take nothing more; what is under way is ended and applied."""
        self._stopping = True

    async def run(self) -> None:
        """Probe until stopped."""
        client = self._client or ProbeClient()
        with ThreadPoolExecutor(1, thread_name_prefix="prober-db") as database:
            while not self._stopping:
                began = time.monotonic()
                pause = self._tick if await self._turn(client, database) else REST_SECONDS
                await asyncio.sleep(max(pause - (time.monotonic() - began), 0.01))
            if self._flying:
                await asyncio.wait(self._flying)
            await self._apply(database)
            await asyncio.get_running_loop().run_in_executor(database, connections.close_all)
        client.close()

    async def _turn(self, client: ProbeClient, database: ThreadPoolExecutor) -> bool:
        """Claim, begin, apply; False when the database does not answer."""
        loop = asyncio.get_running_loop()
        try:
            await self._apply(database)
            room = min(BATCH, AT_ONCE - len(self._flying))
            due = await loop.run_in_executor(database, _claim, room) if room > 0 else []
        except DatabaseError as error:
            logger.warning("prober: the database does not answer (%s)", type(error).__name__)
            await loop.run_in_executor(database, close_old_connections)
            return False
        for each in due:
            task = loop.create_task(self._probe(client, each))
            self._flying.add(task)
            task.add_done_callback(self._flying.discard)
        return True

    async def _apply(self, database: ThreadPoolExecutor) -> None:
        while self._done:
            batch, self._done = self._done[:BATCH], self._done[BATCH:]
            await asyncio.get_running_loop().run_in_executor(database, _apply, batch)

    async def _probe(self, client: ProbeClient, due: Due) -> None:
        async with self._hosts[due.host]:
            self.lateness.append((clock.now() - due.due_at).total_seconds())
            challenge = Challenge(due.agent, new_nonce(), due.secret)
            answered = await client.get(
                due.url, {CHALLENGE: challenge.nonce}, allow_private=due.allow_private
            )
        judged = judge(due.kind, answered, challenge, was_proven=due.was_proven)
        self._done.append(Done(due, judged))


def _claim(room: int) -> list[Due]:
    return claim_probes(room, actor=ACTOR)


def _apply(batch: list[Done]) -> int:
    return apply_probes(batch, actor=ACTOR)
