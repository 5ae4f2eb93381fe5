"""A vendor whose streams never end by themselves: `python -m bench.revocation.vendor PORT`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Final

_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
_EVENT: Final = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795200000,"model":'
    b'"bench-1","choices":[{"index":0,"delta":{"content":"on "},"finish_reason":null}]}\n\n'
)
_CHUNK: Final = b"%x\r\n%b\r\n" % (len(_EVENT), _EVENT)
_EVERY_SECONDS: Final = 0.25


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Stream until whoever asked has gone."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_HEAD)
        while not writer.is_closing():
            writer.write(_CHUNK)
            await writer.drain()
            await asyncio.sleep(_EVERY_SECONDS)
    writer.close()


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.start_server(answer, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
