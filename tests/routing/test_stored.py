"""Nobody waits for long behind a database that says nothing."""

from __future__ import annotations

import asyncio

import pytest

from routing import stored
from routing.gateway.errors import NotGoverned
from routing.stored import StoredResponseIndex


async def test_every_question_to_a_silent_database_ends_however_many_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored, "PATIENCE_SECONDS", 0.2)
    lines: list[asyncio.StreamWriter] = []

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(writer)

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    index = StoredResponseIndex(f"postgresql://u@127.0.0.1:{port}/d?sslmode=disable")
    asked = [index.find("agt_1", f"resp_{number}") for number in range(100)]
    async with asyncio.timeout(15):  # one after the other would take 20 s
        said = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in said] == [NotGoverned] * 100
    for line in lines:
        line.close()
    server.close()
