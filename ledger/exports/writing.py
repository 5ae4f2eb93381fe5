"""The lines of an export, in the format's order (docs/ledger-format.md).

Every line is made from the plan and from rows that only ever grow, so a file that was
begun is gone on with at the entry it had reached.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any, Final

from kernel.canonical import canonical
from kernel.clock import stamp
from ledger.artifacts import NAMED_BY
from ledger.exports import nodes, reading
from ledger.exports.planning import Database
from ledger.exports.scope import FORMAT, Plan
from ledger.exports.signing import ExportSigner
from ledger.exports.tally import Tally
from ledger.transparency.checkpoints import Checkpoint

_KEYS_AT_ONCE: Final = 500
_ARTIFACTS_AT_ONCE: Final = 20
_BODIES: Final = "SELECT digest, body FROM ledger_artifact WHERE digest = ANY(%s)"
_EPOCHS: Final = """
    SELECT number, origin, public_key, opened_at, reason FROM ledger_epoch ORDER BY number
"""
# As of the checkpoints that the file states: a key that an entry behind them destroyed was
# active there, and says by which entry it is not any more.
_STATES: Final = """
    SELECT k.dek_id, k.shredded_by,
           CASE WHEN e.id IS NOT NULL AND NOT EXISTS (
               SELECT FROM ledger_leaf l
               JOIN unnest(%s::int[], %s::bigint[]) AS h(epoch, size)
                 ON h.epoch = l.epoch AND l.index < h.size
               WHERE l.entry = e.id
           ) THEN 'active' ELSE k.state END
    FROM ledger_datakey k LEFT JOIN ledger_entry e ON e.entry_id = k.shredded_by
    WHERE k.dek_id = ANY(%s)
"""
_CHECKPOINTS: Final = """
    SELECT c.size, c.root, e.origin,
           array_agg(s.line ORDER BY s.is_witness, s.signer COLLATE "C")
    FROM ledger_checkpoint c JOIN ledger_epoch e ON e.number = c.epoch
    JOIN ledger_checkpointsignature s ON s.epoch = c.epoch AND s.size = c.size
    WHERE c.epoch = %s AND c.size = ANY(%s) GROUP BY c.size, c.root, e.origin ORDER BY c.size
"""


def export(
    database: Database,
    plan: Plan,
    signer: ExportSigner,
    *,
    tally: Tally | None = None,
) -> Iterator[bytes]:
    """Yield a whole file, line by line, from the snapshot that the connection reads."""
    with closing(tally or Tally(plan.scope)) as counted:
        for line in beginning(database, plan):
            counted.take(line)
            yield line
        counted.counts["epochs"] = len(_epochs(database))
        for found in reading.entries(database, plan):
            line = entry_line(found)
            counted.entry(found.header, has_payload=found.payload is not None)
            counted.take(line)
            yield line
        yield from ending(database, plan, signer, counted)


def beginning(database: Database, plan: Plan) -> Iterator[bytes]:
    """Yield what stands before the entries."""
    yield line_of(
        {
            "exported_at": stamp(plan.exported_at),
            "format": FORMAT,
            "payloads": plan.payloads,
            "scope": plan.scope.document(),
        }
    )
    for document in _epochs(database):
        yield line_of({"epoch": document})


def entry_line(found: reading.Found) -> bytes:
    """Return the line of one entry."""
    document: dict[str, Any] = {
        "epoch": found.epoch,
        "header": b64(found.header),
        "index": found.index,
    }
    if found.payload is not None:
        nonce, ciphertext = found.payload
        document["payload"] = {"ciphertext": b64(ciphertext), "nonce": b64(nonce)}
    return line_of({"entry": document})


def ending(
    database: Database,
    plan: Plan,
    signer: ExportSigner,
    tally: Tally,
) -> Iterator[bytes]:
    """Yield what stands behind the entries, once the tally knows all of them."""
    parts = {
        "tiles": _tiles(database, plan),
        "keys": _keys(database, plan, tally),
        "artifacts": _artifacts(database, tally),
        "checkpoints": _checkpoints(database, plan),
    }
    for name, documents in parts.items():
        for document in documents:
            line = line_of(document)
            tally.counts[name] += 1
            tally.take(line)
            yield line
    end = line_of({"end": tally.end()})
    tally.take(end)
    yield end
    signature = line_of({"signature": signer.note(tally.sha256)})
    tally.take(signature)
    yield signature


def line_of(document: Mapping[str, Any]) -> bytes:
    """Write one line."""
    return canonical(document) + b"\n"


def b64(raw: bytes) -> str:
    """Write bytes as the format does."""
    return base64.b64encode(raw).decode()


def _epochs(database: Database) -> list[dict[str, Any]]:
    return [
        {
            "number": number,
            "origin": origin,
            "public_key": b64(bytes(public_key)),
            "opened_at": stamp(opened_at),
            "reason": reason,
        }
        for number, origin, public_key, opened_at, reason in database.execute(_EPOCHS).fetchall()
    ]


def _tiles(database: Database, plan: Plan) -> Iterator[dict[str, Any]]:
    for epoch, size in plan.heads.items():
        for level in nodes.levels_of(size):
            numbers = reading.tile_numbers(database, plan, epoch, level)
            for tile, hashes in nodes.tiles(database, epoch, size, level, numbers):
                yield {
                    "tile": {
                        "epoch": epoch,
                        "level": tile.level,
                        "number": tile.number,
                        "width": tile.width,
                        "hashes": b64(hashes),
                    }
                }


def _keys(database: Database, plan: Plan, tally: Tally) -> Iterator[dict[str, Any]]:
    named = tally.named("key")
    while batch := list(islice(named, _KEYS_AT_ONCE)):
        heads = plan.heads
        rows = database.execute(_STATES, [list(heads), list(heads.values()), batch]).fetchall()
        states = {dek: (state, entry or None) for dek, entry, state in rows}
        for dek in batch:
            state, entry = states.get(dek, ("missing", None))
            yield {"key": {"dek": dek, "state": state, "shredded_by": entry}}


def _artifacts(database: Database, tally: Tally) -> Iterator[dict[str, Any]]:
    for kind in sorted(NAMED_BY.values()):
        named = tally.named(kind)
        while batch := list(islice(named, _ARTIFACTS_AT_ONCE)):
            kept = dict(database.execute(_BODIES, [batch]).fetchall())
            for digest in batch:
                document: dict[str, Any] = {"kind": kind, "digest": digest}
                if digest in kept:
                    document["bytes"] = b64(bytes(kept[digest]))
                yield {"artifact": document}


def _checkpoints(database: Database, plan: Plan) -> Iterator[dict[str, Any]]:
    for epoch, sizes in plan.sizes:
        for size, root, origin, lines in database.execute(_CHECKPOINTS, [epoch, list(sizes)]):
            text = Checkpoint(origin, size, bytes(root)).text
            note = text + "\n" + "".join(f"{line.rstrip()}\n" for line in lines)
            yield {"checkpoint": {"epoch": epoch, "note": note}}
