"""A closed loop of so many connections: `python -m bench.gateway.load`, told by JSON on stdin.

Each connection sends its request again as soon as the answer is complete. It is a closed
loop, so at 0 ms of upstream the latencies are those of a queue; read them at 50 ms.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import cast

import uvloop


@dataclass
class Told:
    """What to do."""

    port: int
    path: str
    key: str
    model: str
    connections: int
    seconds: float
    streams: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Counted:
    """What came of it; times in milliseconds."""

    latencies: list[float] = field(default_factory=list)
    first_bytes: list[float] = field(default_factory=list)
    errors: int = 0


def request_of(told: Told) -> bytes:
    """Return the bytes that every connection sends."""
    prompt = (
        "Summarise the following incident report for an operations team in two sentences, keep"
        " every number and name, and do not add anything that is not in the text. " * 2
    )[:300]
    document = {
        "model": told.model,
        "messages": [
            {"role": "system", "content": "You are a careful assistant."},
            {"role": "user", "content": prompt},
        ],
        "temperature": 0.2,
        "max_tokens": 256,
    }
    if told.streams:
        document |= {"stream": True, "stream_options": {"include_usage": True}}
    body = json.dumps(document, separators=(",", ":")).encode()
    head = (
        f"POST {told.path} HTTP/1.1\r\nhost: 127.0.0.1:{told.port}\r\n"
        f"authorization: Bearer {told.key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n"
    )
    more = "".join(f"{name}: {value}\r\n" for name, value in told.headers.items())
    return f"{head}{more}\r\n".encode() + body


class Connection(asyncio.Protocol):
    """One of the loop's connections."""

    def __init__(self, request: bytes, counted: Counted, until: float) -> None:
        self.request, self.counted, self.until = request, counted, until
        self.done = asyncio.get_running_loop().create_future()
        self.held = b""
        self.waits_for_first = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.ask()

    def ask(self) -> None:
        self.held, self.waits_for_first = b"", True
        self.started = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        held = self.held = self.held + data if self.held else data
        if self.waits_for_first and b"data: " in held:
            self.waits_for_first = False
            self.counted.first_bytes.append((now - self.started) * 1000)
        end = held.find(b"\r\n\r\n")
        if end < 0 or not _is_whole(held, end):
            return
        self.counted.latencies.append((now - self.started) * 1000)
        if held[9:12] != b"200":
            self.counted.errors += 1
        if now < self.until:
            self.ask()
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self.counted.errors += 1
        if not self.done.done():
            self.done.set_result(None)


def _is_whole(held: bytes, end: int) -> bool:
    head = held[:end].lower()
    at = head.find(b"content-length: ")
    if at < 0:
        return len(held) > end + 4 and held.endswith(b"\r\n0\r\n\r\n")
    stop = head.find(b"\r\n", at)
    length = int(head[at + 16 : stop if stop > 0 else end])
    return len(held) >= end + 4 + length


async def run(told: Told) -> Counted:
    """Load for as long as told and count."""
    counted, request = Counted(), request_of(told)
    until = time.perf_counter() + told.seconds
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(
            lambda: Connection(request, counted, until), "127.0.0.1", told.port
        )
        for _ in range(told.connections)
    ]
    await asyncio.wait([protocol.done for _, protocol in made], timeout=told.seconds + 30)
    return counted


if __name__ == "__main__":
    found = uvloop.run(run(Told(**json.load(sys.stdin))))
    json.dump(vars(found), sys.stdout)
