"""The one guarded client for everything that leaves and is not a vendor call. No Django.

An address is read once, its host resolved once, every address of the host vetted, and the
connection made to one of those and to nothing else; the name stays in TLS and in the Host
header. No redirect is followed, no proxy or netrc of the environment is used, bytes and
seconds are capped as a whole, and what goes wrong is one of a fixed list of reasons.
"""

from __future__ import annotations

import socket
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import HTTPException
from ipaddress import ip_address
from typing import Any, Final

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from credentials.addresses import AddressFault, Target, is_permitted, refused
from credentials.errors import FetchFailed
from kernel.canonical import strict_loads

MAX_BYTES: Final = 64 * 1024
SECONDS: Final = 5.0
_PIECE: Final = 8192
_LOOKUPS: Final = threading.BoundedSemaphore(32)
# Headers that frame a request are ours to set, not a caller's.
_OURS: Final = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "accept-encoding",
        "te",
        "upgrade",
    }
)

SocketAddress = tuple[socket.AddressFamily, Any]
Resolve = Callable[[str, int], list[SocketAddress]]


class FetchFault(StrEnum):
    """Why no usable answer came. A fixed list: it says nothing of what lies behind."""

    UNRESOLVED = "unresolved"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMED_OUT = "timed_out"
    TOO_LARGE = "too_large"
    ENCODING = "encoding"
    BROKEN = "broken"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said, whole and within the caps. A redirect is an answer like any."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> object:
        """Read the body as strict JSON. Raises: NotJSON."""
        return strict_loads(self.body)


class GuardedClient:
    """Makes one connection a request, to a vetted address. Keeps nothing between requests.

    ``allow_private`` is for what an administrator of the platform configured: plain http,
    any port, and addresses inside; never metadata services, link-local or multicast.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        ports: frozenset[int] = frozenset(),
        max_bytes: int = MAX_BYTES,
        seconds: float = SECONDS,
        resolve: Resolve | None = None,
        ca_file: str = "",
    ) -> None:
        self._allow_private = allow_private
        self._ports = ports | {443}
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._resolve = resolve or resolve_by_system
        self._verify: bool | str = ca_file or True

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Fetch. Raises: AddressRefused, FetchFailed."""
        return self.request("GET", url, headers=headers)

    def post(self, url: str, body: bytes, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Send. Raises: AddressRefused, FetchFailed."""
        return self.request("POST", url, headers=headers, body=body)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Make one request to one vetted address. Raises: AddressRefused, FetchFailed."""
        target = self.check(url)
        deadline, went = _Deadline(self._seconds), _Went()
        try:
            connection = _dial(self.vet(target, deadline), deadline)
        except FetchFailed as error:
            raise went.told(error) from None
        deadline.watch(connection)
        try:
            asked = _Asked(method, target, _sent(headers or {}), body, went)
            answer = self._exchange(asked, connection, deadline)
            if deadline.is_over:  # cut off, which reads like the end of a body without a length
                raise _failed(FetchFault.TIMED_OUT)
        except FetchFailed as error:
            raise went.told(error) from None
        except _FAILURES as error:
            raise went.told(_failed(_fault_of(error, deadline))) from None
        else:
            return answer
        finally:
            deadline.stop()
            connection.close()

    def check(self, url: str) -> Target:
        """Read an address without touching the network. Raises: AddressRefused."""
        target = Target.parse(url, allow_private=self._allow_private)
        if not self._allow_private and target.port not in self._ports:
            raise refused(AddressFault.PORT)
        if target.literal is not None and not is_permitted(
            target.literal, allow_private=self._allow_private
        ):
            raise refused(AddressFault.NETWORK)
        return target

    def vet(self, target: Target, deadline: _Deadline | None = None) -> list[SocketAddress]:
        """Resolve once; one address that is not permitted refuses the host as a whole.

        Raises: AddressRefused, FetchFailed.
        """
        if target.literal is not None:
            family = socket.AF_INET if target.literal.version == 4 else socket.AF_INET6
            return [(family, (str(target.literal), target.port))]
        found = _resolved(self._resolve, target, (deadline or _Deadline(self._seconds)).left)
        if not found:
            raise _failed(FetchFault.UNRESOLVED)
        for _, address in found:
            if not is_permitted(ip_address(address[0]), allow_private=self._allow_private):
                raise refused(AddressFault.NETWORK)
        return found

    def _exchange(self, asked: _Asked, connection: socket.socket, deadline: _Deadline) -> Answer:
        started = time.monotonic()
        with requests.Session() as session:
            session.trust_env = False
            session.headers.clear()
            session.adapters.clear()
            session.mount(asked.target.origin, _PinnedAdapter(connection, asked.went))
            prepared = session.prepare_request(
                requests.Request(asked.method, asked.target.url, asked.headers, data=asked.body)
            )
            # The library reads the address again; what it read must be what was vetted.
            read = Target.parse(prepared.url or "", allow_private=True)
            if read.origin != asked.target.origin:  # pragma: no cover  no such address is known
                raise refused(AddressFault.NOT_AN_ADDRESS)
            with session.send(
                prepared,
                stream=True,
                allow_redirects=False,
                timeout=deadline.left,
                verify=self._verify,
                proxies={},
            ) as response:
                asked.went.answered = response.status_code
                received = self._read(response)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, headers, received, time.monotonic() - started)

    def _read(self, response: requests.Response) -> bytes:
        pieces, size = [], 0
        while piece := response.raw.read(_PIECE, decode_content=False):
            size += len(piece)
            if size > self._max_bytes:
                raise _failed(FetchFault.TOO_LARGE)
            pieces.append(piece)
        return self._unpacked(
            b"".join(pieces), response.headers.get("content-encoding", "").strip().lower()
        )

    def _unpacked(self, raw: bytes, encoding: str) -> bytes:
        if encoding in {"", "identity"} or not raw:
            return raw
        if encoding not in {"gzip", "x-gzip", "deflate"}:
            raise _failed(FetchFault.ENCODING)
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
        text = unpacker.decompress(raw, self._max_bytes + 1)
        if len(text) > self._max_bytes:
            raise _failed(FetchFault.TOO_LARGE)
        if not unpacker.eof:
            raise _failed(FetchFault.BROKEN)
        return text


def resolve_by_system(host: str, port: int) -> list[SocketAddress]:
    """Resolve a name as the system does. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


def _resolved(resolve: Resolve, target: Target, seconds: float) -> list[SocketAddress]:
    # A look-up cannot be interrupted, so it runs in a thread that may outlive this request;
    # how many may, is bounded.
    places = _LOOKUPS
    if not places.acquire(blocking=False):
        raise _failed(FetchFault.BUSY)
    found: list[SocketAddress] = []

    def look_up() -> None:
        try:
            with suppress(OSError, UnicodeError):
                found.extend(resolve(target.host, target.port))
        finally:
            places.release()

    thread = threading.Thread(target=look_up, name="look-up", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise _failed(FetchFault.TIMED_OUT)
    return found


class _Deadline:
    """The end of a whole request. When it comes, the connection is shut from another thread.

    A timeout of a socket starts anew with every byte; a peer that sends one now and then
    would never meet it.
    """

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds
        self._lock = threading.Lock()

    @property
    def left(self) -> float:
        return max(self._at - time.monotonic(), 0.001)

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._at

    def watch(self, connection: socket.socket) -> None:
        # A duplicate, because TLS takes the file descriptor away from the socket it wraps.
        self._watched: socket.socket = connection.dup()
        self._timer = threading.Timer(self.left, self._shut)
        self._timer.daemon = True
        self._timer.start()

    def _shut(self) -> None:
        with self._lock, suppress(OSError):  # closed here, or by the other side, just before
            self._watched.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._watched.close()


def _dial(addresses: list[SocketAddress], deadline: _Deadline) -> socket.socket:
    """Connect to the first vetted address that answers. Raises: FetchFailed."""
    for family, address in addresses:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(deadline.left)
            connection.connect(address)
        except OSError:
            connection.close()
            continue
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    raise _failed(FetchFault.TIMED_OUT if deadline.is_over else FetchFault.UNREACHABLE)


@dataclass(slots=True)
class _Went:
    """How far a request came: for those who must know whether it may have had an effect."""

    began: bool = False
    answered: int | None = None

    def told(self, error: FetchFailed) -> FetchFailed:
        error.began, error.answered = self.began, self.answered
        return error


@dataclass(frozen=True, slots=True)
class _Asked:
    method: str
    target: Target
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    went: _Went


class _PinnedAdapter(HTTPAdapter):
    """Gives urllib3 the one connection that was vetted, instead of letting it look hosts up."""

    def __init__(self, connection: socket.socket, went: _Went) -> None:
        self._connection, self._went = connection, went
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        dialled, went = self._connection, self._went

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return dialled

            def send(self, data: Any) -> None:
                went.began = True
                super().send(data)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return dialled

            # TLS is agreed on before the first of the request is sent.
            def send(self, data: Any) -> None:
                went.began = True
                super().send(data)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager = PoolManager(num_pools=1, maxsize=1)
        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


def _sent(headers: Mapping[str, str]) -> dict[str, str]:
    given = {name: value for name, value in headers.items() if name.lower() not in _OURS}
    return {
        "User-Agent": "unsprawl",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **given,
    }


_FAILURES: Final = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    HTTPException,
    zlib.error,
    OSError,
    UnicodeError,
)
_TLS: Final = (requests.exceptions.SSLError, urllib3.exceptions.SSLError)
_LATE: Final = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)


def _fault_of(error: Exception, deadline: _Deadline) -> FetchFault:
    if deadline.is_over or isinstance(error, _LATE):
        return FetchFault.TIMED_OUT
    return FetchFault.TLS if isinstance(error, _TLS) else FetchFault.BROKEN


def _failed(fault: FetchFault) -> FetchFailed:
    return FetchFailed(_WORDS[fault], reason=fault.value)


_WORDS: Final = {
    FetchFault.UNRESOLVED: "The host has no address.",
    FetchFault.UNREACHABLE: "The host takes no connection.",
    FetchFault.TLS: "The host's certificate or its TLS is not acceptable.",
    FetchFault.TIMED_OUT: "The answer took too long.",
    FetchFault.TOO_LARGE: "The answer is too large.",
    FetchFault.ENCODING: "The answer is encoded in a way that is not read here.",
    FetchFault.BROKEN: "The answer is not HTTP, or it broke off.",
    FetchFault.BUSY: "Too many look-ups of names are under way.",
}
