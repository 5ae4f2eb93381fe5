"""Listeners on loopback that count who connects. What arrives is what is judged."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest


class Canaries:
    """TCP ports of 127.0.0.1 and ::1: one that is named in addresses, and well-known ones."""

    KNOWN = (80, 443, 8080, 8443, 2375, 9200)

    def __init__(self) -> None:
        self.seen = 0
        self._open: list[socket.socket] = []
        self.port = self._listen("127.0.0.1", 0)
        self._listen("::1", self.port)
        for port in self.KNOWN:
            with suppress(OSError):  # somebody else's; what connects there is not ours to count
                self._listen("127.0.0.1", port)

    def _listen(self, host: str, port: int) -> int:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server = socket.create_server((host, port), family=family)
        self._open.append(server)
        threading.Thread(target=self._count, args=[server], daemon=True).start()
        return int(server.getsockname()[1])

    def _count(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                peer, _ = server.accept()
                self.seen += 1
                peer.close()

    def close(self) -> None:
        for server in self._open:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()


@contextmanager
def canaries(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canaries]:
    """Listen, and let every name resolve to loopback, as an attacker's server would have it."""
    real = socket.getaddrinfo

    def resolve(host: object, port: object, *args: object, **kwargs: object) -> object:
        if host in {"127.0.0.1", "::1", None, "localhost"}:
            return real(host, port, *args, **kwargs)  # type: ignore[arg-type]
        four = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        six = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))
        return [four, six]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    made = Canaries()
    try:
        yield made
    finally:
        made.close()
