"""Probes of a fleet in which every third agent is hostile: lateness, CPU and memory of the prober.

Every agent is due once a minute and has a host of its own, so no limit of one host helps. The
targets are one process on loopback, without TLS; the prober is the one that runs in service.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from bench.effort import Effort
from bench.gateway.rig import ROOT
from bench.health.farm import HOSTILE
from bench.portal.population import Population
from bench.portal.site import Site
from bench.startup.service import free_port
from kernel import clock

LIMIT_MS: Final = 5000.0
AGENTS: Final = {"full": 10_000, "quick": 1_000, "tiny": 60}
SECONDS: Final = {"full": 180.0, "quick": 70.0, "tiny": 10.0}
INTERVAL: Final = {"full": 60, "quick": 60, "tiny": 2}


def measure(effort: Effort) -> dict[str, Any]:
    """Make a fleet of checks, start the targets, and let the prober run."""
    agents, farm_port = AGENTS[effort.name], free_port()
    farm = subprocess.Popen([sys.executable, "-m", "bench.health.farm", str(farm_port)], cwd=ROOT)
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        site = Site(Path(home))
        try:
            site.start()
            population = Population(site.bulk())
            population.add_company(agents)
            population.add_agents(agents)
            _watch(population, farm_port, INTERVAL[effort.name])
            population.bulk.run("VACUUM ANALYZE")
            told = site.rig.environment(DJANGO_SETTINGS_MODULE="config.settings", UNSPRAWL_OPENS="")
            said = subprocess.run(
                [sys.executable, "-m", "bench.health.probing", str(SECONDS[effort.name])],
                cwd=ROOT, env=told, stdout=subprocess.PIPE, check=True,
            )  # fmt: skip
            found: dict[str, Any] = json.loads(said.stdout)
            statuses = population.bulk.rows(
                "SELECT status, count(*) FROM health_check GROUP BY 1 ORDER BY 1"
            )
        finally:
            farm.terminate()
            farm.wait(10)
            site.stop()
    return found | {"agents": agents, "limit_ms": LIMIT_MS, "statuses": dict(statuses)}


def _watch(population: Population, port: int, interval: int) -> None:
    now = clock.now()
    ids = population.bulk.rows("SELECT id, name FROM registry_agent ORDER BY id")
    population.bulk.run("TRUNCATE health_agenthealth, health_check")
    population.bulk.copy(
        "health_agenthealth", ("agent_id", "status", "since", "is_watched", "rank"),
        ((pk, "unknown", now, True, 1) for pk, _ in ids),
    )  # fmt: skip

    def checks() -> Iterator[tuple[Any, ...]]:
        for number, (pk, name) in enumerate(ids):
            kind = HOSTILE[number // 3 % len(HOSTILE)] if number % 3 == 0 else "ok"
            url = f"http://127.0.0.1:{port}/{kind}/{name}"
            due = now + timedelta(seconds=5 + interval * number / len(ids))
            yield (pk, "probe", "http", "manifest", url, f"agent-{number}.test", interval, 30,
                   True, "unknown", now, due)  # fmt: skip

    population.bulk.copy(
        "health_check",
        ("agent_id", "source", "kind", "origin", "url", "host", "interval_seconds",
         "grace_seconds", "allow_private", "status", "since", "due_at"),
        checks(),
    )  # fmt: skip
