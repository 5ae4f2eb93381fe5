"""An export needs as much memory for many entries as for few."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from ledger.exports.planning import make_plan
from ledger.exports.scope import OneRun
from ledger.exports.signing import ExportSigner, ensure_export_key
from ledger.exports.writing import export

pytestmark = pytest.mark.django_db
# Each names a data key of its own, the worst there is.
MANY = """
    INSERT INTO ledger_entry (entry_id, stream, writer, seq, prev_hash, header, leaf_hash, kind,
                              verb, actor, subject, agent_id, recorded_at)
    SELECT stream || n, stream, 'w', n, sha256(''), header, sha256('\\x00' || header), 'change',
           'agent.changed', 'x:y', 'x:y', '', now()
    FROM (SELECT %s AS stream, n, convert_to(format(
              '{"facts":{},"payload":{"dek":"dek_%%s"},"stream":"s","writer":"w","pad":"%%s"}',
              n, repeat('x', 600)), 'UTF8') AS header
          FROM generate_series(1, %s) n) made
"""


def peak_of(run: str, count: int, signer: ExportSigner) -> int:
    with connection.cursor() as cursor:
        cursor.execute(MANY, [run, count])
    database: Any = connection.connection
    plan = make_plan(database, OneRun(run), payloads=True)
    tracemalloc.start()
    lines = sum(1 for _ in export(database, plan, signer))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lines == 2 * count + 3
    return peak


def test_memory_does_not_grow_with_the_entries(tmp_path: Path) -> None:
    ensure_export_key(tmp_path, "https://agents.example")
    signer = ExportSigner(tmp_path, "https://agents.example")
    peak_of("run_warm", 10, signer)
    few, many = peak_of("run_few", 2_000, signer), peak_of("run_many", 20_000, signer)
    assert many < few * 1.5 + 1_000_000
