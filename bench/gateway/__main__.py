"""Calls a second and added latency of one gateway process: `python -m bench.gateway`.

The gateway has one core to itself (where there are two), PostgreSQL with fsync on, the
vendor and the load share the other. Every call is fully governed: key, policy, two durable
ledger commits, encrypted payloads, metering. "direct" is the same load without a gateway.
Rounds are interleaved and medians shown; read ratios and CPU, not single figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.gateway import idle, peers
from bench.gateway.load import Told
from bench.gateway.peers import RunningPeer
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


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return how much CPU some processes have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


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
    told: Told, pids: Sequence[int]
) -> tuple[float, list[float], list[float], int, float | None]:
    """Return calls a second, latencies, first bytes, errors and CPU per call."""
    before = cpu_seconds(pids)
    found = load(told)
    calls = len(found["latencies"]) - found["errors"]
    cpu = (cpu_seconds(pids) - before) / max(1, calls) * 1e6 if pids else None
    return calls / told.seconds, found["latencies"], found["first_bytes"], found["errors"], cpu


@dataclass(frozen=True)
class Measured:
    """A target of a cell: what its load is told, and whose CPU is counted."""

    told: Told
    pids: Sequence[int] = ()
    peer: RunningPeer | None = None

    def one_round(self) -> tuple[float, list[float], list[float], int, float | None]:
        if self.peer is None:
            return one_round(self.told, self.pids)
        self.peer.wake()
        try:
            return one_round(self.told, self.peer.pids())
        finally:
            self.peer.sleep()


def measure(targets: dict[str, Measured], rounds: int, delay: int) -> list[Cell]:
    """Measure the targets of one cell in turn, round by round."""
    seen: dict[str, list[Any]] = {name: [] for name in targets}
    for _ in range(rounds):
        for name, target in targets.items():
            seen[name].append(target.one_round())
    return [
        Cell(
            target=name,
            connections=target.told.connections,
            delay_ms=delay,
            streams=target.told.streams,
            calls_per_second=round(median(row[0] for row in seen[name]), 1),
            p50_ms=round(median(percentile(row[1], 0.50) for row in seen[name]), 2),
            p95_ms=round(median(percentile(row[1], 0.95) for row in seen[name]), 2),
            p99_ms=round(median(percentile(row[1], 0.99) for row in seen[name]), 2),
            first_byte_p50_ms=round(median(percentile(row[2], 0.50) for row in seen[name]), 2)
            if target.told.streams
            else None,
            cpu_us_per_call=_median_of([row[4] for row in seen[name]]),
            errors=sum(row[3] for row in seen[name]),
        )
        for name, target in targets.items()
    ]


def _median_of(values: list[float | None]) -> int | None:
    known = [value for value in values if value is not None]
    return round(median(known)) if known else None


def run(seconds: float, rounds: int, out: Path, beside: Path | None) -> None:
    """Measure everything and write it down."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        Path(home).chmod(0o711)  # PostgreSQL runs as somebody else when we are root
        report = _measured(Rig(Path(home), fsync=True), seconds, rounds, beside)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\n{out}")


def _measured(rig: Rig, seconds: float, rounds: int, beside: Path | None) -> dict[str, Any]:
    if (os.cpu_count() or 1) >= 2:
        os.sched_setaffinity(0, {1})  # what is started from here stays there; the gateway moves
    with rig, upstream() as vendor_port:
        if beside is not None:
            return bench_beside(rig, vendor_port, seconds, rounds, beside)
        return bench(rig, vendor_port, seconds, rounds)


_PATH: Final = "/v1/chat/completions"


@contextmanager
def governed(rig: Rig, vendor_port: int) -> Iterator[tuple[GatewayChild, str, dict[str, str]]]:
    """Run a gateway with a route for each way that the vendor behaves; yield key and routes."""
    world = World(rig)
    routes = {}
    for way in (*(f"d{delay}" for delay in DELAYS), "idle"):
        vendor, name = world.add_vendor(f"http://127.0.0.1:{vendor_port}/{way}/v1")
        world.add_route(name, world.add_model(vendor))
        routes[way] = name
    agent = world.add_agent(routes=routes.values())
    gateway = GatewayChild(rig, free_port(), rig.home / "gateway.log")
    try:
        yield gateway, agent.key, routes
    finally:
        gateway.stop()
        world.close()


def bench(rig: Rig, vendor_port: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Measure a gateway against the load without one."""
    with governed(rig, vendor_port) as (gateway, key, routes):
        ready = gateway.wait_ready()
        pid = gateway.process.pid
        pin(pid, 0)
        resting = memory_mib(pid)
        cells: list[Cell] = []
        print(HEAD)
        for streams in (False, True):
            for delay in DELAYS:
                for connections in CONNECTIONS:
                    way = f"d{delay}"
                    told = Told(
                        gateway.port, _PATH, key, routes[way], connections, seconds, streams
                    )
                    direct = Told(
                        vendor_port, f"/{way}{_PATH}", key, "m", connections, seconds, streams
                    )
                    targets = {"direct": Measured(direct), "gateway": Measured(told, [pid])}
                    pair = measure(targets, rounds, delay)
                    cells += pair
                    show(*pair)
        memory = memory_mib(pid)
        told = Told(gateway.port, _PATH, key, routes["d50"], 1, seconds, streams=True)
        beyond = first_byte_beyond_commit(
            told, Told(vendor_port, f"/d50{_PATH}", key, "m", 1, seconds, streams=True)
        )
        open_streams, streaming = memory_of_streams(
            Told(gateway.port, _PATH, key, routes["idle"], 1, seconds), pid
        )
    print(
        f"\nready {ready:.2f} s · memory {resting:.0f} MiB idle, {memory:.0f} MiB after the load,"
        f" {streaming:.0f} MiB with {open_streams} idle streams ·"
        f" first byte {beyond:+.2f} ms beyond the intent's commit"
    )
    return {
        "seconds": seconds,
        "rounds": rounds,
        "cores": os.cpu_count(),
        "ready_seconds": round(ready, 2),
        "memory_idle_mib": round(resting, 1),
        "memory_after_mib": round(memory, 1),
        "idle_streams": open_streams,
        "memory_streams_mib": round(streaming, 1),
        "first_byte_beyond_commit_ms": round(beyond, 2),
        "cells": [asdict(cell) for cell in cells],
    }


def first_byte_beyond_commit(told: Told, direct: Told) -> float:
    """Return what the gateway adds to a stream's first byte, its intent's commit not counted."""
    seconds, batches = journal_figures(told.port)
    found = load(told)
    seconds_after, batches_after = journal_figures(told.port)
    commit = (seconds_after - seconds) / max(1.0, batches_after - batches) * 1000
    without = load(direct)
    added = percentile(found["first_bytes"], 0.5) - percentile(without["first_bytes"], 0.5)
    return added - commit


def journal_figures(port: int) -> tuple[float, float]:
    """Return how long all commits of a gateway have taken, and how many there were."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as got:
        text = got.read().decode()
    figures = dict(re.findall(r"^unsprawl_gateway_(journal_\w+) (\S+)$", text, re.MULTILINE))
    return float(figures["journal_seconds"]), float(figures["journal_batches"])


def memory_of_streams(told: Told, pid: int) -> tuple[int, float]:
    """Return how many streams were held open, and what the process held with them."""
    count = min(idle.STREAMS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 200)

    async def hold() -> float:
        opened = await idle.open_streams(told, count)
        held = memory_mib(pid)
        for writer in opened:
            writer.close()
        return held

    return count, asyncio.run(hold())


def bench_beside(
    rig: Rig, vendor_port: int, seconds: float, rounds: int, beside: Path
) -> dict[str, Any]:
    """Measure a gateway and others in the same rounds: plain calls only."""
    listed = peers.read(
        beside,
        vendor=f"http://127.0.0.1:{vendor_port}",
        database=rig.owner,
        home=str(rig.home),
    )
    cells: list[Cell] = []
    with (
        governed(rig, vendor_port) as (gateway, key, routes),
        peers.running(listed, rig.home, lambda pid: pin(pid, 0)) as others,
    ):
        gateway.wait_ready()
        pid = gateway.process.pid
        pin(pid, 0)
        for delay, connections in ((0, 1), (0, 16), (0, 64), (50, 16)):
            way = f"d{delay}"
            targets = {
                "direct": Measured(
                    Told(vendor_port, f"/{way}{_PATH}", key, "m", connections, seconds)
                ),
                "gateway": Measured(
                    Told(gateway.port, _PATH, key, routes[way], connections, seconds), [pid]
                ),
            }
            for other, _ in others:
                peer = other.peer
                if connections <= peer.most_connections:
                    told = Told(
                        peer.port, peer.path, other.key, peer.models.get(str(delay), "m"),
                        connections, seconds, headers=peer.headers.get(str(delay), {}),
                    )  # fmt: skip
                    targets[peer.name] = Measured(told, peer=other)
            for cell in measure(targets, rounds, delay):
                cells.append(cell)
                print(
                    f"c{connections}@{delay:<4}{cell.target:<14}{cell.calls_per_second:>9,.0f}/s"
                    f"  p50 {cell.p50_ms:>9.2f}  p99 {cell.p99_ms:>9.2f}"
                    f"  CPU {cell.cpu_us_per_call or 0:>8,} µs  errors {cell.errors}",
                    flush=True,
                )
        started = {other.peer.name: round(took, 2) for other, took in others}
    return {"rounds": rounds, "ready": started, "cells": [asdict(cell) for cell in cells]}


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
    parser.add_argument(
        "--peers", type=Path, default=os.environ.get("UNSPRAWL_BENCH_PEERS") or None,
        help="a JSON list of other gateways to measure in the same rounds (bench/gateway/peers.py)",
    )  # fmt: skip
    given = parser.parse_args()
    run(given.seconds, given.rounds, given.out, given.peers)


if __name__ == "__main__":
    main()
