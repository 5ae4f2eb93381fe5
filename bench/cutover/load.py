"""An open loop of calls: `python -m bench.cutover.load`, told by a line of JSON on stdin.

Calls are sent at an even rate, whether or not earlier ones are answered, each in a run of its
own, until stdin is closed; those under way are waited for. Prints what became of each. Times
are of the machine's monotonic clock, which its processes share.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import astuple, dataclass
from typing import Final, cast

import httptools
import uvloop

_PATIENCE: Final = 30.0  # a call that is not answered by then has failed
_LOOK: Final = 0.05


@dataclass
class Told:
    """What to do."""

    port: int
    key: str
    model: str
    per_second: int


@dataclass(slots=True)
class Made:
    """One call: when it was due, sent and answered, with which status, and by which model.

    Without an answer the status is 0.
    """

    due: float
    sent: float = 0.0
    done: float = 0.0
    status: int = 0
    model: str = ""
    fell_back: bool = False


class Line(asyncio.Protocol):
    """One connection: a call at a time, and free again after its answer."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.made: Made | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, made: Made, request: bytes) -> None:
        self.made, self.parser = made, httptools.HttpResponseParser(self)
        made.sent = time.monotonic()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.made is not None and name.lower() == b"x-unsprawl-model":
            self.made.model = value.decode()
        elif self.made is not None and name.lower() == b"x-unsprawl-fallback":
            self.made.fell_back = True

    def on_message_complete(self) -> None:
        if self.made is not None:
            self.made.status, self.made.done = self.parser.get_status_code(), time.monotonic()
            self.made = None
            self.loop.free.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.made is None and self in self.loop.free:
            self.loop.free.remove(self)
        elif self.made is not None:  # the call under way has failed
            self.made.done, self.made = time.monotonic(), None


class Loop:
    """The calls of one agent."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.free: list[Line] = []
        self.made: list[Made] = []
        body = {"model": told.model, "messages": [{"role": "user", "content": "Go on."}]}
        self.body = json.dumps(body).encode()

    async def run(self) -> None:
        """Call until stdin is closed."""
        until = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        begun, number = time.monotonic(), 0
        opening: set[asyncio.Task[None]] = set()
        while not until.done():
            number += 1
            due = begun + number / self.told.per_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            made = Made(due)
            self.made.append(made)
            if self.free:
                self.free.pop().ask(made, self._request(number))
            else:
                opening.add(task := asyncio.create_task(self._open(made, number)))
                task.add_done_callback(opening.discard)
        for _ in range(int(_PATIENCE / _LOOK)):
            if all(each.done for each in self.made):
                return
            await asyncio.sleep(_LOOK)

    async def _open(self, made: Made, number: int) -> None:
        connecting = asyncio.get_running_loop().create_connection
        try:
            _, line = await connecting(lambda: Line(self), "127.0.0.1", self.told.port)
        except OSError:
            made.sent = made.done = time.monotonic()
            return
        line.ask(made, self._request(number))

    def _request(self, number: int) -> bytes:
        return (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer %b\r\n"
            b"content-type: application/json\r\nx-unsprawl-run: bench-%d\r\n"
            b"content-length: %d\r\n\r\n%b"
        ) % (self.told.key.encode(), number, len(self.body), self.body)


if __name__ == "__main__":
    calls = Loop(Told(**json.loads(sys.stdin.readline())))
    uvloop.run(calls.run())
    json.dump([astuple(each) for each in calls.made], sys.stdout)
