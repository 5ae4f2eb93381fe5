"""``python -m bench.health.farm PORT``: agents that answer probes, and others that should not.

What a request gets is in its path: ``/ok/<agent>`` answers as that agent, the rest are hostile.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

_LONGEST: Final = 30.0


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
        async with asyncio.timeout(_LONGEST):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            _, kind, agent = head.split(" ", 2)[1].split("/", 2)
            await _behave(kind, agent, head, writer)
    with suppress(OSError):
        writer.close()


async def _behave(kind: str, agent: str, head: str, writer: asyncio.StreamWriter) -> None:
    if kind in _BEHAVIOURS:
        await _BEHAVIOURS[kind](writer)
    else:
        await _reply(writer, _proof("somebody-else" if kind == IMPOSTOR else agent, head))


async def _hang(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(_LONGEST)


async def _drip(writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100:
        if writer.is_closing():  # who asked has had enough
            return
        writer.write(bytes([byte]))
        await asyncio.sleep(0.5)


async def _flood(writer: asyncio.StreamWriter) -> None:
    await _endless(writer, b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)


async def _headers(writer: asyncio.StreamWriter) -> None:
    await _endless(writer, b"HTTP/1.1 200 OK\r\n", b"x: " + b"y" * 4096 + b"\r\n")


async def _endless(writer: asyncio.StreamWriter, first: bytes, piece: bytes) -> None:
    writer.write(first)
    while not writer.is_closing():
        writer.write(piece)
        await writer.drain()


async def _garbage(writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x16\x03\x01" * 100)


async def _reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _parked(writer: asyncio.StreamWriter) -> None:
    await _reply(writer, b"<html>For sale</html>")


async def _redirect(writer: asyncio.StreamWriter) -> None:
    await _reply(writer, b"", "302 Found\r\nLocation: http://169.254.169.254/")


_BEHAVIOURS: Final[dict[str, Callable[[asyncio.StreamWriter], Awaitable[None]]]] = {
    "hang": _hang,
    "drip": _drip,
    "flood": _flood,
    "headers": _headers,
    "garbage": _garbage,
    "reset": _reset,
    "parked": _parked,
    "redirect": _redirect,
}
IMPOSTOR: Final = "impostor"  # answers well, and as another agent
HOSTILE: Final = (*_BEHAVIOURS, IMPOSTOR)


async def _reply(writer: asyncio.StreamWriter, body: bytes, status: str = "200 OK") -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


def _proof(agent: str, head: str) -> bytes:
    lines = (line.partition(": ") for line in head.split("\r\n"))
    nonce = next((value for name, _, value in lines if name == "unsprawl-challenge"), "")
    return json.dumps({"status": "ok", "proof": f"echo={agent}/{nonce}"}).encode()


async def _main(port: int) -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
