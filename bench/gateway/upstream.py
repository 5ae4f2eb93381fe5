"""A vendor that costs next to nothing: `python -m bench.gateway.upstream PORT`.

The first part of the path says how long it thinks: ``/d50/v1/chat/completions`` answers
after 50 ms. A request with ``"stream":true`` in its body gets twenty chunks; under ``/idle/`` it
gets one, and then nothing.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final, cast

import httptools
import uvloop

_BODY: Final = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1795200000,"model":"bench-1",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"'
    + b"The incident began at 09:14 and ended at 10:02; three hosts were affected. "
    * 4
    + b'"},"finish_reason":"stop"}],"usage":{"prompt_tokens":92,"completion_tokens":61,'
    b'"total_tokens":153},"system_fingerprint":"fp_1"}'
)
_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
    % (len(_BODY), _BODY)
)
_CHUNK: Final = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795200000,"model":'
    b'"bench-1","choices":[{"index":0,"delta":{"content":"incident "},"finish_reason":null}]}\n\n'
)
_END: Final = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"bench-1","choices":[],'
    b'"usage":{"prompt_tokens":92,"completion_tokens":20,"total_tokens":112}}\n\n'
    b"data: [DONE]\n\n"
)
_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def _framed(raw: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(raw), raw)


class Upstream(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.delay, self.body = 0.0, b""

    def on_url(self, url: bytes) -> None:
        first = url.split(b"/")[1]
        self.is_idle = first == b"idle"
        self.delay = int(first[1:]) / 1000 if first[:1] == b"d" else 0.0

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self.answer)
        else:
            self.answer()

    def answer(self) -> None:
        if self.transport.is_closing():
            return
        if b'"stream":true' in self.body:
            self.transport.write(_STREAM_HEAD + _framed(_CHUNK))
            if self.is_idle:
                return
            for _ in range(19):
                self.transport.write(_framed(_CHUNK))
            self.transport.write(_framed(_END) + b"0\r\n\r\n")
        else:
            self.transport.write(_ANSWER)


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
