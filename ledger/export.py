"""One stream as a file that can be checked anywhere: JSON lines, see docs/ledger-format.md.

The first line says what it is, the last how much there must be, so a file that was cut
off is not mistaken for a short one. Payloads travel encrypted: who holds the export can
check them and not read them. Reading it back is `ledger.export_check`, without Django.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import islice

from kernel import clock
from kernel.canonical import canonical
from kernel.clock import stamp
from ledger.export_check import FORMAT
from ledger.models import Entry, Payload

BATCH = 50


def export_stream(stream: str, *, with_payloads: bool = True) -> Iterator[bytes]:
    """Yield a stream's export line by line, each ending in a newline."""
    yield _line(
        {
            "format": FORMAT,
            "stream": stream,
            "exported_at": stamp(clock.now()),
            "payloads": with_payloads,
        }
    )
    entries, chains = 0, dict[str, object]()
    rows = (
        Entry.objects.filter(stream=stream)
        .order_by("writer", "seq")
        .values_list("entry_id", "header", "writer", "seq", "leaf_hash")
        .iterator(chunk_size=BATCH)
    )
    while batch := list(islice(rows, BATCH)):
        ids = [row[0] for row in batch]
        payloads = _payloads(ids) if with_payloads else {}
        for entry_id, header, writer, seq, leaf in batch:
            entries += 1
            chains[writer] = {"seq": seq, "leaf_hash": bytes(leaf).hex()}
            line = {"header": _b64(bytes(header)), "leaf_hash": bytes(leaf).hex()}
            yield _line({**line, **payloads.get(entry_id, {})})
    yield _line({"end": {"entries": entries, "chains": chains}})


def _payloads(entry_ids: list[str]) -> dict[str, dict[str, object]]:
    stored = Payload.objects.filter(entry_id__in=entry_ids)
    return {
        row.entry_id: {
            "payload": {"nonce": _b64(bytes(row.nonce)), "ciphertext": _b64(bytes(row.ciphertext))}
        }
        for row in stored.iterator(chunk_size=BATCH)
    }


def _line(document: dict[str, object]) -> bytes:
    return canonical(document) + b"\n"


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
