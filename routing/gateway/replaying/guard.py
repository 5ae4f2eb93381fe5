"""No network while a run is replayed: whoever tries to reach something is refused, and counted.

Owns the refusal. An audit hook sees every connection and every look-up of a name that Python
makes, whoever makes it. Pairs of sockets inside this machine's memory, by which the policy's
own child is asked, are no network.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_REACHES: Final = frozenset(
    {
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "socket.getnameinfo",
    }
)


class NetworkRefused(OSError):
    """Raised for whoever tries to reach something while a run is replayed."""


class _Guard:
    def __init__(self) -> None:
        self.depth = 0
        self.tried = 0
        self._is_installed = False

    def install(self) -> None:
        if not self._is_installed:
            sys.addaudithook(self._audit)  # for good: hooks cannot be taken out again
            self._is_installed = True

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.depth and event in _REACHES:
            self.tried += 1
            raise NetworkRefused(f"A replay reaches nothing ({event}).")


class Tries:
    """How often somebody tried."""

    def __init__(self, guard: _Guard) -> None:
        self._guard = guard
        self._before = guard.tried

    @property
    def count(self) -> int:
        return self._guard.tried - self._before


_GUARD: Final = _Guard()


@contextmanager
def no_network() -> Iterator[Tries]:
    """Refuse every connection of this process until the block ends."""
    _GUARD.install()
    _GUARD.depth += 1
    try:
        yield Tries(_GUARD)
    finally:
        _GUARD.depth -= 1
