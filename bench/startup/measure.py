"""How long it takes until work may be sent, and what an idle service holds.

A start is that of the supervisor behind `make run`, until both /readyz answer 200.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from bench.effort import Effort
from bench.startup.memory import held_by
from bench.startup.service import Service
from config.embedded.postgres import Postgres


def measure(effort: Effort) -> dict[str, Any]:
    """Start on fresh data and again on what is there, then look at the idle processes."""
    fresh, again, gateway = [], [], []
    memory: dict[str, Any] = {}
    for number in range(effort.starts):
        with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
            data = Path(home)
            data.chmod(0o711)  # the database's own user passes through
            try:
                with Service(data) as service:
                    fresh.append(service.seconds_to_ready())
                with Service(data) as service:
                    again.append(service.seconds_to_ready())
                    if number == 0:
                        time.sleep(effort.idle_seconds)
                        memory = _memory(service)
                    gateway += [service.seconds_to_another_gateway() for _ in range(effort.starts)]
            finally:
                _clear(data)
    return {
        "starts": effort.starts,
        "fresh_seconds": round(median(fresh), 2),
        "existing_seconds": round(median(again), 2),
        "gateway_seconds": round(median(gateway), 2),
        "idle_seconds": effort.idle_seconds,
        "memory": memory,
    }


def _memory(service: Service) -> dict[str, Any]:
    pids = service.pids()
    return {
        name: asdict(held_by(pid, with_children=name != "supervisor")) for name, pid in pids.items()
    }


def _clear(data: Path) -> None:
    # Root's cluster may lie elsewhere, with only a link to it in the data directory.
    with suppress(OSError):
        Postgres(data / "postgres", data).destroy()
