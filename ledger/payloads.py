"""Reading payloads: shown to nobody before the reading itself is on record."""

from __future__ import annotations

from django.db import transaction

from kernel.refs import Ref
from ledger import custody
from ledger.entries import PayloadAltered, open_payload
from ledger.errors import (
    EntryNotFound,
    EvidenceAltered,
    PayloadAbsent,
    PayloadShredded,
    ReasonMissing,
)
from ledger.headers import HeaderInvalid, read_header
from ledger.models import DataKey, Entry, Payload
from ledger.record import record
from ledger.retention.shredding import require_journal
from ledger.verbs import Verb


@transaction.atomic(durable=True)
def read_payload(entry_id: str, *, actor: Ref, reason: str) -> bytes:
    """Return the bytes an entry speaks of, after checking them against the entry.

    The transaction is durable: it cannot be part of another one that might still roll
    the access entry back after the bytes were seen.

    Records: payload.read. Raises: EntryNotFound, PayloadAbsent, PayloadShredded,
    EvidenceAltered, ReasonMissing, PayloadsClosed, CannotOpen, ShredJournalUnusable.
    """
    if not reason.strip():
        raise ReasonMissing
    entry = Entry.objects.filter(entry_id=entry_id).first()
    if entry is None:
        raise EntryNotFound
    plaintext = _open(entry)
    record(
        Verb.PAYLOAD_READ,
        Ref("entry", entry_id),
        actor=actor,
        kind=Entry.Kind.ACCESS,
        facts={"reason": reason.strip()[:1000], "stream": entry.stream, "size": len(plaintext)},
        agent_id=entry.agent_id,
        stream="" if entry.agent_id else entry.stream,
    )
    return plaintext


def open_recorded(entry_id: str) -> bytes:
    """Return the bytes an entry speaks of to the automation that acts on them; nobody sees them.

    Raises: EntryNotFound, PayloadAbsent, PayloadShredded, EvidenceAltered, PayloadsClosed,
    CannotOpen, ShredJournalUnusable.
    """
    entry = Entry.objects.filter(entry_id=entry_id).first()
    if entry is None:
        raise EntryNotFound
    return _open(entry)


def _open(entry: Entry) -> bytes:
    try:
        header = read_header(bytes(entry.header))
    except HeaderInvalid as error:
        raise EvidenceAltered(f"The entry is not what was recorded: {error}.") from None
    if header.payload is None:
        raise PayloadAbsent
    stored = Payload.objects.filter(entry_id=entry.entry_id, recorded_at=header.recorded_at).first()
    if stored is None:
        raise PayloadAbsent("The payload is no longer kept.")
    row = DataKey.objects.filter(dek_id=header.payload.dek_id).first()
    if row is None or stored.dek_id != row.dek_id:
        raise EvidenceAltered("The payload's data key is not the one its entry names.")
    if row.state == DataKey.State.SHREDDED or row.dek_id in require_journal():
        raise PayloadShredded
    try:
        return open_payload(
            header.payload,
            bytes(stored.nonce),
            bytes(stored.ciphertext),
            custody.open_data_key(row),
            entry.entry_id,
        )
    except PayloadAltered as error:
        raise EvidenceAltered(f"The payload is not what was recorded: {error}.") from None
