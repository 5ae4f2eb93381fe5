"""How fast one agent may report, and how many reports are worked on at once.

Owns that an agent which reports without end takes nothing from the calls of the others. Both
count in one process alone: what is spread over several gateways may be so many times as fast.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

from routing.gateway.reporting.errors import ReportsBusy, ReportsThrottled

A_MINUTE: Final = 12_000
AT_ONCE: Final = 8
_PATIENCE_SECONDS: Final = 5.0
_SLICE_SECONDS: Final = 0.001
_AGENTS_KEPT: Final = 10_000


class Pace:
    """A minute's worth of steps for each agent, filled up as time goes by."""

    def __init__(self, a_minute: int = A_MINUTE) -> None:
        self._most = float(a_minute)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, agent_id: str, wanted: int) -> int:
        """Return how many of some steps may be recorded now. Raises: ReportsThrottled."""
        now = time.monotonic()
        left, at = self._left.pop(agent_id, (self._most, now))
        left = min(self._most, left + (now - at) * self._most / 60)
        given = min(wanted, int(left))
        self._left[agent_id] = (left - given, now)
        if len(self._left) > _AGENTS_KEPT:
            self._left.popitem(last=False)
        if wanted and not given:
            # Long enough for more than one step: whoever comes back has something to send.
            wait = max(1, round(min(wanted, self._most / 12) * 60 / self._most))
            raise ReportsThrottled(
                f"This agent reports more than {self._most:.0f} steps a minute. Come back in"
                f" {wait} s; what was recorded is not recorded twice.",
                retry_after_seconds=wait,
            )
        return given


class Room:
    """So many requests are worked on at once, of one agent half as many; the others wait."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._each = max(1, at_once // 2)
        self._agents: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def entered(self, agent_id: str) -> AsyncIterator[None]:
        """Be one of them. Raises: ReportsBusy."""
        own = self._agents.get(agent_id)
        if own is None:
            own = self._agents[agent_id] = asyncio.Semaphore(self._each)
        async with _one_of(own), _one_of(self._free):
            yield


@asynccontextmanager
async def _one_of(places: asyncio.Semaphore) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await places.acquire()
    except TimeoutError:
        raise ReportsBusy from None
    try:
        yield
    finally:
        places.release()


class Turns:
    """Lets the calls of others have their turn, however much there is to do."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def give(self) -> None:
        if time.perf_counter() - self._since > _SLICE_SECONDS:
            await asyncio.sleep(0)
            self._since = time.perf_counter()
