"""A vendor that does exactly what a test says, byte by byte, over a real loopback socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

SECRET = "sk-vendor-secret-0123456789"


@dataclass
class Seen:
    """One request as it reached the vendor."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    left_early: threading.Event = field(default_factory=threading.Event)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


Script = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "vendor-model-1-2026-01-01",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
}


def answer(
    document: Any = None, status: int = 200, *headers: tuple[str, str], raw: bytes | None = None
) -> Script:
    body = raw if raw is not None else json.dumps(document or COMPLETION).encode()

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        given = [("content-type", "application/json"), *headers]
        lines = "".join(f"{name}: {value}\r\n" for name, value in dict(given).items())
        head = f"HTTP/1.1 {status} X\r\n{lines}content-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    return script


def chunk_event(content: str, **over: Any) -> bytes:
    document = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "model": "vendor-model-1-2026-01-01",
        "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}],
    } | over
    return b"data: " + json.dumps(document).encode() + b"\n\n"


USAGE_EVENT = chunk_event(
    "", choices=[], usage={"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
)
DONE = b"data: [DONE]\n\n"
STREAM = [chunk_event("Hel"), chunk_event("lo"), USAGE_EVENT, DONE]


def stream(
    pieces: Iterable[bytes] = STREAM,
    *,
    pause: float = 0.0,
    cut: bool = False,
    linger: float = 0.0,
    chunked: bool = True,
    after_first: threading.Event | None = None,
) -> Script:
    """Send pieces as they are, all but one once told to; then end well, hang up, or linger."""

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        framing = "transfer-encoding: chunked" if chunked else "connection: close"
        writer.write(
            f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{framing}\r\n\r\n".encode()
        )
        await writer.drain()
        for piece in pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)
            while after_first is not None and not after_first.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        if linger:
            await asyncio.sleep(linger)
        if cut:
            writer.transport.abort()
        elif chunked:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        else:
            writer.close()

    return script


class ScriptedVendor:
    """The server, in a thread and event loop of its own."""

    def __init__(self) -> None:
        self.script: Script = answer()
        self.seen: list[Seen] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(60)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def reset(self) -> None:
        self.script = answer()
        self.seen = []

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=2**26)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not writer.is_closing():
                seen = await _read(reader)
                self.seen.append(seen)
                script = asyncio.ensure_future(self.script(seen, writer))
                gone = asyncio.create_task(_wait_gone(reader, writer, seen))
                await asyncio.wait({script, gone}, return_when=asyncio.FIRST_COMPLETED)
                gone.cancel()
                if not script.done():
                    script.cancel()
                try:
                    await script
                except ConnectionError:
                    seen.left_early.set()
                except asyncio.CancelledError:
                    pass
        writer.close()


async def _wait_gone(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen
) -> None:
    # Looking, not reading: a byte read here would be missing from the next request.
    while not reader.at_eof() and not writer.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    seen.left_early.set()


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    headers = [
        (name.lower(), value.strip()) for name, _, value in (x.partition(":") for x in lines)
    ]
    given = dict(headers)
    if given.get("transfer-encoding") == "chunked":
        body = b""
        while size := int((await reader.readline()).strip(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    else:
        body = await reader.readexactly(int(given.get("content-length", 0)))
    return Seen(method, path, headers, body)
