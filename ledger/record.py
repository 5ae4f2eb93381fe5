"""Writing entries from Django: in the transaction of the change they record, or not at all.

Chains that many transactions extend have a head row, locked while one of them adds a
link; a rollback takes link and head back together, so no gap can appear. Link and head are
one statement (`ledger.linking`), so there is no savepoint: a refusal ends the transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import IntegrityError, connection, transaction

from kernel import clock
from kernel.db import constraint_of
from kernel.refs import Ref, new_id
from ledger.custody import forget_keys, seal_payload
from ledger.entries import Fact, Fields, Link, link
from ledger.errors import LedgerSuspended
from ledger.linking import APP_WRITER, Head, add_link, lock_heads, locked_head, remember, remembered
from ledger.models import Entry
from ledger.verbs import Verb

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
    wanted = sorted(set(streams))
    heads = lock_heads(wanted)
    for stream in wanted:
        remember(stream, heads.get(stream) or locked_head(stream))


def append(fields: Fields, *, stream: str) -> Link:
    """Extend a shared chain by one entry, under the lock of its head."""
    with transaction.atomic(savepoint=False):
        known = remembered(stream)
        if known is None or (added := _added(fields, stream, known)) is None:
            added = _added(fields, stream, locked_head(stream))
        if added is None:
            raise RuntimeError(f"the head of {stream} moved under its lock")
    return added


def _added(fields: Fields, stream: str, head: Head) -> Link | None:
    """Add the link after a head; nothing is added where the head is another by now."""
    added = link(
        fields, stream=stream, writer=APP_WRITER, seq=head.seq + 1, prev_hash=head.leaf_hash
    )
    try:
        follows = add_link(added, head)
    except IntegrityError as error:
        name = constraint_of(error)
        if name == "ledger_suspended":
            raise LedgerSuspended from None
        if name == "ledger_payload_key_active":
            forget_keys()  # the database does not know our key any more: the next one is new
        raise
    remember(stream, Head(head.row, added.seq, added.leaf_hash) if follows else None)
    return added if follows else None
