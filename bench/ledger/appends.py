"""How fast entries are acknowledged while the sequencer runs, and how soon they are signed.

Every write is durable. Lag is the time between an entry's own moment and the moment at
which a checkpoint over it was signed, for every entry; nothing is sampled.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.effort import Effort
from bench.gateway.rig import ROOT, Rig
from config.embedded.postgres import DATABASE, SUPERUSER
from config.processes import SEQUENCER

# Name, processes, journals and callers in each: a journal for each caller commits one by one.
CELLS: Final = (
    ("one entry a commit, 2 callers", 2, 1, 1),
    ("one entry a commit, 16 callers", 2, 8, 8),
    ("one entry a commit, 32 callers", 2, 16, 16),
    ("shared commits, 16 callers", 2, 1, 8),
    ("shared commits, 64 callers", 2, 1, 32),
    ("shared commits, 256 callers", 2, 1, 128),
)
_CATCH_UP: Final = 60.0
_LAG: Final = """
    SELECT count(*), percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY lag) FROM (
        SELECT extract(epoch FROM s.signed_at - e.recorded_at) * 1000 AS lag
        FROM ledger_entry e JOIN ledger_leaf l ON l.entry = e.id
        CROSS JOIN LATERAL (
            SELECT signed_at FROM ledger_checkpointsignature c
            WHERE c.epoch = l.epoch AND c.size > l.index AND NOT c.is_witness
            ORDER BY c.size LIMIT 1
        ) s WHERE e.id > %s
    ) lags
"""
_TABLES: Final = (
    "ledger_entry", "ledger_leaf", "ledger_tile", "ledger_checkpoint", "ledger_checkpointsignature",
)  # fmt: skip


def measure(effort: Effort) -> dict[str, Any]:
    """Record with one to many callers, one after the other, with the sequencer beside them."""
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        Path(home).chmod(0o711)  # the server's own user passes through
        with Rig(Path(home), fsync=True) as rig, _sequencer(rig):
            cells = [_cell(rig, effort, *cell) for cell in CELLS]
            return {"cells": cells, "bytes": _bytes(rig)}


@contextmanager
def _sequencer(rig: Rig) -> Iterator[None]:
    log = rig.home / "sequencer.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            SEQUENCER.command(),
            cwd=ROOT,
            env=rig.environment(DATABASE_SEQUENCER_URL=rig.sequencer, UNSPRAWL_OPENS=""),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _cell(
    rig: Rig, effort: Effort, name: str, processes: int, journals: int, callers: int
) -> dict[str, Any]:
    last = _number(rig, "SELECT coalesce(max(id), 0) FROM ledger_entry")
    command = [
        sys.executable, "-m", "bench.ledger.appending", "--journals", str(journals),
        "--callers", str(callers), "--seconds", str(effort.call_seconds),
    ]  # fmt: skip
    running = [
        subprocess.Popen(command, cwd=ROOT, env=rig.environment(), stdout=subprocess.PIPE)
        for _ in range(processes)
    ]
    said = [json.loads(one.communicate()[0]) for one in running]
    waits = sorted(wait for one in said for wait in one["waits_ms"])
    caught_up = _wait_until_signed(rig)
    with rig.postgres.connect(SUPERUSER, DATABASE) as connection:
        found = connection.execute(_LAG, (last,)).fetchone()
    signed, lags = found if found else (0, [0, 0, 0])
    return {
        "name": name,
        "entries_per_second": round(sum(one["entries"] / one["seconds"] for one in said)),
        "p50_ms": round(statistics.median(waits), 2),
        "p99_ms": round(waits[int(len(waits) * 0.99)], 2),
        "entries": len(waits),
        "signed": signed,
        "lag_p50_ms": round(float(lags[0])),
        "lag_p99_ms": round(float(lags[1])),
        "lag_max_ms": round(float(lags[2])),
        "caught_up_seconds": round(caught_up, 2),
    }


def _wait_until_signed(rig: Rig) -> float:
    started = time.monotonic()
    entries = _number(rig, "SELECT count(*) FROM ledger_entry")
    signed = "SELECT coalesce(max(size), 0) FROM ledger_checkpointsignature WHERE NOT is_witness"
    while _number(rig, signed) < entries:
        if time.monotonic() - started > _CATCH_UP:
            raise TimeoutError("the sequencer did not catch up")
        time.sleep(0.05)
    return time.monotonic() - started


def _bytes(rig: Rig) -> dict[str, float]:
    """Bytes an entry takes in each table, indexes included."""
    entries = _number(rig, "SELECT count(*) FROM ledger_entry")
    each = {
        table: _number(rig, f"SELECT pg_total_relation_size('{table}')") / entries
        for table in _TABLES
    }
    header = _number(rig, "SELECT sum(length(header))::bigint FROM ledger_entry") / entries
    return {name: round(value, 1) for name, value in ({"header": header} | each).items()}


def _number(rig: Rig, statement: str) -> int:
    with rig.postgres.connect(SUPERUSER, DATABASE) as connection:
        row = connection.execute(statement.encode()).fetchone()
        return int(row[0])
