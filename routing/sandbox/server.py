"""The sandbox on the wire: HTTP/1.1 on a loopback address, as a vendor would speak it.

It knows its secret only by digest, so that nothing on disk opens it but the sealed row in
the database, and it refuses whoever does not present the secret: the gateway calls it on
the ordinary path or not at all. Kept small on purpose: it idles beside everything else.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import httptools

from kernel.canonical import NotJSON, strict_loads
from kernel.errors import DomainError
from routing.sandbox.answers import Refused, answer_to, chunks, model, models, whole

MAX_BODY_BYTES: Final = 16 * 1024 * 1024
IDLE_SECONDS: Final = 120.0
_MODEL_PATH: Final = "/v1/models/"


@dataclass(slots=True)
class Request:
    """One request, complete."""

    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    keeps_alive: bool = True


class Reading:
    """Collects what the parser finds; the parser calls the ``on_…`` methods by name."""

    def __init__(self) -> None:
        self._current = Request()
        self.complete: list[Request] = []
        self.parser = httptools.HttpRequestParser(self)
        self.wants_continue = False

    @property
    def size(self) -> int:
        return len(self._current.body)

    def on_message_begin(self) -> None:
        self._current = Request()

    def on_url(self, url: bytes) -> None:
        self._current.path += url.decode("ascii", "replace")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._current.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._current.method = self.parser.get_method().decode()
        self._current.path = self._current.path.partition("?")[0]
        self._current.keeps_alive = self.parser.should_keep_alive()
        self.wants_continue = self._current.headers.get("expect", "").lower() == "100-continue"

    def on_body(self, body: bytes) -> None:
        self._current.body += body

    def on_message_complete(self) -> None:
        self.complete.append(self._current)
        self._current = Request()


class Sandbox:
    """The vendor: answers whoever presents the secret whose SHA-256 it was given."""

    def __init__(self, secret_sha256: Callable[[], str]) -> None:
        self._secret_sha256 = secret_sha256

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until either side closes it."""
        try:
            await self._converse(reader, writer)
        except (ConnectionError, TimeoutError):
            pass  # the caller went away: nobody is left to tell
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reading = Reading()
        while data := await asyncio.wait_for(reader.read(65536), IDLE_SECONDS):
            try:
                reading.parser.feed_data(data)
            except httptools.HttpParserError:
                await _write(writer, 400, Refused(400, "This is not HTTP/1.1.", None).document)
                return
            if reading.size > MAX_BODY_BYTES:
                too_large = Refused(413, "The body is too large.", "request_too_large")
                await _write(writer, 413, too_large.document)
                return
            if reading.wants_continue and not reading.complete:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            reading.wants_continue = False
            for request in reading.complete:
                await self._respond(request, writer)
                if not request.keeps_alive:
                    return
            reading.complete.clear()

    async def _respond(self, request: Request, writer: asyncio.StreamWriter) -> None:
        try:
            if (request.method, request.path) == ("POST", "/v1/chat/completions"):
                self._authenticate(request)
                await _complete(request, writer)
            else:
                await _write(writer, 200, self._document(request))
        except Refused as refused:
            await _write(writer, refused.status, refused.document)

    def _document(self, request: Request) -> dict[str, Any]:
        if request.method == "GET" and request.path == "/healthz":
            return {"status": "ok"}
        self._authenticate(request)
        if request.method == "GET" and request.path == "/v1/models":
            return models()
        if request.method == "GET" and request.path.startswith(_MODEL_PATH):
            return model(request.path.removeprefix(_MODEL_PATH))
        what = f"{request.method} {request.path[:100]}"
        raise Refused(404, f"Unknown request URL: {what}.", "unknown_url")

    def _authenticate(self, request: Request) -> None:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        given = hashlib.sha256(secret.strip().encode("latin-1")).hexdigest()
        expected = self._secret_sha256()
        known = hmac.compare_digest(given, expected) if expected else False
        if scheme.lower() != "bearer" or not known:
            raise Refused(401, "Incorrect API key provided.", "invalid_api_key")


async def _complete(request: Request, writer: asyncio.StreamWriter) -> None:
    try:
        answer = answer_to(strict_loads(bytes(request.body)))
    except NotJSON as error:
        raise Refused(400, f"We could not parse the JSON body: {error}", None) from None
    except (DomainError, ValueError):
        # A number that has no canonical form, such as 2**60: no vendor would take it either.
        raise Refused(400, "The body holds a value that cannot be read.", None) from None
    created = int(time.time())
    if not answer.streamed:
        await _write(writer, 200, whole(answer, created))
        return
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
        b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n"
        b"x-request-id: req_" + answer.answer_id.removeprefix("chatcmpl-").encode() + b"\r\n\r\n"
    )
    for chunk in chunks(answer, created):
        _write_event(writer, json.dumps(chunk, ensure_ascii=False).encode())
        await writer.drain()
    _write_event(writer, b"[DONE]")
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def _write_event(writer: asyncio.StreamWriter, data: bytes) -> None:
    event = b"data: " + data + b"\n\n"
    writer.write(b"%x\r\n%b\r\n" % (len(event), event))


async def _write(writer: asyncio.StreamWriter, status: int, document: dict[str, Any]) -> None:
    raw = json.dumps(document, ensure_ascii=False).encode()
    writer.write(
        b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
        b"x-request-id: req_%b\r\n\r\n%b"
        % (
            status,
            HTTPStatus(status).phrase.encode(),
            len(raw),
            str(document.get("id", "sandbox")).removeprefix("chatcmpl-").encode(),
            raw,
        )
    )
    await writer.drain()
