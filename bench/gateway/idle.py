"""What many open streams cost: so many that have begun and say nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bench.gateway.load import Told, request_of

STREAMS = 2000
_AT_ONCE = 100


async def open_streams(told: Told, count: int) -> list[asyncio.StreamWriter]:
    """Open streams until each has had its first event; return what keeps them open."""
    request = request_of(replace(told, streams=True))

    async def begin() -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection("127.0.0.1", told.port)
        writer.write(request)
        await reader.readuntil(b"data: ")
        return writer

    opened: list[asyncio.StreamWriter] = []
    while len(opened) < count:
        batch = min(_AT_ONCE, count - len(opened))
        opened += await asyncio.gather(*(begin() for _ in range(batch)))
    return opened
