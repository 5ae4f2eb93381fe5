"""The way to vendors: HTTP/1.1 over connections that are kept and used again.

Owns when a connection is made, kept and given up, and the one case in which a request is
sent again. A request is sent again, once and on a new connection, only when the kept
connection ended without a byte of a reply and either was not sent whole or only reads: a
vendor may have carried out whatever else it was sent. No redirect is followed, no cookie
kept, no compression asked for, no proxy taken from the environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections import defaultdict
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import aiohappyeyeballs
from yarl import URL

from credentials.addresses import is_permitted
from routing.gateway.connection import Connection, ConnectionGone, VendorReply
from routing.gateway.errors import VendorCut, VendorUnreachable
from routing.gateway.ports import Outgoing

CONNECT_SECONDS: Final = 5.0
KEEP_ALIVE_SECONDS: Final = 30.0
NAME_SECONDS: Final = 30.0
CONNECTIONS: Final = 4096
_PLACES_KEPT: Final = 4096
_EYEBALLS_SECONDS: Final = 0.25
_READS: Final = frozenset({"GET", "HEAD"})
_BODYLESS: Final = frozenset({"GET", "HEAD", "DELETE"})

_Found = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]


@dataclass(frozen=True, slots=True)
class _Origin:
    """Whose connections may be used for one another."""

    is_tls: bool
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class _Place:
    """An address as requests name it."""

    origin: _Origin
    target: str
    host: str


class HttpUpstream:
    """The connections of one process. Made and closed inside the event loop."""

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self._trust = trust
        self._places: dict[URL, _Place] = {}
        self._free: defaultdict[_Origin, list[Connection]] = defaultdict(list)
        self._open: dict[Connection, _Origin] = {}
        self._names: dict[tuple[str, int], tuple[float, list[_Found]]] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    async def send(self, outgoing: Outgoing) -> VendorReply:
        place = self._place_of(outgoing.address)
        head = _head(outgoing, place)
        is_bodyless = outgoing.method == "HEAD"
        kept = self._take(place.origin)
        if kept is not None:
            try:
                return await kept.ask(head, outgoing.body, is_bodyless=is_bodyless)
            except ConnectionGone as gone:
                if gone.was_sent and outgoing.method not in _READS:
                    raise _cut() from None
        made = await self._connect(place.origin)
        try:
            return await made.ask(head, outgoing.body, is_bodyless=is_bodyless)
        except ConnectionGone:
            raise _cut() from None

    async def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in tuple(self._open):
            connection.end()
        self._free.clear()

    # --- connections that are kept

    def _take(self, origin: _Origin) -> Connection | None:
        free = self._free.get(origin)
        while free:
            connection = free.pop()
            if connection.is_usable:
                return connection
            connection.end()
        return None

    def _keep(self, connection: Connection) -> None:
        connection.free_since = time.monotonic()
        self._free[self._open[connection]].append(connection)
        if self._sweeper is None:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(KEEP_ALIVE_SECONDS / 3, self._sweep)

    def _sweep(self) -> None:
        since = time.monotonic() - KEEP_ALIVE_SECONDS
        for origin, free in tuple(self._free.items()):
            for connection in free:
                if connection.free_since <= since:
                    connection.end()
            self._free[origin] = [each for each in free if each.free_since > since]
            if not self._free[origin]:
                del self._free[origin]
        self._sweeper = None
        if self._free:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(KEEP_ALIVE_SECONDS / 3, self._sweep)

    def _forget(self, connection: Connection) -> None:
        origin = self._open.pop(connection, None)
        if origin is not None and connection in self._free.get(origin, ()):
            self._free[origin].remove(connection)

    # --- and new ones

    async def _connect(self, origin: _Origin) -> Connection:
        if len(self._open) >= CONNECTIONS:
            raise VendorUnreachable(f"{VendorUnreachable.title} (too many connections are open).")
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._make(origin)
        except (OSError, UnicodeError) as error:
            self._names.pop((origin.host, origin.port), None)
            raise VendorUnreachable(f"{VendorUnreachable.title} ({_why(error)}).") from None

    async def _make(self, origin: _Origin) -> Connection:
        loop = asyncio.get_running_loop()
        if origin.is_tls and self._trust is None:
            self._trust = await asyncio.to_thread(_usual_trust)
        found = await self._find(origin)
        line = await aiohappyeyeballs.start_connection(
            found, happy_eyeballs_delay=_EYEBALLS_SECONDS, interleave=1, loop=loop
        )
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection = Connection(self._keep, self._forget)
        self._open[connection] = origin
        try:
            await loop.create_connection(
                lambda: connection,
                sock=line,
                ssl=self._trust if origin.is_tls else None,
                server_hostname=origin.host.rstrip(".") if origin.is_tls else None,
            )
        except BaseException:
            self._forget(connection)
            with contextlib.suppress(OSError):
                line.close()
            raise
        return connection

    async def _find(self, origin: _Origin) -> list[_Found]:
        asked = origin.host, origin.port
        until, found = self._names.get(asked, (0.0, []))
        if until <= time.monotonic():
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(*asked, type=socket.SOCK_STREAM)  # type: ignore[assignment]
            # A platform's own vendors may live inside; nobody's is a metadata service.
            if not all(is_permitted(ip_address(each[4][0]), allow_private=True) for each in found):
                raise VendorUnreachable(f"{VendorUnreachable.title} (no vendor answers there).")
            self._names[asked] = time.monotonic() + NAME_SECONDS, found
        return found

    def _place_of(self, address: URL) -> _Place:
        place = self._places.get(address)
        if place is None:
            if (
                address.host is None
                or address.port is None
                or address.scheme not in {"http", "https"}
            ):
                raise VendorUnreachable(f"{VendorUnreachable.title} (its address is not one).")
            origin = _Origin(address.scheme == "https", address.raw_host or "", address.port)
            place = _Place(origin, address.raw_path_qs, address.host_port_subcomponent or "")
            if len(self._places) >= _PLACES_KEPT:
                self._places.clear()
            self._places[address] = place
        return place


def _head(outgoing: Outgoing, place: _Place) -> bytes:
    lines = [f"{outgoing.method} {place.target} HTTP/1.1", f"host: {place.host}"]
    lines += [f"{name}: {value}" for name, value in outgoing.headers.items()]
    if outgoing.body or outgoing.method not in _BODYLESS:
        lines.append(f"content-length: {len(outgoing.body)}")
    head = "\r\n".join(lines)
    # A line break inside a value would be a header, or a request, that nobody decided on.
    breaks = len(lines) - 1
    if head.count("\n") != breaks or head.count("\r") != breaks or "\0" in head:
        raise VendorCut("A header for the vendor holds a line break or NUL; nothing was sent.")
    return head.encode("utf-8", "surrogateescape") + b"\r\n\r\n"


def _cut() -> VendorCut:
    return VendorCut("The vendor ended the connection without an answer.")


def _usual_trust() -> ssl.SSLContext:
    trust = ssl.create_default_context()
    trust.set_alpn_protocols(["http/1.1"])
    return trust


def _why(error: Exception) -> str:
    # The address is the vendor's own and known to whoever may see it; agents may not.
    match error:
        case ssl.SSLCertVerificationError():
            return "its certificate is not trusted"
        case ssl.SSLError():
            return "no TLS connection comes about"
        case socket.gaierror():
            return "its name cannot be resolved"
        case TimeoutError():
            return "no connection in time"
        case _:
            return "connection refused"
