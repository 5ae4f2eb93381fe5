"""How long a proposal takes until its decision is on record, and how many a second are taken.

Through real HTTP to one web process over a cluster that flushes to the disk: key, guards,
schema, plan, policy, two entries and the row, committed before the answer. Half are allowed
at once; half are asked about, so their review is opened in the same commit.
"""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from psycopg.types.json import Jsonb

from bench.effort import Effort
from bench.gateway.rig import World
from bench.portal.site import Site
from kernel import clock
from kernel.refs import new_id

AGENTS: Final = 40
CALLERS: Final = 8
PACE: Final = 200.0  # a second, that are promised
SECONDS: Final = {"full": 20.0, "quick": 5.0, "tiny": 1.0}
ALONE: Final = {"full": 400, "quick": 100, "tiny": 10}
_SCHEMA: Final = {
    "type": "object",
    "required": ["customer"],
    "properties": {"customer": {"type": "string"}, "note": {"type": "string"}},
    "additionalProperties": False,
}


@dataclass
class Tally:
    """What came back, and how long it took, in milliseconds."""

    spent: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, milliseconds: float, status: int) -> None:
        with self.lock:
            self.spent.append(milliseconds)
            self.statuses.append(status)


def measure(effort: Effort) -> dict[str, Any]:
    """Return the latencies of one caller, and of all at the promised pace."""
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        site = Site(Path(home), fsync=True)
        try:
            site.start()
            keys = _seed(site)
            site.serve()
            _send(site.port, keys, 0, 20, Tally())  # the judge is built with the first
            alone = Tally()
            _send(site.port, keys, 1000, ALONE[effort.name], alone)
            paced, seconds = _at_pace(site.port, keys, SECONDS[effort.name])
        finally:
            site.stop()
    return {
        "agents": AGENTS,
        "proposals": len(alone.spent) + len(paced.spent),
        "alone_ms": _spread(alone.spent),
        "paced_ms": _spread(paced.spent),
        "paced_per_second": len(paced.spent) / seconds,
        "wanted_per_second": PACE,
        "statuses": sorted({*alone.statuses, *paced.statuses}),
    }


def _seed(site: Site) -> list[str]:
    world, now = World(site.rig), clock.now()
    try:
        place = world.insert(
            "effects_connection",
            public_id=new_id("con"), name="crm", title="CRM", adapter="agent", credential="none",
            settings=Jsonb({}), credential_settings=Jsonb({}), revision=1, added_by="system:bench",
            added_at=now, changed_at=now,
        )  # fmt: skip
        for name, effect in (("find", "read"), ("add-note", "write")):
            world.insert(
                "effects_operation",
                public_id=new_id("opn"), connection_id=place, name=name, version=1, title=name,
                effect=effect, is_reversible=True, idempotency="none",
                arguments_schema=Jsonb(_SCHEMA), template=Jsonb({"tool": name}), lookup=Jsonb({}),
                checks=Jsonb([]), digest=f"sha256:{name}", added_by="system:bench", added_at=now,
            )  # fmt: skip
        agents = [world.add_agent() for _ in range(AGENTS)]
        world.change("UPDATE registry_agent SET tools = ARRAY['crm.find', 'crm.add-note']")
        return [agent.key for agent in agents]
    finally:
        world.close()


def _at_pace(port: int, keys: list[str], seconds: float) -> tuple[Tally, float]:
    tally, started = Tally(), time.perf_counter()
    each = int(PACE * seconds / CALLERS)
    callers = [
        threading.Thread(
            target=_send,
            # Each begins at agents of its own: they do not all speak for one at a time.
            args=(
                port,
                keys,
                10**6 * (at + 1) + at * (AGENTS // CALLERS),
                each,
                tally,
                CALLERS / PACE,
            ),
        )
        for at in range(CALLERS)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return tally, time.perf_counter() - started


def _send(
    port: int, keys: list[str], first: int, times: int, tally: Tally, every: float = 0.0
) -> None:
    """Propose as often as told, by one agent after the other; keep to the pace, if there is one."""
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    started = time.perf_counter()
    for number in range(times):
        if (early := started + number * every - time.perf_counter()) > 0:
            time.sleep(early)
        asked = first + number
        target = ("crm.find", "crm.add-note")[asked % 2]
        arguments = {"customer": f"c-{asked}", "note": "Called back."}
        body = {
            "run": f"bench-{asked % 100}",
            "action": {"adapter": "agent", "target": target, "arguments": arguments},
            "idempotency_key": f"k-{asked}",
        }
        key = keys[asked % len(keys)]
        sent = time.perf_counter()
        wire.request(
            "POST",
            "/api/v1/proposals",
            json.dumps(body),
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        answer = wire.getresponse()
        answer.read()
        tally.note((time.perf_counter() - sent) * 1000, answer.status)
    wire.close()


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    found = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {name: ordered[int(part * (len(ordered) - 1))] for name, part in found.items()}
