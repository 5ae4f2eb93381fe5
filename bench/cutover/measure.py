"""A cutover under load: steps 1, 10, 50, 100 % and back, and not one call that fails.

The calls come from a process of its own at an even rate, whether or not earlier ones are
answered. Source and target are two vendors that think for 50 ms, so that every change and the
end of the target meet calls under way. Last, with all runs moved, the target is killed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.cutover.load import Made
from bench.effort import Effort
from bench.gateway.__main__ import free_port
from bench.gateway.rig import ROOT, GatewayChild, Rig, SeededAgent, World
from kernel.refs import new_id

PER_SECOND: Final = {"full": 300, "quick": 150, "tiny": 40}
STEP_SECONDS: Final = {"full": 20.0, "quick": 5.0, "tiny": 0.6}
STEPS: Final = (1, 10, 50, 100)
LIMIT_MS: Final = 60_000.0
ROUTE: Final = "bench"
SOURCE, TARGET = "old-1", "new-1"
_AFTER_SECONDS: Final = 1.5
_SET: Final = """
    INSERT INTO routing_shift (public_id, agent_id, source_id, target_id, percent, subject, reason,
        set_by, begun_at, changed_at, ended_by, ended_reason)
    VALUES (%s, %s, %s, %s, %s, 'bench:x', 'bench', 'system:bench', now(), now(), '', '')
"""
_RAISE: Final = "UPDATE routing_shift SET percent = %s, changed_at = now() WHERE public_id = %s"
_END: Final = "UPDATE routing_shift SET ended_at = now(), ended_by = 'x' WHERE public_id = %s"
_RECORDED: Final = "SELECT count(*) FROM routing_call WHERE attempt = 1 AND NOT is_shadow"


def measure(effort: Effort) -> dict[str, Any]:
    """Return how many calls were made and failed, and how soon each change was in effect."""
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        Path(home).chmod(0o711)  # the server's own user passes through
        with Rig(Path(home), fsync=True) as rig, _vendor() as source, _vendor() as target:
            gateway = GatewayChild(rig, free_port(), Path(home) / "gateway.log")
            world = World(rig)
            try:
                gateway.wait_ready()
                cutover = _Cutover(world, gateway.port, source, target, effort)
                return cutover.measured()
            finally:
                world.close()
                gateway.kill()


class _Vendor:
    def __init__(self) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "bench.gateway.upstream", str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def _vendor() -> Iterator[_Vendor]:
    vendor = _Vendor()
    try:
        yield vendor
    finally:
        vendor.kill()


class _Cutover:
    def __init__(
        self, world: World, port: int, source: _Vendor, target: _Vendor, effort: Effort
    ) -> None:
        self.world, self.port, self.vendor = world, port, target
        self.rate, self.seconds = PER_SECOND[effort.name], STEP_SECONDS[effort.name]
        models = [
            world.add_model(world.add_vendor(f"http://127.0.0.1:{each.port}/d50/v1")[0], name)
            for each, name in ((source, SOURCE), (target, TARGET))
        ]
        self.models = models
        world.add_route(ROUTE, models[0])
        self.agent = world.add_agent(routes=[ROUTE])

    def measured(self) -> dict[str, Any]:
        with _load(self.port, self.agent, self.rate) as load:
            begun = time.monotonic()
            time.sleep(self.seconds)
            marks = [self._move(STEPS[0])]
            for percent in STEPS[1:]:
                time.sleep(self.seconds)
                marks.append(self._change(_RAISE, percent, self.shift))
            time.sleep(self.seconds)
            marks.append(self._change(_END, self.shift))
            time.sleep(_AFTER_SECONDS)
            again = self._move(100)
            time.sleep(self.seconds)
            self.vendor.kill()
            killed = time.monotonic()
            time.sleep(self.seconds)
            self._change(_END, self.shift)
            time.sleep(_AFTER_SECONDS)
            made = [Made(*each) for each in json.loads(load.communicate("")[0])]
        ((recorded,),) = self.world.query(_RECORDED)
        return {
            "per_second": self.rate,
            "offered_per_second": round(_rate(made), 1),
            "seconds": round(max(each.due for each in made) - begun, 1),
            "calls": len(made),
            "failed": sum(each.status != 200 for each in made),
            "statuses": dict(Counter(str(each.status) for each in made)),
            "recorded": recorded,
            "sent_late_max_ms": _ms(max(each.sent - each.due for each in made)),
            "latency_ms": _spread([each.done - each.due for each in made if each.status]),
            "steps": [
                _step(percent, since, until, made)
                for percent, since, until in zip(STEPS, marks, marks[1:], strict=False)
            ],
            **_way_back(marks[-1], again, made),
            "killed": _after_the_kill(killed, made),
            "limit_ms": LIMIT_MS,
        }

    def _move(self, percent: int) -> float:
        self.shift = new_id("shf")
        return self._change(_SET, self.shift, self.agent.public_id, *self.models, percent)

    def _change(self, statement: str, *values: Any) -> float:
        """Commit a change; return when."""
        self.world.change(statement, *values)
        return time.monotonic()


@contextmanager
def _load(port: int, agent: SeededAgent, per_second: int) -> Iterator[subprocess.Popen[str]]:
    told = {"port": port, "key": agent.key, "model": ROUTE, "per_second": per_second}
    load = subprocess.Popen(
        [sys.executable, "-m", "bench.cutover.load"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert load.stdin is not None  # noqa: S101  as asked for
    try:
        load.stdin.write(json.dumps(told) + "\n")
        load.stdin.flush()
        yield load
    finally:
        load.kill()
        load.wait()


def _step(percent: int, since: float, until: float, made: list[Made]) -> dict[str, Any]:
    """Return a step's figures: of the calls that were sent while it was committed."""
    during = [each for each in made if since < each.sent < until]
    moved = [each for each in during if each.model == TARGET]
    stayed = [each.sent for each in during if each.model == SOURCE]
    # The whole share is in effect at once: at 100 % that is when the last call stayed.
    first = min((each.sent for each in moved), default=None)
    shown = max(stayed, default=since) if percent == 100 else first
    return {
        "percent": percent,
        "calls": len(during),
        "moved_percent": round(100 * len(moved) / max(len(during), 1), 1),
        "failed": sum(each.status != 200 for each in during),
        "effect_ms": None if shown is None else _ms(shown - since),
    }


def _way_back(back: float, again: float, made: list[Made]) -> dict[str, float]:
    """Return when the last call was sent that the target served all the same, and its end."""
    late = [
        each for each in made if each.model == TARGET and back < each.done and each.sent < again
    ]
    return {
        "back_ms": _ms(max((each.sent - back for each in late), default=0.0)),
        "drained_ms": _ms(max((each.done - back for each in late), default=0.0)),
    }


def _after_the_kill(killed: float, made: list[Made]) -> dict[str, Any]:
    met = [each for each in made if each.done > killed]
    return {
        "calls": len(met),
        "failed": sum(each.status != 200 for each in met),
        "fell_back": sum(each.fell_back for each in met),
    }


def _rate(made: list[Made]) -> float:
    """Return how many calls a second were sent, in fact."""
    sent = [each.sent for each in made]
    return (len(sent) - 1) / max(max(sent) - min(sent), 0.001)


def _spread(seconds: list[float]) -> dict[str, float]:
    held = sorted(seconds) or [0.0]
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {
        name: _ms(held[min(int(share * len(held)), len(held) - 1)])
        for name, share in shares.items()
    }


def _ms(seconds: float) -> float:
    return round(max(seconds, 0.0) * 1000, 1)
