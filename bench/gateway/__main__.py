"""Calls a second and added latency of one gateway process: `python -m bench.gateway`.

The gateway has one core to itself (where there are two), PostgreSQL with fsync on, the
vendor and the load share the other. Every call is fully governed: key, policy, two durable
ledger commits, encrypted payloads, metering. "direct" is the same load without a gateway.
Rounds are interleaved and medians shown; read ratios and CPU, not single figures.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.gateway.load import Told
from bench.gateway.rig import ROOT, GatewayChild, Rig, World

RESULTS: Final = ROOT / "bench" / "out" / "gateway.json"
CONNECTIONS: Final = (1, 16, 64)
DELAYS: Final = (0, 50)


@dataclass(frozen=True)
class Cell:
    """One row of the table: medians over the rounds."""

    target: str
    connections: int
    delay_ms: int
    streams: bool
    calls_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    first_byte_p50_ms: float | None
    cpu_us_per_call: float | None
    errors: int


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pin(pid: int, core: int) -> None:
    """Keep a process, with all its threads, on one core; on a single core nothing is to do."""
    if (os.cpu_count() or 1) < 2:
        return
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def cpu_seconds(pid: int) -> float:
    """Return how much CPU a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    """Return how much memory a process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def percentile(values: list[float], share: float) -> float:
    """Return the value below which this share lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def load(told: Told) -> dict[str, Any]:
    """Run the load in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "bench.gateway.load"],
        cwd=ROOT,
        input=json.dumps(asdict(told)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@contextmanager
def upstream() -> Iterator[int]:
    """Serve a vendor and yield its port."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.gateway.upstream", str(port)], cwd=ROOT
    )
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield port
    finally:
        process.kill()
        process.wait()


def one_round(
    told: Told, gateway_pid: int | None
) -> tuple[float, list[float], list[float], int, float | None]:
    """Return calls a second, latencies, first bytes, errors and CPU per call."""
    before = cpu_seconds(gateway_pid) if gateway_pid else 0.0
    found = load(told)
    calls = max(1, len(found["latencies"]))
    cpu = (cpu_seconds(gateway_pid) - before) / calls * 1e6 if gateway_pid else None
    return calls / told.seconds, found["latencies"], found["first_bytes"], found["errors"], cpu


def measure(tolds: dict[str, tuple[Told, int | None]], rounds: int, delay: int) -> list[Cell]:
    """Measure the targets of one cell in turn, round by round."""
    seen: dict[str, list[Any]] = {name: [] for name in tolds}
    for _ in range(rounds):
        for name, (told, pid) in tolds.items():
            seen[name].append(one_round(told, pid))
    return [
        Cell(
            target=name,
            connections=told.connections,
            delay_ms=delay,
            streams=told.streams,
            calls_per_second=round(median(row[0] for row in seen[name]), 1),
            p50_ms=round(median(percentile(row[1], 0.50) for row in seen[name]), 2),
            p95_ms=round(median(percentile(row[1], 0.95) for row in seen[name]), 2),
            p99_ms=round(median(percentile(row[1], 0.99) for row in seen[name]), 2),
            first_byte_p50_ms=round(median(percentile(row[2], 0.50) for row in seen[name]), 2)
            if told.streams
            else None,
            cpu_us_per_call=round(median(row[4] for row in seen[name])) if pid else None,
            errors=sum(row[3] for row in seen[name]),
        )
        for name, (told, pid) in tolds.items()
    ]


def run(seconds: float, rounds: int, out: Path) -> None:
    """Measure everything and write it down."""
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        Path(home).chmod(0o711)  # PostgreSQL runs as somebody else when we are root
        report = _measured(Rig(Path(home), fsync=True), seconds, rounds)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\n{out}")


def _measured(rig: Rig, seconds: float, rounds: int) -> dict[str, Any]:
    if (os.cpu_count() or 1) >= 2:
        os.sched_setaffinity(0, {1})  # what is started from here stays there; the gateway moves
    try:
        rig.start()
        with upstream() as vendor_port:
            return bench(rig, vendor_port, seconds, rounds)
    finally:
        rig.stop()


def bench(rig: Rig, vendor_port: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Measure a gateway against the load without one."""
    world = World(rig)
    routes = {}
    for delay in DELAYS:
        vendor, name = world.add_vendor(f"http://127.0.0.1:{vendor_port}/d{delay}/v1")
        world.add_route(name, world.add_model(vendor))
        routes[delay] = name
    agent = world.add_agent(routes=routes.values())
    gateway = GatewayChild(rig, free_port(), rig.home / "gateway.log")
    try:
        ready = gateway.wait_ready()
        pid = gateway.process.pid
        pin(pid, 0)
        idle = memory_mib(pid)
        cells: list[Cell] = []
        print(HEAD)
        for streams in (False, True):
            for delay in DELAYS:
                for connections in CONNECTIONS:
                    path = "/v1/chat/completions"
                    direct = Told(
                        vendor_port,
                        f"/d{delay}{path}",
                        agent.key,
                        "m",
                        connections,
                        seconds,
                        streams,
                    )
                    governed = Told(
                        gateway.port, path, agent.key, routes[delay], connections, seconds, streams
                    )
                    targets = {"direct": (direct, None), "gateway": (governed, pid)}
                    pair = measure(targets, rounds, delay)
                    cells += pair
                    show(*pair)
        memory = memory_mib(pid)
    finally:
        gateway.stop()
        world.close()
    print(f"\nready {ready:.2f} s · memory {idle:.0f} MiB idle, {memory:.0f} MiB after the load")
    return {
        "seconds": seconds,
        "rounds": rounds,
        "cores": os.cpu_count(),
        "ready_seconds": round(ready, 2),
        "memory_idle_mib": round(idle, 1),
        "memory_after_mib": round(memory, 1),
        "cells": [asdict(cell) for cell in cells],
    }


HEAD: Final = (
    f"{'cell':<16}{'calls/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'added p50':>11}{'added p99':>11}"
    f"{'first byte':>12}{'CPU µs':>9}{'errors':>8}"
)


def show(direct: Cell, governed: Cell) -> None:
    """Print one row."""
    name = f"{'s' if governed.streams else 'c'}{governed.connections}@{governed.delay_ms}"
    first = ""
    if governed.first_byte_p50_ms is not None and direct.first_byte_p50_ms is not None:
        first = f"{governed.first_byte_p50_ms - direct.first_byte_p50_ms:+.2f}"
    print(
        f"{name:<16}{governed.calls_per_second:>9,.0f}{governed.p50_ms:>9.2f}{governed.p99_ms:>9.2f}"
        f"{governed.p50_ms - direct.p50_ms:>+11.2f}{governed.p99_ms - direct.p99_ms:>+11.2f}"
        f"{first:>12}{governed.cpu_us_per_call or 0:>9,.0f}{governed.errors:>8}",
        flush=True,
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    run(given.seconds, given.rounds, given.out)


if __name__ == "__main__":
    main()
