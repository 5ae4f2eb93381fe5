"""How long it takes to tell whom the end of a model touches, and to open its campaign.

The fleet is copied in; what pages count ahead is there as the sweep would have summed it. Size
comes from the effort, or from BENCH_IMPACT_AGENTS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from bench.bulk import Bulk
from bench.effort import Effort
from bench.gateway.rig import ROOT
from bench.portal.site import Site
from kernel import clock
from kernel.refs import new_id

IMPACT_LIMIT_MS: Final = 2000.0
OPEN_LIMIT_MS: Final = 10_000.0
AGENTS: Final = {"full": 100_000, "quick": 10_000, "tiny": 200}
DAYS: Final = 20  # on which each agent called: a hundred calls are ten million entries
MODELS: Final = 50  # every fifth agent calls the first of them
MOVES: Final = 1000  # agents that the campaign's own model has; of a small fleet, half of it


def measure(effort: Effort) -> dict[str, Any]:
    """Copy the fleet in, ask for the impact, open a campaign."""
    agents = int(os.environ.get("BENCH_IMPACT_AGENTS", AGENTS[effort.name]))
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        site = Site(Path(home))
        try:
            site.start()
            bulk = site.bulk()
            _add(bulk, agents)
            bulk.run("VACUUM ANALYZE")
            told = site.rig.environment(
                DJANGO_SETTINGS_MODULE="config.settings", UNSPRAWL_OPENS="payload",
                DATABASE_URL=site.rig.owner,
            )  # fmt: skip
            command = [sys.executable, "-m", "bench.impact.asking", str(effort.sequential)]
            said = subprocess.run(command, cwd=ROOT, env=told, stdout=subprocess.PIPE, check=True)
            found: dict[str, Any] = json.loads(said.stdout)
        finally:
            site.stop()
    limits = {"impact_limit_ms": IMPACT_LIMIT_MS, "open_limit_ms": OPEN_LIMIT_MS}
    return {"agents": agents, "entries": agents * 100, **limits, **found}


def _add(bulk: Bulk, agents: int) -> None:
    now = clock.now()
    (owner,) = bulk.rows("SELECT min(id) FROM registry_person")[0]
    (vendor,) = bulk.rows(
        "INSERT INTO routing_vendor (public_id, name, title, platform, dialect, base_url,"
        " auth_scheme, regions, data_classes, disabled_reason, created_at) VALUES"
        " (%s, 'bench', '', '', 'openai', 'https://models.example/v1', 'bearer', '{}',"
        " '{public,internal}', '', %s) RETURNING id",
        new_id("ven"), now,
    )[0]  # fmt: skip
    bulk.copy(
        "routing_model",
        ("public_id", "vendor_id", "name", "currency", "created_at", "retires_on"),
        (
            (new_id("mod"), vendor, f"model-{n}", "USD", now, now.date() + timedelta(days=30))
            for n in range(MODELS)
        ),
    )
    ids = [new_id("agt") for _ in range(agents)]
    uses = [_model(n, agents) for n in range(agents)]
    began = now - timedelta(days=80)
    days = [now.date() - timedelta(days=4 * number) for number in range(DAYS)]
    bulk.copy(
        "registry_agent",
        ("id", "public_id", "name", "title", "description", "purpose", "owner_id", "risk_tier",
         "data_classes", "routes", "stage", "stage_changed_at", "created_at"),
        (
            (10_000 + n, ids[n], f"agent-{n:06d}", f"Agent {n}", "Sorts.", "", owner, "low",
             ["internal"], [f"route-{n % 200}"], "draft", now, now)
            for n in range(agents)
        ),
    )  # fmt: skip
    bulk.copy(
        "routing_modeluse",
        ("agent_id", "route", "vendor", "model", "way", "calls", "first_called_at",
         "last_called_at"),
        (
            (ids[n], f"route-{n % 200}", "bench", uses[n], "route", 50, began, now)
            for n in range(agents)
        ),
    )  # fmt: skip
    bulk.copy(
        "routing_usageday",
        ("day", "agent_id", "route", "vendor", "model", "calls", "input_tokens", "output_tokens",
         "cost_micros"),
        (
            (day, ids[n], f"route-{n % 200}", "bench", uses[n], 3, 3000, 300, 4200)
            for n in range(agents)
            for day in days
        ),
    )  # fmt: skip
    bulk.run(
        "INSERT INTO routing_usageroute (day, route, vendor, model, calls, errors, denied,"
        " input_tokens, output_tokens, cost_micros, unpriced_calls, duration_ms, attempts)"
        " SELECT day, route, vendor, model, sum(calls), 0, 0, sum(input_tokens),"
        " sum(output_tokens), sum(cost_micros), 0, 0, sum(calls)"
        " FROM routing_usageday GROUP BY 1, 2, 3, 4"
    )


def _model(n: int, agents: int) -> str:
    """The first thousand agents call the campaign's model; of the rest every fifth the busiest."""
    if n < min(MOVES, agents // 2):
        return f"model-{MODELS - 1}"
    return "model-0" if n % 5 == 0 else f"model-{1 + n % (MODELS - 2)}"
