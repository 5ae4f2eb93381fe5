"""How fast the whole log is verified: headers, chains, and the digest of every payload."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.bulk import Bulk
from bench.effort import Effort
from bench.gateway.rig import ROOT, Rig
from bench.ledger.chains import Made, copy_links, data_key, links_of, note_writer
from config.embedded.postgres import DATABASE, SUPERUSER
from kernel import clock
from kernel.refs import new_id

_CALLS_A_RUN = 5


def measure(effort: Effort) -> dict[str, Any]:
    """Verify a log of so many entries, half of them with the payload of the other half."""
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        Path(home).chmod(0o711)  # the server's own user passes through
        # Nothing durable is measured here.
        with Rig(Path(home), fsync=False) as rig:
            with rig.postgres.connect(SUPERUSER, DATABASE) as connection:
                bulk = Bulk(connection)
                note_writer(bulk)
                key = data_key(bulk, rig.keys_dir)
                copy_links(bulk, links_of(_calls(effort.entries // 2), key))
                bulk.run("ANALYZE")
            return _check(rig)


def _calls(number: int) -> Iterator[Made]:
    run_id, agent_id, began = "", new_id("agt"), clock.now() - timedelta(hours=1)
    for index in range(number):
        if index % _CALLS_A_RUN == 0:
            run_id = new_id("run")
        yield Made(
            intent_id=new_id("ent"),
            run_id=run_id,
            agent_id=agent_id,
            route="draft",
            vendor="bench",
            model="bench-1",
            status="ok",
            cost_micros=1200,
            started_at=began + timedelta(milliseconds=index),
            duration_ms=700,
        )


def _check(rig: Rig) -> dict[str, Any]:
    told = rig.environment(DJANGO_SETTINGS_MODULE="config.settings", UNSPRAWL_OPENS="")
    said = subprocess.run(
        [sys.executable, "-m", "bench.ledger.checking"],
        cwd=ROOT,
        env=told,
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(said.stdout)
    return found | {"entries_per_second": round(found["entries"] / max(found["seconds"], 1e-9))}
