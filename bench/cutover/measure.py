"""A cutover under load: steps 1, 10, 50, 100 % and back, and not one call that fails.

Calls are sent at an even rate, whether or not earlier ones are answered, each in a run of its
own. From the moment that a change is committed it is measured when the first call was served
as it says; and after the way back, when the last one was still served by the target.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from yarl import URL

from bench.effort import Effort
from bench.gateway.__main__ import free_port
from bench.gateway.rig import ROOT, GatewayChild, Rig, SeededAgent, World
from kernel.refs import new_id
from routing.gateway.ports import Outgoing
from routing.gateway.upstream import HttpUpstream

PER_SECOND: Final = {"full": 300, "quick": 150, "tiny": 40}
STEP_SECONDS: Final = {"full": 20.0, "quick": 5.0, "tiny": 0.6}
STEPS: Final = (1, 10, 50, 100)
ROUTE: Final = "bench"
_AFTER_SECONDS: Final = 1.5
_SET: Final = """
    INSERT INTO routing_shift (public_id, agent_id, source_id, target_id, percent, subject, reason,
        set_by, begun_at, changed_at, ended_by, ended_reason)
    VALUES (%s, %s, %s, %s, %s, 'bench:x', 'bench', 'system:bench', now(), now(), '', '')
"""
_RAISE: Final = "UPDATE routing_shift SET percent = %s, changed_at = now() WHERE public_id = %s"
_END: Final = "UPDATE routing_shift SET ended_at = now(), ended_by = 'x' WHERE public_id = %s"


@dataclass(slots=True)
class Made:
    """One call: when it was sent, how it was answered, and by what."""

    sent: float
    status: int
    model: str


def measure(effort: Effort) -> dict[str, Any]:
    """Return how many calls were made and failed, and how soon each change was in effect."""
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        Path(home).chmod(0o711)  # the server's own user passes through
        with Rig(Path(home), fsync=True) as rig:
            port = free_port()
            command = [sys.executable, "-m", "bench.gateway.upstream", str(port)]
            vendor = subprocess.Popen(command, cwd=ROOT)
            gateway = GatewayChild(rig, free_port(), Path(home) / "gateway.log")
            try:
                gateway.wait_ready()
                return asyncio.run(_all(rig, gateway.port, port, effort.name))
            finally:
                gateway.kill()
                vendor.kill()
                vendor.wait()


async def _all(rig: Rig, port: int, vendor_port: int, effort: str) -> dict[str, Any]:
    world = World(rig)
    vendor, _ = world.add_vendor(f"http://127.0.0.1:{vendor_port}/v1")
    source, target = world.add_model(vendor, "old-1"), world.add_model(vendor, "new-1")
    world.add_route(ROUTE, source)
    agent, shift = world.add_agent(routes=[ROUTE]), new_id("shf")
    made: list[Made] = []
    client = HttpUpstream()
    load = asyncio.create_task(_load(client, port, agent, PER_SECOND[effort], made))
    steps = []
    try:
        await asyncio.sleep(STEP_SECONDS[effort])
        for number, percent in enumerate(STEPS):
            if number == 0:
                values = (shift, agent.public_id, source, target, percent)
                await asyncio.to_thread(world.change, _SET, *values)
            else:
                await asyncio.to_thread(world.change, _RAISE, percent, shift)
            committed = time.perf_counter()
            await asyncio.sleep(STEP_SECONDS[effort])
            steps.append(_step(percent, committed, made))
        await asyncio.to_thread(world.change, _END, shift)
        back = time.perf_counter()
        await asyncio.sleep(_AFTER_SECONDS)
    finally:
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
        await client.close()
        world.close()
    late = [each.sent for each in made if each.model == "new-1" and each.sent > back]
    return {
        "per_second": PER_SECOND[effort],
        "calls": len(made),
        "failed": sum(each.status != 200 for each in made),
        "steps": steps,
        "back_ms": round((max(late, default=back) - back) * 1000, 1),
    }


def _step(percent: int, committed: float, made: list[Made]) -> dict[str, Any]:
    since = [each for each in made if each.sent > committed]
    moved = [each for each in since if each.model == "new-1"]
    stayed = [each.sent for each in since if each.model == "old-1"]
    # The whole share is in effect at once: at 100 % that is when the last call stayed.
    first = min((each.sent for each in moved), default=None)
    shown = max(stayed, default=committed) if percent == 100 else first
    return {
        "percent": percent,
        "calls": len(since),
        "moved_percent": round(100 * len(moved) / max(len(since), 1), 1),
        "effect_ms": None if shown is None else round((shown - committed) * 1000, 1),
    }


async def _load(
    client: HttpUpstream, port: int, agent: SeededAgent, per_second: int, made: list[Made]
) -> None:
    """Send calls at an even rate until cancelled; those under way are waited for."""
    address = URL(f"http://127.0.0.1:{port}/v1/chat/completions")
    body = json.dumps({"model": ROUTE, "messages": [{"role": "user", "content": "on"}]}).encode()
    begun, number = time.perf_counter(), 0
    under_way: set[asyncio.Task[None]] = set()
    try:
        while True:
            number += 1
            await asyncio.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
            headers = {
                "authorization": f"Bearer {agent.key}",
                "content-type": "application/json",
                "x-unsprawl-run": f"bench-{number}",
            }
            asked = Outgoing("POST", address, headers, body)
            task = asyncio.create_task(_call(client, asked, made))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
    finally:
        await asyncio.gather(*under_way, return_exceptions=True)


async def _call(client: HttpUpstream, asked: Outgoing, made: list[Made]) -> None:
    sent = time.perf_counter()
    try:
        answer = await client.send(asked)
        await answer.read(1 << 20)
    except Exception:  # noqa: BLE001  whatever it was, the call failed
        made.append(Made(sent, 0, ""))
        return
    named = next((value for name, value in answer.headers if name == b"x-unsprawl-model"), b"")
    made.append(Made(sent, answer.status, named.decode()))
