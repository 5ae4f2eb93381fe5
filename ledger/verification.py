"""Checking the whole log where it lies: every chain, every payload that is kept, every head.

One snapshot of the database, read in the order of the chains through a server-side
cursor, so that the check needs as much memory for a million entries as for ten and does
not mind what is recorded meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from django.db import Error, OperationalError, connection, transaction

from ledger.checking import Checker, Finding, StoredEntry, StoredPayload, Verdict
from ledger.errors import LedgerUnreadable
from ledger.linking import APP_WRITER
from ledger.models import Entry

BATCH = 1000

Progress = Callable[[int], None]

_PAYLOADS = """
    SELECT p.entry_id, p.recorded_at, p.dek_id,
           encode(pg_catalog.sha256(p.nonce || p.ciphertext), 'hex'), k.dek_id IS NOT NULL
    FROM ledger_payload p LEFT JOIN ledger_datakey k USING (dek_id)
    WHERE p.entry_id = ANY(%s) ORDER BY p.recorded_at
"""
_HEADS = """
    SELECT h.stream, h.writer, h.seq, coalesce(l.seq, 0), coalesce(l.entry_id, '')
    FROM ledger_chainhead h
    LEFT JOIN LATERAL (
        SELECT seq, leaf_hash, entry_id FROM ledger_entry e
        WHERE e.stream = h.stream AND e.writer = h.writer ORDER BY seq DESC LIMIT 1
    ) l ON true
    WHERE (%s::text IS NULL OR h.stream = %s) AND (
        h.seq > 0 AND (l.seq, l.leaf_hash) IS DISTINCT FROM (h.seq, h.leaf_hash)
        OR h.seq = 0 AND l.seq IS NOT NULL
    )
    ORDER BY h.stream, h.writer
"""
_HEADLESS = """
    SELECT e.stream, e.writer, e.seq, e.entry_id FROM ledger_entry e
    WHERE e.writer = %s AND e.seq = 1 AND (%s::text IS NULL OR e.stream = %s) AND NOT EXISTS (
        SELECT FROM ledger_chainhead h WHERE h.stream = e.stream AND h.writer = e.writer
    )
    ORDER BY e.stream
"""
_ORPHANS = """
    SELECT p.entry_id FROM ledger_payload p
    WHERE NOT EXISTS (SELECT FROM ledger_entry e WHERE e.entry_id = p.entry_id) ORDER BY 1
"""


def verify_all(progress: Progress = lambda _: None) -> Verdict:
    """Check everything that is recorded. Raises: LedgerUnreadable."""
    return _verify(None, progress)


def verify_stream(stream: str) -> Verdict:
    """Check one stream: its chains, its payloads, its heads. Raises: LedgerUnreadable."""
    return _verify(stream, lambda _: None)


def _verify(stream: str | None, progress: Progress) -> Verdict:
    checker = Checker()
    with reading(lambda: checker.entries):
        is_destroyed = cache(_is_destroyed)  # for this snapshot
        for batch in _batches(stream):
            _check(checker, batch, is_destroyed)
            progress(checker.entries)
        for finding in _beyond_the_entries(stream):
            checker.note(finding)
    return checker.verdict()


@contextmanager
def reading(reached: Callable[[], int]) -> Iterator[None]:
    """Read one snapshot; what ends it early says how far it came. Raises: LedgerUnreadable."""
    try:
        with _snapshot():
            yield
    except OperationalError as error:
        raise LedgerUnreadable(
            f"The database does not answer (after {reached()} entries). "
            "Start the service with `make run`, or set DATABASE_URL.",
            entries=reached(),
        ) from error
    except (Error, psycopg.Error) as error:
        raise LedgerUnreadable(
            f"The ledger could not be read after {reached()} entries ({type(error).__name__}).",
            entries=reached(),
        ) from error


def _batches(stream: str | None) -> Iterator[list[StoredEntry]]:
    entries = Entry.objects.all() if stream is None else Entry.objects.filter(stream=stream)
    rows = entries.order_by("stream", "writer", "seq").values_list(*StoredEntry._fields)
    batch: list[StoredEntry] = []
    for row in rows.iterator(chunk_size=BATCH):
        batch.append(StoredEntry(*row))
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch


def _check(checker: Checker, batch: list[StoredEntry], is_destroyed: Callable[[str], bool]) -> None:
    stored: defaultdict[str, list[StoredPayload]] = defaultdict(list)
    for values in _rows(_PAYLOADS, [row.entry_id for row in batch]):
        payload = StoredPayload(*values)
        stored[payload.entry_id].append(payload)
    for row in batch:
        header = checker.entry(row)
        if header is not None:
            checker.payload(row, header, stored.get(row.entry_id, ()), is_destroyed)


def _is_destroyed(dek_id: str) -> bool:
    return any(
        _rows("SELECT 1 FROM ledger_datakey WHERE dek_id = %s AND state = 'shredded'", dek_id)
    )


def _beyond_the_entries(stream: str | None) -> Iterator[Finding]:
    """What no single entry shows: chains that were cut at their end, payloads left over."""
    for of, writer, seq, last, entry_id in _rows(_HEADS, stream, stream):
        if last < seq:
            wrong = f"its chain ended at seq {seq} and now ends at {last}: entries are missing"
            yield Finding(of, writer, last + 1, "", wrong)
        else:
            wrong = "the head of its chain does not agree with it"
            yield Finding(of, writer, last, entry_id, wrong)
    for of, writer, seq, entry_id in _rows(_HEADLESS, APP_WRITER, stream, stream):
        yield Finding(of, writer, seq, entry_id, "its chain has no head")
    for (entry_id,) in _rows(_ORPHANS) if stream is None else ():
        yield Finding("", "", 0, entry_id, "a payload is left of an entry that is not there")


def _rows(statement: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        yield from cursor


@contextmanager
def _snapshot() -> Iterator[None]:
    is_ours = not connection.in_atomic_block
    with transaction.atomic():
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
