"""The head of a shared chain, and the one statement that adds a link after it.

A head that this transaction has seen is remembered, which saves reading it again for every
entry. Remembering is a hint and never trusted: the statement moves the head only from exactly
where it was seen, so after a savepoint was rolled back it adds nothing, and the head is read
anew. Plain SQL: this runs for every change there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from django.db import connection, connections

from ledger.entries import GENESIS, Link

APP_WRITER: Final = "app"
_MOST: Final = 100

_LOCK: Final = (
    "SELECT id, seq, leaf_hash FROM ledger_chainhead WHERE stream = %s AND writer = %s FOR UPDATE"
)
# Locks all of them or, where one is not begun yet, none: a lock out of order could deadlock.
_LOCK_ALL: Final = """
SELECT stream, id, seq, leaf_hash FROM ledger_chainhead
WHERE stream = ANY(%(streams)s) AND writer = %(writer)s AND %(many)s = (
    SELECT count(*) FROM ledger_chainhead WHERE stream = ANY(%(streams)s) AND writer = %(writer)s
)
ORDER BY stream COLLATE "C" FOR UPDATE
"""
_BEGIN: Final = """
INSERT INTO ledger_chainhead (stream, writer, seq, leaf_hash) VALUES (%s, %s, 0, %s)
ON CONFLICT DO NOTHING
"""
_ENTRY: Final = """
WITH moved AS (
    UPDATE ledger_chainhead SET seq = %s, leaf_hash = %s
    WHERE id = %s AND seq = %s AND leaf_hash = %s RETURNING id
), added AS (
    INSERT INTO ledger_entry (entry_id, stream, writer, seq, prev_hash, header, leaf_hash, kind,
        verb, actor, subject, agent_id, intent_id, recorded_at)
    SELECT %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s FROM moved
)"""
_PAYLOAD: Final = """, kept AS (
    INSERT INTO ledger_payload (entry_id, recorded_at, dek_id, nonce, ciphertext)
    SELECT %s, %s, %s, %s, %s FROM moved
)"""
_MOVED: Final = " SELECT id FROM moved"


class Head(NamedTuple):
    """The last link of a chain, as it was seen."""

    row: int
    seq: int
    leaf_hash: bytes


_seen: WeakKeyDictionary[Any, dict[str, Head]] = WeakKeyDictionary()


def remembered(stream: str) -> Head | None:
    """Return where this transaction last saw the head of a chain."""
    return _seen.get(connections[connection.alias], {}).get(stream)


def remember(stream: str, head: Head | None) -> None:
    """Note where a head is, until the transaction commits; or that it is not known."""
    wire = connections[connection.alias]
    heads = _seen.setdefault(wire, {})
    is_new = heads.pop(stream, None) is None
    if len(heads) >= _MOST:  # left by transactions that were rolled back
        heads.clear()
    if head is not None:
        heads[stream] = head
        if is_new:
            wire.on_commit(heads.clear)


def lock_heads(streams: Iterable[str]) -> dict[str, Head]:
    """Lock the heads of chains in the order of their names; none where one is not begun yet."""
    wanted = sorted(set(streams))
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_ALL, {"streams": wanted, "writer": APP_WRITER, "many": len(wanted)})
        return {stream: Head(row, seq, bytes(leaf)) for stream, row, seq, leaf in cursor.fetchall()}


def locked_head(stream: str) -> Head:
    """Lock the head of a chain, begun if it is not there."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [stream, APP_WRITER])
        found = cursor.fetchone()
        if found is None:
            # Of two who begin a chain, the second finds the first's row here, and waits for it.
            cursor.execute(_BEGIN, [stream, APP_WRITER, GENESIS])
            cursor.execute(_LOCK, [stream, APP_WRITER])
            found = cursor.fetchone()
    row, seq, leaf_hash = found
    return Head(row, seq, bytes(leaf_hash))


def add_link(added: Link, head: Head) -> bool:
    """Store a link with its payload and move the head; say whether the head was there."""
    fields, payload = added.fields, added.fields.payload
    values: list[Any] = [added.seq, added.leaf_hash, head.row, head.seq, head.leaf_hash]
    values += [
        added.entry_id, added.stream, added.writer, added.seq, added.prev_hash, added.header,
        added.leaf_hash, str(fields.kind), str(fields.verb), str(fields.actor),
        str(fields.subject), fields.agent_id, fields.intent_id, fields.recorded_at,
    ]  # fmt: skip
    if payload is not None:
        values += [
            added.entry_id, fields.recorded_at, payload.dek_id, payload.nonce, payload.ciphertext
        ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_ENTRY + (_PAYLOAD if payload is not None else "") + _MOVED, values)
        return cursor.fetchone() is not None
