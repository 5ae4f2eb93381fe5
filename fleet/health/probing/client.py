"""One bounded request to one vetted address, many at once. No Django.

Addresses are read and vetted by the guarded client's rules, and connected to as vetted. Every
request has one deadline for all of it, one connection, and caps on head and body; no redirect is
followed, no compression asked for, no proxy used. Nothing of what was answered is kept but what
is asked for here.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from credentials.addresses import AddressFault, Target, is_permitted, refused
from credentials.egress import FetchFault, GuardedClient, Resolve, SocketAddress, resolve_by_system
from credentials.errors import AddressRefused, FetchFailed
from routing.gateway.connection import Connection, ConnectionGone
from routing.gateway.errors import VendorCut

SECONDS: Final = 5.0
MAX_BYTES: Final = 64 * 1024
NAMES_SECONDS: Final = 30.0
_NAMES_KEPT: Final = 20_000
_LOOKUPS: Final = 32

_WORDS: Final = {
    FetchFault.UNRESOLVED: "The host has no address.",
    FetchFault.UNREACHABLE: "The host takes no connection.",
    FetchFault.TLS: "The host's certificate or its TLS is not acceptable.",
    FetchFault.TIMED_OUT: "The answer took too long.",
    FetchFault.TOO_LARGE: "The answer is too large.",
    FetchFault.ENCODING: "The answer is encoded in a way that is not read here.",
    FetchFault.BROKEN: "The answer is not HTTP, or it broke off.",
}


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back, or why nothing usable did."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    fault: str = ""  # in words, one of a fixed list
    is_refused: bool = False  # we do not connect there: nothing was sent
    seconds: float = 0.0


class ProbeClient:
    """Makes requests inside one event loop."""

    def __init__(
        self,
        *,
        seconds: float = SECONDS,
        resolve: Resolve | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._seconds = seconds
        self._resolve = resolve or resolve_by_system
        self._trust = trust or ssl.create_default_context()
        self._names: OrderedDict[tuple[str, int], tuple[float, list[SocketAddress]]] = OrderedDict()
        # A look-up cannot be interrupted; how many may hang is bounded.
        self._pool = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="look-up")
        self._guards = {each: GuardedClient(allow_private=each) for each in (False, True)}

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def get(self, url: str, headers: dict[str, str], *, allow_private: bool) -> Answered:
        """Ask once. Never raises for what the other side does."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds):
                return await self._get(url, headers, allow_private, started)
        except AddressRefused as error:
            return Answered(fault=error.detail, is_refused=True)
        except FetchFailed as error:
            return Answered(fault=error.detail)
        except TimeoutError:
            fault = FetchFault.TIMED_OUT
        except (ssl.SSLError, ssl.CertificateError):
            fault = FetchFault.TLS
        except (ConnectionGone, VendorCut, UnicodeError):
            fault = FetchFault.BROKEN
        except OSError:
            fault = FetchFault.UNREACHABLE
        return Answered(fault=_WORDS[fault], seconds=time.monotonic() - started)

    async def _get(
        self,
        url: str,
        headers: dict[str, str],
        allow_private: bool,  # noqa: FBT001
        started: float,
    ) -> Answered:
        target = self._guards[allow_private].check(url)
        loop = asyncio.get_running_loop()
        for family, address in await self._find(target, allow_private=allow_private):
            line = socket.socket(family, socket.SOCK_STREAM)
            line.settimeout(0)
            try:
                await loop.sock_connect(line, address)
            except OSError:
                line.close()
                continue
            except BaseException:  # cut off by the deadline
                line.close()
                raise
            return await self._ask(line, target, headers, started)
        raise ConnectionRefusedError

    async def _ask(
        self, line: socket.socket, target: Target, headers: dict[str, str], started: float
    ) -> Answered:
        connection = Connection(lambda _: None, lambda _: None)
        is_tls = target.scheme == "https"
        transport: asyncio.BaseTransport | None = None
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(
                lambda: connection,
                sock=line,
                ssl=self._trust if is_tls else None,
                server_hostname=target.host if is_tls else None,
            )
            reply = await connection.ask(_head(target, headers), b"")
            said = _readable(reply.headers)
            if said.get("content-encoding", "identity").lower() != "identity":
                return Answered(reply.status, fault=_WORDS[FetchFault.ENCODING])
            body = await _read(reply.pieces())
            took = time.monotonic() - started
            if body is None:
                return Answered(reply.status, fault=_WORDS[FetchFault.TOO_LARGE], seconds=took)
            return Answered(reply.status, said, body, seconds=took)
        finally:
            if transport is not None:
                connection.end()
            else:
                line.close()

    async def _find(self, target: Target, *, allow_private: bool) -> list[SocketAddress]:
        if target.literal is not None:
            family = socket.AF_INET if target.literal.version == 4 else socket.AF_INET6
            return [(family, (str(target.literal), target.port))]
        found = await self._looked_up(target.host, target.port)
        # One address that is not permitted refuses the host as a whole.
        for _, address in found:
            if not is_permitted(ip_address(address[0]), allow_private=allow_private):
                raise refused(AddressFault.NETWORK)
        if not found:
            raise FetchFailed(_WORDS[FetchFault.UNRESOLVED], reason=FetchFault.UNRESOLVED.value)
        return found

    async def _looked_up(self, host: str, port: int) -> list[SocketAddress]:
        until, found = self._names.get((host, port), (0.0, []))
        if until > time.monotonic():
            return found
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._pool, self._resolve, host, port)
        except OSError:
            found = []
        self._names[host, port] = time.monotonic() + NAMES_SECONDS, found
        self._names.move_to_end((host, port))
        if len(self._names) > _NAMES_KEPT:
            self._names.popitem(last=False)
        return found


def _head(target: Target, headers: dict[str, str]) -> bytes:
    path = target.path + ("" if target.query is None else f"?{target.query}")
    host = target.origin.partition("://")[2]
    lines = [
        f"GET {path} HTTP/1.1", f"host: {host}", "user-agent: unsprawl-health", "accept: */*",
        "accept-encoding: identity", "connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _readable(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1").strip() for name, value in headers}


async def _read(pieces: object) -> bytes | None:
    """Return a whole body, or None when it has more than is read."""
    taken, size = [], 0
    async for piece in pieces:  # type: ignore[attr-defined]
        size += len(piece)
        if size > MAX_BYTES:
            return None
        taken.append(piece)
    return b"".join(taken)
