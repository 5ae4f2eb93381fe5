"""How often one address may look in a minute: counted in memory, before anything is looked up."""

from __future__ import annotations

from threading import Lock
from typing import ClassVar, Final

from kernel import clock

MOST_ADDRESSES: Final = 20_000


class Visits:
    """Counts visits by address in windows of a minute, and forgets them with it."""

    SECONDS: ClassVar[int] = 60
    MOST: ClassVar[int] = 60

    def __init__(self) -> None:
        self._lock = Lock()
        self._window = 0
        self._counts: dict[str, int] = {}

    def allows(self, address: str) -> bool:
        """Count a visit and say whether it is within the limit."""
        window = int(clock.now().timestamp()) // self.SECONDS
        with self._lock:
            if window != self._window:
                self._window, self._counts = window, {}
            if address not in self._counts and len(self._counts) >= MOST_ADDRESSES:
                return False  # whoever has so many addresses is not looking at a page
            self._counts[address] = self._counts.get(address, 0) + 1
            return self._counts[address] <= self.MOST
