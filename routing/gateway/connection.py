"""One connection to a vendor: a request at a time, and the reply as it arrives.

Owns what is believed of a vendor's bytes. One framing, HTTP/1.0 or 1.1 with its own line ends,
a head of bounded size; whatever else comes ends the connection. A connection that said
anything nobody asked for, or was not read or written to its end, is never used again.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator, Callable
from typing import Final, cast

import httptools

from routing.gateway.errors import VendorCut
from routing.gateway.ports import Headers

HEAD_BYTES: Final = 64 * 1024
HEAD_LINES: Final = 256
INTERIM_REPLIES: Final = 16
PIECE: Final = 256 * 1024
_HELD_AT_MOST: Final = 512 * 1024
_HEARD: Final = select.POLLIN | select.POLLRDHUP


class ConnectionGone(Exception):
    """The connection ended before a byte of the reply; tells whether all was sent by then."""

    def __init__(self, *, was_sent: bool) -> None:
        super().__init__()
        self.was_sent = was_sent


class _Refused(Exception):
    """What the vendor sent is not a reply that has one reading."""


class VendorReply:
    """A vendor's answer whose head has arrived. Its connection feeds it."""

    __slots__ = (
        "_connection",
        "_fault",
        "_held",
        "_is_whole",
        "_size",
        "_waiting",
        "headers",
        "status",
    )

    def __init__(self, connection: Connection, status: int, headers: Headers) -> None:
        self.status = status
        self.headers = headers
        self._connection = connection
        self._held: list[bytes] = []
        self._size = 0
        self._is_whole = False
        self._fault = ""
        self._waiting: asyncio.Future[None] | None = None

    async def read(self, limit: int) -> bytes:
        if self._is_whole and self._size <= limit:
            return self._take()
        taken: list[bytes] = []
        size = 0
        async for piece in self.pieces():
            size += len(piece)
            if size > limit:
                self.close()
                raise VendorCut(f"The vendor's answer has more than {limit} bytes.")
            taken.append(piece)
        return taken[0] if len(taken) == 1 else b"".join(taken)

    async def pieces(self) -> AsyncIterator[bytes]:
        while True:
            if self._held:
                yield self._take()
            elif self._is_whole:
                return
            elif self._fault:
                raise VendorCut(f"{VendorCut.title} ({self._fault}).")
            else:
                self._waiting = asyncio.get_running_loop().create_future()
                await self._waiting

    def close(self) -> None:
        if not self._is_whole:
            self._connection.end()

    def _take(self) -> bytes:
        held, self._held = self._held, []
        self._size = 0
        self._connection.read_on()
        return held[0] if len(held) == 1 else b"".join(held)

    # --- for the connection

    def feed(self, piece: bytes) -> bool:
        """Take a piece; tell whether that is enough for now."""
        self._held.append(piece)
        self._size += len(piece)
        self._wake()
        return self._size >= _HELD_AT_MOST

    def finish(self) -> None:
        self._is_whole = True
        self._wake()

    def fail(self, why: str) -> None:
        self._fault = why
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Connection(asyncio.Protocol):
    """The protocol of one connection. `on_free` hears when it may carry another request."""

    def __init__(
        self, on_free: Callable[[Connection], None], on_end: Callable[[Connection], None]
    ) -> None:
        self._on_free = on_free
        self._on_end = on_end
        self._poll = select.poll()
        self._head: asyncio.Future[VendorReply] | None = None
        self._reply: VendorReply | None = None
        self._drained: asyncio.Future[None] | None = None
        self._has_ended = False
        self._ends_with_close = False
        self._is_paused = False
        self._begin(is_bodyless=False)
        self.free_since = 0.0

    # --- asking

    @property
    def is_usable(self) -> bool:
        """Tell whether the vendor is still there, as far as this machine knows, and silent."""
        return not (
            self._has_ended
            or self._head is not None
            or self._transport.is_closing()
            or self._poll.poll(0)
        )

    async def ask(self, head: bytes, body: bytes, *, is_bodyless: bool = False) -> VendorReply:
        """Send a request and return its reply's head. Raises: ConnectionGone, VendorCut.

        When its caller is cancelled the connection ends, so that the vendor sees it.
        """
        if self._has_ended:
            raise ConnectionGone(was_sent=False)
        self._begin(is_bodyless=is_bodyless)
        waiting: asyncio.Future[VendorReply] = asyncio.get_running_loop().create_future()
        self._head = waiting
        try:
            if len(body) <= PIECE:
                self._transport.write(head + body)
                self._was_sent = True
            else:
                self._transport.write(head)
                await self._write(body, waiting)
            return await waiting
        except asyncio.CancelledError:
            self.end()
            raise

    async def _write(self, body: bytes, waiting: asyncio.Future[VendorReply]) -> None:
        view = memoryview(body)
        for at in range(0, len(view), PIECE):
            if waiting.done():
                return  # it has answered, or left: the rest is of no use to it
            self._transport.write(view[at : at + PIECE])
            if self._drained is not None:
                await self._drained
        self._was_sent = not waiting.done()

    def _begin(self, *, is_bodyless: bool) -> None:
        self._status = 0
        self._headers: Headers = []
        self._head_bytes = 0
        self._unread_bytes = 0
        self._interim = 0
        self._has_head = False
        self._was_sent = False
        self._is_bodyless = is_bodyless
        self._was_heard = False
        self._was_answered = False
        self._keeps = False

    def read_on(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def end(self) -> None:
        """Let go at once; whoever waits here is told."""
        self._lose("closed")
        self._transport.abort()

    # --- what the event loop says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpResponseParser(self)
        self._poll.register(transport.get_extra_info("socket").fileno(), _HEARD)

    def data_received(self, data: bytes) -> None:
        if self._head is None and self._reply is None:
            self.end()  # nobody has asked
            return
        self._was_heard = True
        try:
            self._parser.feed_data(data)
            if not self._has_head:
                self._unread_bytes += len(data)
                if self._unread_bytes > HEAD_BYTES:
                    raise _Refused
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, _Refused):
            self._lose("not HTTP that has one reading")
            self._transport.abort()
            return
        if self._was_answered:
            self._be_free()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None and self._ends_with_close and self._reply is not None:
            self._reply.finish()
            self._reply = None
        self._lose(type(exc).__name__ if exc is not None else "connection closed")
        self._on_end(self)

    def pause_writing(self) -> None:
        self._drained = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # --- what the parser says

    def on_message_begin(self) -> None:
        if self._was_answered:
            raise _Refused
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_BYTES or len(self._headers) >= HEAD_LINES:
            raise _Refused
        if not self._has_head:  # a trailer says nothing that is needed
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if not 100 <= status < 600 or status == 101:
            raise _Refused
        if status < 200:
            self._interim += 1
            if self._interim > INTERIM_REPLIES:
                raise _Refused
            return
        self._ends_with_close = self._framing(status)
        self._has_head = True
        if self._head is None or self._head.done():
            raise _Refused
        self._reply = VendorReply(self, status, self._headers)
        self._head.set_result(self._reply)
        self.resume_writing()
        if self._is_bodyless:
            self._answered()

    def _framing(self, status: int) -> bool:
        """Tell whether only the connection's end ends the body."""
        if self._parser.get_http_version() not in {"1.0", "1.1"}:
            raise _Refused
        has_end = status in {204, 304}
        for name, value in self._headers:
            if name == b"transfer-encoding":
                # Anything else than one "chunked" is read differently by different readers.
                if value.strip().lower() != b"chunked" or self._parser.get_http_version() == "1.0":
                    raise _Refused
                has_end = True
            elif name == b"content-length":
                has_end = True
        return not has_end

    def on_body(self, piece: bytes) -> None:
        if self._reply is None:
            raise _Refused
        if self._reply.feed(piece) and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._has_head:
            self._keeps = self._parser.should_keep_alive()
            self._answered()

    def _answered(self) -> None:
        self._was_answered = True
        if self._reply is not None:
            self._reply.finish()

    # --- ends

    def _be_free(self) -> None:
        transport = self._transport
        self._head = self._reply = None
        if (
            self._keeps
            and self._was_sent
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        ):
            self.read_on()
            self._on_free(self)
        else:
            self._has_ended = True
            self._transport.abort()

    def _lose(self, why: str) -> None:
        self._has_ended = True
        head, reply, self._head, self._reply = self._head, self._reply, None, None
        self.resume_writing()
        if reply is not None and not self._was_answered:
            reply.fail(why)
        elif reply is None and head is not None and not head.done():
            if self._was_heard:
                head.set_exception(VendorCut(f"{VendorCut.title} ({why})."))
            else:
                head.set_exception(ConnectionGone(was_sent=self._was_sent))
            head.exception()  # a caller that was cancelled does not look
