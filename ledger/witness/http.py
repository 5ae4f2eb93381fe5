"""HTTP/1.1 as far as a witness needs it: one small request a connection, all of it bounded.

A request has ten seconds from its first byte to its last, 8 KiB of head and 64 KiB of body;
at most 64 are open at once. What a client does slowly, it does to itself.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlsplit

from ledger.witness.judging import Answer

MAX_HEAD_BYTES: Final = 8_192
MAX_BODY_BYTES: Final = 65_536
MAX_OPEN: Final = 64
DEADLINE_SECONDS: Final = 10.0
_LINE: Final = re.compile(rb"([A-Z]{1,10}) (/[!-~]{0,4096}) HTTP/1\.[01]")
_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,9}")

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read to its end."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes


class Refused(Exception):
    """Raised when a request is not read to its end; carries what is answered."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.answer = Answer(status, f"{text}\n")


Answering = Callable[[Request], Awaitable[Answer]]


class Listener:
    """The open connections of one server."""

    def __init__(self, answering: Answering, *, deadline: float = DEADLINE_SECONDS) -> None:
        self._answering = answering
        self._deadline = deadline
        self._open = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection and close it."""
        self._open += 1
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._answer(reader, writer)
                writer.write(_written(answer))
                await writer.drain()
        except TimeoutError:
            writer.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # it went away
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
        if self._open > MAX_OPEN:
            return Answer(503, "too many requests are open\n")
        try:
            request = await _read(reader, writer)
        except Refused as refused:
            return refused.answer
        return await self._answering(request)


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Refused(431, f"the head has more than {MAX_HEAD_BYTES} bytes") from None
    first, *lines = head[:-4].split(b"\r\n")
    said = _LINE.fullmatch(first)
    if said is None:
        raise Refused(400, "this is not a request of HTTP/1.1")
    headers = _headers(lines)
    length = _length(headers)
    if headers.get(b"expect", b"").lower() == b"100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(length)
    target = urlsplit(said[2].decode("ascii"))
    query = {name: values[-1] for name, values in parse_qs(target.query).items()}
    return Request(said[1].decode("ascii"), target.path, query, body)


def _headers(lines: list[bytes]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip() or name.lower() in headers:
            raise Refused(400, "a header is malformed, or there twice")
        headers[name.lower()] = value.strip()
    return headers


def _length(headers: dict[bytes, bytes]) -> int:
    if b"transfer-encoding" in headers:
        raise Refused(411, "say the length of the body")
    spelt = headers.get(b"content-length", b"0")
    if not _LENGTH.fullmatch(spelt):
        raise Refused(400, "the length of the body is not a number")
    if int(spelt) > MAX_BODY_BYTES:
        raise Refused(413, f"the body has more than {MAX_BODY_BYTES} bytes")
    return int(spelt)


def _written(answer: Answer) -> bytes:
    body = answer.body.encode()
    head = (
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
        f"Content-Type: {answer.media}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


async def listen(host: str, port: int, answering: Answering) -> asyncio.Server:
    """Take connections until the server is closed."""
    return await asyncio.start_server(
        Listener(answering), host, port, limit=MAX_HEAD_BYTES, backlog=MAX_OPEN
    )
