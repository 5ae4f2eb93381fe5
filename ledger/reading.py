"""Reading a whole stream with what was said in it: one reading, one entry that says so.

Owns what becomes of a payload that is not there: it is told why, and the rest is read. One
that is not what was recorded is told as well, and never shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import transaction

from kernel.refs import Ref
from ledger import custody
from ledger.entries import DataKeyInUse, PayloadAltered, open_whole
from ledger.errors import EvidenceAltered, ReasonMissing, StreamTooLarge
from ledger.models import Artifact, DataKey, Entry, Payload
from ledger.queries import SeenEntry, seen
from ledger.record import record
from ledger.retention.shredding import require_journal
from ledger.verbs import Verb

_DROPPED: Final = "its payload is no longer kept"
_SHREDDED: Final = "the key of its payload was destroyed"
_ALTERED: Final = "its payload is not what was recorded"
_PAGE: Final = 100
# What one reading holds in memory: all that was said, and what lies beside it.
MOST_BYTES: Final = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Said:
    """What an entry speaks of; ``unread`` says why it is not here."""

    payload: bytes | None = field(default=None, repr=False)
    annex: bytes = field(default=b"", repr=False)
    unread: str = ""


@transaction.atomic(durable=True)
def read_stream(
    stream: str, *, actor: Ref, reason: str, most: int = MOST_BYTES
) -> list[tuple[SeenEntry, Said]]:
    """Return the entries of a stream in their order, each with what it speaks of.

    Records: payload.read, once. Raises: ReasonMissing, EvidenceAltered, PayloadsClosed,
    CannotOpen, ShredJournalUnusable, StreamTooLarge.
    """
    if not reason.strip():
        raise ReasonMissing
    entries = [seen(row) for row in Entry.objects.filter(stream=stream).order_by("id")]
    said_of = [entry.payload for entry in entries if entry.payload is not None]
    _require_room(sum(payload.size for payload in said_of), most)
    # What the shred journal says is gone stays unread, whatever a restored row says of its key.
    keys: dict[str, DataKeyInUse | None] = dict.fromkeys(require_journal() if said_of else ())
    found: list[tuple[SeenEntry, Said]] = []
    held = 0
    for start in range(0, len(entries), _PAGE):
        page = entries[start : start + _PAGE]
        stored = _payloads_of(page)
        for entry in page:
            said = _said(entry, stored.get(entry.entry_id), keys)
            held += len(said.payload or b"") + len(said.annex)
            _require_room(held, most)
            found.append((entry, said))
    read = [said.payload for _, said in found if said.payload is not None]
    if read:
        agent_id = next((entry.agent_id for entry in entries if entry.agent_id), "")
        record(
            Verb.PAYLOAD_READ,
            Ref("run", stream) if stream.startswith("run_") else Ref("stream", stream),
            actor=actor,
            kind=Entry.Kind.ACCESS,
            facts={
                "reason": reason.strip()[:1000],
                "stream": stream,
                "payloads": len(read),
                "size": sum(map(len, read)),
            },
            agent_id=agent_id,
            stream="" if agent_id else stream,
        )
    return found


class Opener:
    """Opens payloads for automation that has put on record that it reads; nobody sees them."""

    def __init__(self) -> None:
        """Raises: ShredJournalUnusable."""
        self._keys: dict[str, DataKeyInUse | None] = dict.fromkeys(require_journal())

    def read(self, entry_ids: Sequence[str]) -> dict[str, Said]:
        """Return what entries speak of. Raises: PayloadsClosed, CannotOpen."""
        entries = []
        for row in Entry.objects.filter(entry_id__in=entry_ids):
            with suppress(EvidenceAltered):
                entries.append(seen(row))
        stored = _payloads_of(entries)
        return {
            entry.entry_id: _said(entry, stored.get(entry.entry_id), self._keys)
            for entry in entries
        }


def tags_of(entries: Sequence[tuple[str, datetime]]) -> dict[str, str]:
    """Return for whose data the payloads of entries lie apart: a tag, or none, by entry.

    What is said again must lie under keys of the same person, or erasure does not reach it.
    """
    if not entries:
        return {}
    times = [recorded_at for _, recorded_at in entries]
    rows = Payload.objects.filter(
        entry_id__in=[entry_id for entry_id, _ in entries],
        recorded_at__range=(min(times), max(times)),
    )
    deks = dict(rows.values_list("entry_id", "dek_id"))
    keys = DataKey.objects.filter(dek_id__in=set(deks.values()))
    scopes = dict(keys.values_list("dek_id", "scope"))
    return {entry_id: scopes[dek].partition("/")[2] for entry_id, dek in deks.items()}


def artifacts_named(digests: set[str]) -> dict[str, bytes]:
    """Return what is kept of the artifacts that entries name."""
    rows = Artifact.objects.filter(digest__in=sorted(digests))
    return {row.digest: bytes(row.body) for row in rows}


def _payloads_of(entries: Sequence[SeenEntry]) -> dict[str, Payload]:
    if not entries:
        return {}
    times = [entry.recorded_at for entry in entries]
    rows = Payload.objects.filter(
        entry_id__in=[entry.entry_id for entry in entries],
        recorded_at__range=(min(times), max(times)),
    )
    return {row.entry_id: row for row in rows}


def _require_room(size: int, most: int) -> None:
    if size > most:
        raise StreamTooLarge(
            f"What was said comes to more than {most:,} bytes, the most that is read at once."
            " Take a shorter run, or export it."
        )


def _said(entry: SeenEntry, row: Payload | None, keys: dict[str, DataKeyInUse | None]) -> Said:
    if entry.payload is None:
        return Said()
    if row is None:
        return Said(unread=_DROPPED)
    if row.dek_id not in keys:
        keys[row.dek_id] = _key(row.dek_id)
    key = keys[row.dek_id]
    if key is None:
        return Said(unread=_SHREDDED)
    try:
        payload, annex = open_whole(
            entry.payload, bytes(row.nonce), bytes(row.ciphertext), key, entry.entry_id
        )
    except PayloadAltered:
        return Said(unread=_ALTERED)
    return Said(payload, annex)


def _key(dek_id: str) -> DataKeyInUse | None:
    row = DataKey.objects.filter(dek_id=dek_id).first()
    if row is None or row.state == DataKey.State.SHREDDED:
        return None
    return custody.open_data_key(row)
