"""A request as the gateway reads it, and an answer as it gives it: ASGI, and nothing above it.

Owns the limits at the door: one value per header that counts, a capped body that arrives
in time, nothing compressed. Whatever is refused here has reached nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Final

from kernel import clock
from kernel.canonical import BodyTooLarge
from routing.gateway.body import LIMIT
from routing.gateway.errors import BodyBroken, BodyEncoded, HeaderRepeated
from routing.gateway.ports import Headers

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_SECONDS: Final = 60.0
_DRAIN_SECONDS: Final = 2.0


def stopwatch() -> Callable[[], int]:
    """Return what says how many milliseconds have gone by since now."""
    started = time.perf_counter()
    return lambda: int((time.perf_counter() - started) * 1000)


class ClientGone(Exception):
    """Raised when the client has left before there was anything to record."""


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request. Its repr shows no header."""

    method: str
    path: str
    headers: dict[bytes, bytes] = field(repr=False)
    repeated: frozenset[bytes]
    received_at: datetime
    started: float
    http_version: str = "1.1"
    query: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, scope: MutableMapping[str, Any]) -> Request:
        headers: dict[bytes, bytes] = {}
        repeated: set[bytes] = set()
        for name, value in scope["headers"]:
            if name in headers:
                repeated.add(name)
            headers[name] = value
        return cls(
            scope["method"],
            scope["path"],
            headers,
            frozenset(repeated),
            clock.now(),
            time.perf_counter(),
            scope.get("http_version", "1.1"),
            scope["query_string"],
        )

    def header(self, name: str) -> str | None:
        """Return a header's one value. Raises: HeaderRepeated."""
        raw = name.encode()
        if raw in self.repeated:
            raise HeaderRepeated(f"The header {name} comes more than once.")
        value = self.headers.get(raw)
        if value is None:
            return None
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")

    def elapsed_ms(self) -> int:
        return int((time.perf_counter() - self.started) * 1000)


async def read_body(
    request: Request,
    receive: Receive,
    *,
    limit: int = LIMIT,
    encodings: tuple[str, ...] = ("identity",),
) -> bytes:
    """Return the body as it came. Raises: BodyTooLarge, BodyEncoded, BodyBroken, ClientGone."""
    if (request.header("content-encoding") or "identity").strip().lower() not in encodings:
        raise BodyEncoded
    framing = request.header("transfer-encoding")
    if framing is not None and (request.http_version == "1.0" or framing.lower() != "chunked"):
        # Whoever stands between us and the agent may read such a frame otherwise (RFC 9112 §6.1).
        raise BodyEncoded
    if len(declared := request.headers.get(b"content-length", b"")) > 12 or (
        declared.isdigit() and int(declared) > limit
    ):
        raise BodyTooLarge(f"The body has more than {limit} bytes.", limit_bytes=limit)
    with _Patience(BODY_SECONDS):
        message = await _next(receive)
        if not message.get("more_body"):
            return bytes(message.get("body", b""))
        return await _gather(receive, message.get("body", b""), limit)


async def _gather(receive: Receive, first: bytes, limit: int) -> bytes:
    pieces, size = [first], len(first)
    more = True
    while more:
        message = await _next(receive)
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > limit:
            raise BodyTooLarge(f"The body has more than {limit} bytes.", limit_bytes=limit)
        more = message.get("more_body", False)
    return b"".join(pieces)


async def _next(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


class _Patience:
    """A time-out for a block that nearly always ends before it could begin to wait."""

    __slots__ = ("_handle", "_is_over", "_seconds", "_task")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._is_over = False
        self._task = asyncio.current_task()
        self._handle = asyncio.get_running_loop().call_later(self._seconds, self._end)

    def _end(self) -> None:
        self._is_over = True
        if self._task is not None:
            self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._handle.cancel()
        if self._is_over and kind is asyncio.CancelledError and self._task is not None:
            self._task.uncancel()
            raise BodyBroken(f"The body did not arrive within {self._seconds:.0f} s.") from None


class Answer:
    """The one answer to a request. Knows whether it has begun, so that it is begun once."""

    def __init__(self, send: Send, receive: Receive) -> None:
        self._send = send
        self._receive = receive
        self.status = 0

    @property
    def has_begun(self) -> bool:
        return self.status != 0

    async def begin(self, status: int, headers: Headers) -> None:
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, piece: bytes) -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self, piece: bytes = b"") -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": False})

    async def give(self, status: int, headers: Headers, body: bytes) -> None:
        """Give a whole answer."""
        headers.append((b"content-length", str(len(body)).encode()))
        await self.begin(status, headers)
        await self.end(body)

    async def give_and_hang_up(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer a request whose body is still coming, in a way that the client can read.

        Closing at once would reset the connection under the answer; so what still comes is
        thrown away for a moment first.
        """
        headers += [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        await self.begin(status, headers)
        await self.write(body)
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                message = await self._receive()
                while message["type"] == "http.request" and message.get("more_body"):
                    message = await self._receive()
        except TimeoutError:
            pass
        await self.end()
