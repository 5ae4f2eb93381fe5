"""Runs as they lie in a database, read without Django for replay in tests."""

from __future__ import annotations

import json
from typing import Any

from kernel.opening import PrivateRing
from ledger.datakeys import identity
from ledger.entries import DataKeyInUse, decrypt_whole
from routing.gateway.replaying.recorded import RecordedEntry, RecordedRun
from tests.routing.gateway.conftest import Agent

_ENTRIES = """
    SELECT e.header, p.nonce, p.ciphertext, k.scope, k.data_class, k.ring_key_id, k.wrapped_key,
           e.recorded_at
    FROM ledger_entry e LEFT JOIN ledger_payload p ON p.entry_id = e.entry_id
    LEFT JOIN ledger_datakey k ON k.dek_id = p.dek_id
    WHERE e.stream = %s ORDER BY e.id
"""


def runs_of(rig: Any, agent: Agent) -> list[RecordedRun]:
    """Return the runs of an agent, whole."""
    rows = agent.world.query(
        "SELECT DISTINCT stream FROM ledger_entry WHERE agent_id = %s AND stream LIKE 'run_%%'"
        " ORDER BY stream",
        agent.row.public_id,
    )
    return [recorded_run(rig, agent.world, run_id) for (run_id,) in rows]


def recorded_run(rig: Any, world: Any, run_id: str) -> RecordedRun:
    ring = PrivateRing.load(rig.keys_dir, "payload")
    entries = []
    for header, nonce, ciphertext, scope, data_class, ring_key, wrapped, at in world.query(
        _ENTRIES, run_id
    ):
        said = json.loads(bytes(header))
        payload, annex = None, b""
        if ciphertext is not None:
            dek = said["payload"]["dek"]
            key = ring.unwrap(ring_key, bytes(wrapped), identity(dek, scope, data_class))
            _, payload, annex = decrypt_whole(
                bytes(nonce), bytes(ciphertext), DataKeyInUse(dek, key), said["id"]
            )
        entries.append(
            RecordedEntry(
                said["id"],
                said["kind"],
                said["verb"],
                at,
                said["facts"],
                said.get("intent", ""),
                payload,
                annex,
            )
        )
    named = [
        fact
        for entry in entries
        for name in ("bundle", "input", "setup")
        if isinstance(fact := entry.facts.get(name), str)
    ]
    rows = world.query("SELECT digest, body FROM ledger_artifact WHERE digest = ANY(%s)", named)
    return RecordedRun(run_id, tuple(entries), {digest: bytes(body) for digest, body in rows})
