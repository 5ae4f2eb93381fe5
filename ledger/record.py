"""Writing entries from Django: in the transaction of the change they record, or not at all.

Chains that many transactions extend have a head row, locked while one of them adds a
link; a rollback takes link and head back together, so no gap can appear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import IntegrityError, connection, transaction

from kernel import clock
from kernel.db import constraint_of
from kernel.refs import Ref, new_id
from ledger.custody import forget_keys, seal_payload
from ledger.entries import GENESIS, EncryptedPayload, Fact, Fields, Link, link
from ledger.errors import LedgerSuspended
from ledger.models import ChainHead, Entry, Payload
from ledger.verbs import Verb

APP_WRITER = "app"
DEFAULT_CLASS = "internal"


class OutsideTransaction(RuntimeError):
    """Raised when a fact could commit without its change: a programming error, never caught."""


def record(  # noqa: PLR0913  one fact, said in one call with named parts
    verb: Verb,
    subject: Ref,
    *,
    actor: Ref,
    kind: str = Entry.Kind.CHANGE,
    facts: Mapping[str, Fact] | None = None,
    agent_id: str = "",
    stream: str = "",
    payload: bytes | None = None,
    data_class: str = DEFAULT_CLASS,
) -> Link:
    """Append an entry in the surrounding transaction and return it.

    The stream is the subject's own unless named; an agent's affairs share the agent's.
    A payload is encrypted under a key of the agent and the data class, and lies apart.
    Raises: OutsideTransaction, EntryTooLarge, LedgerSuspended.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction(f"{verb} recorded outside a transaction")
    place = stream or (f"agent:{agent_id}" if agent_id else str(subject))
    entry_id = new_id("ent")
    fields = Fields(
        kind=str(kind),
        verb=str(verb),
        actor=actor,
        subject=subject,
        recorded_at=clock.now(),
        agent_id=agent_id,
        facts=facts,
        payload=None
        if payload is None
        else seal_payload(payload, entry_id, agent_id=agent_id, data_class=data_class),
        entry_id=entry_id,
    )
    return append(fields, stream=place)


def hold_chains(streams: Iterable[str]) -> None:
    """Lock the chains that the surrounding transaction will extend, always in one order.

    For whoever adds to several: of two that took them as they came, each could wait for the
    other.
    """
    for stream in sorted(set(streams)):
        _locked_head(stream)


def append(fields: Fields, *, stream: str) -> Link:
    """Extend a shared chain by one entry, under the lock of its head."""
    with transaction.atomic():
        head = _locked_head(stream)
        added = link(
            fields,
            stream=stream,
            writer=APP_WRITER,
            seq=head.seq + 1,
            prev_hash=bytes(head.leaf_hash),
        )
        _keep_entry(added)
        if fields.payload is not None:
            _keep_payload(added.entry_id, fields.recorded_at, fields.payload)
        head.seq, head.leaf_hash = added.seq, added.leaf_hash
        head.save(update_fields=["seq", "leaf_hash"])
    return added


def _keep_entry(added: Link) -> None:
    try:
        Entry.objects.create(**_columns(added))
    except IntegrityError as error:
        if constraint_of(error) == "ledger_suspended":
            raise LedgerSuspended from None
        raise


def _keep_payload(entry_id: str, recorded_at: datetime, payload: EncryptedPayload) -> None:
    try:
        Payload.objects.create(
            entry_id=entry_id,
            recorded_at=recorded_at,
            dek_id=payload.dek_id,
            nonce=payload.nonce,
            ciphertext=payload.ciphertext,
        )
    except IntegrityError:
        forget_keys()  # the database does not know our key any more: the next one is new
        raise


def _locked_head(stream: str) -> ChainHead:
    heads = ChainHead.objects.select_for_update().filter(stream=stream, writer=APP_WRITER)
    if head := heads.first():
        return head
    # Of two who begin a chain, the second finds the first's row here, and waits for it.
    ChainHead.objects.bulk_create(
        [ChainHead(stream=stream, writer=APP_WRITER, seq=0, leaf_hash=GENESIS)],
        ignore_conflicts=True,
    )
    return heads.get()


def _columns(added: Link) -> dict[str, object]:
    fields = added.fields
    return {
        "entry_id": added.entry_id,
        "stream": added.stream,
        "writer": added.writer,
        "seq": added.seq,
        "prev_hash": added.prev_hash,
        "header": added.header,
        "leaf_hash": added.leaf_hash,
        "kind": fields.kind,
        "verb": fields.verb,
        "actor": str(fields.actor),
        "subject": str(fields.subject),
        "agent_id": fields.agent_id,
        "intent_id": fields.intent_id,
        "recorded_at": fields.recorded_at,
    }
