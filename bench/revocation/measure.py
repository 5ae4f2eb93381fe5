"""How fast what is taken away is gone: four gateway processes, an open stream in each.

Every time a key is revoked, or an agent stopped, with plain SQL. From the moment that the
commit is acknowledged it is measured until when a gateway still let a call through, and
until its open stream was cut. The callers ask again every few milliseconds all the while.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
from yarl import URL

from bench.effort import Effort
from bench.gateway.__main__ import free_port
from bench.gateway.rig import ROOT, GatewayChild, Rig, SeededAgent, World
from kernel.refs import new_id
from routing.gateway.ports import Outgoing
from routing.gateway.upstream import HttpUpstream

GATEWAYS: Final = 4
TIMES: Final = {"full": 100, "quick": 20, "tiny": 2}
ROUTE: Final = "bench"
_EVERY_SECONDS: Final = 0.004
_SETTLE_SECONDS: Final = 0.1
_WATCHED_SECONDS: Final = 1.5
_ANSWER_BYTES: Final = 1 << 20
_REVOKE: Final = "UPDATE registry_agentkey SET revoked_at = now() WHERE public_id = %s"
_STOP: Final = """
    INSERT INTO routing_stop (public_id, scope, subject, subject_name, reason, placed_by,
                              placed_as, placed_at, lifted_by, lifted_reason)
    VALUES (%s, 'agent', %s, 'bench', 'bench', 'system:bench', 'security', now(), '', '')
"""


@dataclass(slots=True)
class Seen:
    """What one gateway did after one revocation, in milliseconds after its commit."""

    last_let_through: float = 0.0
    first_refused: float | None = None
    stream_cut: float | None = None
    starts: list[tuple[float, int]] = field(default_factory=list)


def measure(effort: Effort) -> dict[str, Any]:
    """Return the distributions, in milliseconds."""
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        Path(home).chmod(0o711)  # the server's own user passes through
        with (
            Rig(Path(home), fsync=True) as rig,
            _running(rig, Path(home)) as (ports, vendor),
        ):
            seen = asyncio.run(_all(rig, ports, vendor, TIMES[effort.name]))
    return {
        "gateways": GATEWAYS,
        "revocations": TIMES[effort.name],
        "let_through_ms": _spread([each.last_let_through for each in seen]),
        "refused_ms": _spread([each.first_refused for each in seen]),
        "cut_ms": _spread([each.stream_cut for each in seen]),
        "never_refused": sum(each.first_refused is None for each in seen),
        "never_cut": sum(each.stream_cut is None for each in seen),
    }


@contextmanager
def _running(rig: Rig, home: Path) -> Iterator[tuple[list[int], int]]:
    port = free_port()
    command = [sys.executable, "-m", "bench.revocation.vendor", str(port)]
    vendor = subprocess.Popen(command, cwd=ROOT)
    gateways = [
        GatewayChild(rig, free_port(), home / f"gateway-{number}.log") for number in range(GATEWAYS)
    ]
    try:
        for each in gateways:
            each.wait_ready()
        yield [each.port for each in gateways], port
    finally:
        for each in gateways:
            each.kill()
        vendor.kill()
        vendor.wait()


async def _all(rig: Rig, ports: list[int], vendor: int, times: int) -> list[Seen]:
    world = World(rig)
    pk, _ = world.add_vendor(f"http://127.0.0.1:{vendor}/v1")
    world.add_route(ROUTE, world.add_model(pk))
    found: list[Seen] = []
    client = HttpUpstream()
    try:
        with rig.connect() as connection:
            for number in range(times):
                agent = world.add_agent(routes=[ROUTE])
                found += await _once(client, connection, ports, agent, number)
    finally:
        await client.close()
        world.close()
    return found


async def _once(
    client: HttpUpstream,
    connection: psycopg.Connection[Any],
    ports: list[int],
    agent: SeededAgent,
    number: int,
) -> list[Seen]:
    seen = [Seen() for _ in ports]
    cuts: list[float] = [0.0 for _ in ports]
    ready = [asyncio.Event() for _ in ports]
    tasks = [
        asyncio.create_task(_follow(client, port, agent, cuts, index, ready[index]))
        for index, port in enumerate(ports)
    ]
    await asyncio.gather(*(event.wait() for event in ready))
    callers = [
        asyncio.create_task(_call_on(client, port, agent, seen[index]))
        for index, port in enumerate(ports)
    ]
    await asyncio.sleep(_SETTLE_SECONDS)
    statement, values = (_REVOKE, [agent.key_id]) if number % 2 else (
        _STOP, [new_id("stp"), agent.public_id],
    )  # fmt: skip
    await asyncio.to_thread(connection.execute, statement, values)
    committed = time.perf_counter()
    await asyncio.wait(tasks, timeout=_WATCHED_SECONDS)
    await asyncio.sleep(_SETTLE_SECONDS)
    for task in (*callers, *tasks):
        task.cancel()
    await asyncio.gather(*callers, *tasks, return_exceptions=True)
    for each, cut in zip(seen, cuts, strict=True):
        _judge(each, cut, committed)
    return seen


def _judge(each: Seen, cut: float, committed: float) -> None:
    through = [start for start, status in each.starts if status == 200]
    refused = [start for start, status in each.starts if status in {401, 403}]
    each.last_let_through = max(0.0, (max(through, default=committed) - committed) * 1000)
    if refused:
        each.first_refused = max(0.0, (min(refused) - committed) * 1000)
    if cut:
        each.stream_cut = max(0.0, (cut - committed) * 1000)
    each.starts.clear()


async def _follow(
    client: HttpUpstream, port: int, agent: SeededAgent, cuts: list[float], index: int,
    ready: asyncio.Event,
) -> None:  # fmt: skip
    """Open a stream and wait until it is cut."""
    body = {"model": ROUTE, "messages": [{"role": "user", "content": "on"}], "stream": True}
    address = URL(f"http://127.0.0.1:{port}/v1/chat/completions")
    asked = Outgoing("POST", address, _headers(agent), json.dumps(body).encode())
    async for chunk in (await client.send(asked)).pieces():
        ready.set()
        if b'"error"' in chunk:
            cuts[index] = time.perf_counter()
            return


async def _call_on(client: HttpUpstream, port: int, agent: SeededAgent, seen: Seen) -> None:
    """Ask again and again; what is noted is when each call began and how it was answered."""
    asked = Outgoing("GET", URL(f"http://127.0.0.1:{port}/v1/models"), _headers(agent))
    while True:
        began = time.perf_counter()
        answer = await client.send(asked)
        await answer.read(_ANSWER_BYTES)
        seen.starts.append((began, answer.status))
        await asyncio.sleep(_EVERY_SECONDS)


def _headers(agent: SeededAgent) -> dict[str, str]:
    return {"authorization": f"Bearer {agent.key}", "content-type": "application/json"}


def _spread(values: list[float | None]) -> dict[str, float | None]:
    known = sorted(value for value in values if value is not None)
    if not known:
        return dict.fromkeys(("p50", "p95", "p99", "max"))

    def at(share: float) -> float:
        return round(known[min(len(known) - 1, int(len(known) * share))], 1)

    return {"p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": round(known[-1], 1)}
