"""What lies beside the trees: entries without a leaf, data keys, tombstones, artifacts."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any, Final

import psycopg

from kernel.errors import DomainError
from ledger import custody
from ledger.auditing.findings import Findings, Found
from ledger.errors import PayloadsClosed
from ledger.headers import HeaderInvalid, read_header
from ledger.models import DataKey
from ledger.verbs import Verb

# Passed by: an entry whose place lies before the newest checkpoint's, and that has none.
_PASSED_BY: Final = """
    WITH epoch AS (SELECT number, first_entry FROM ledger_epoch ORDER BY number DESC LIMIT 1),
    reached AS (
        SELECT c.xid, c.entry FROM ledger_checkpoint c JOIN epoch ON c.epoch = epoch.number
        ORDER BY c.size DESC LIMIT 1
    )
    SELECT e.entry_id, e.stream, e.writer, e.seq,
           e.recorded_at < %s,
           (SELECT CASE
                WHEN r.xid = '0'::xid8 THEN e.id < p.first_entry AND e.id <= r.entry
                ELSE e.id < p.first_entry OR (e.xid, e.id) <= (r.xid, r.entry)
            END FROM reached r, epoch p)
    FROM ledger_entry e
    WHERE NOT EXISTS (SELECT FROM ledger_leaf l WHERE l.entry = e.id) ORDER BY e.id
"""
_TOMBSTONES: Final = """
    SELECT e.entry_id, e.header, l.epoch, l.index, e.stream, e.writer, e.seq FROM ledger_entry e
    LEFT JOIN ledger_leaf l ON l.entry = e.id WHERE e.verb = %s ORDER BY e.id
"""
_KEYS: Final = """
    SELECT dek_id, state, shredded_by FROM ledger_datakey
    WHERE state = 'shredded' OR shredded_by IS NOT NULL OR dek_id = ANY(%s) ORDER BY dek_id
"""
_NAMING: Final = """
    SELECT e.entry_id, e.stream, e.writer, e.seq, l.epoch, l.index FROM ledger_entry e
    LEFT JOIN ledger_leaf l ON l.entry = e.id
    WHERE position(convert_to(%s, 'UTF8') IN e.header) > 0
    ORDER BY l.epoch NULLS LAST, l.index, e.id LIMIT 1
"""
_ARTIFACTS: Final = """
    SELECT digest FROM ledger_artifact
    WHERE digest <> 'sha256:' || encode(sha256(body), 'hex') ORDER BY digest LIMIT 100
"""


def count_unsequenced(
    connection: psycopg.Connection[Any], findings: Findings, before: datetime
) -> tuple[int, int]:
    """Count the entries that wait for a place, and those of them that came before a moment.

    Those that were passed by are noted.
    """
    waiting = late = 0
    rows = connection.execute(_PASSED_BY, [before])
    for entry_id, stream, writer, seq, is_late, is_passed_by in rows:
        if is_passed_by:
            wrong = "the tree holds what was recorded after it, and not the entry: it was put there"
            findings.add(
                Found(wrong, entry_id=entry_id, stream=stream, writer=writer, seq=seq, ordinal=-1)
            )
        else:
            waiting += 1
            late += bool(is_late)
    return waiting, late


def check_keys(connection: psycopg.Connection[Any], findings: Findings) -> None:
    """See that a data key is destroyed if and only if an entry records it."""
    said: defaultdict[str, dict[str, Found]] = defaultdict(dict)
    for row in connection.execute(_TOMBSTONES, [Verb.DATAKEY_SHREDDED.value]):
        entry_id, header, epoch, index, stream, writer, seq = row
        try:
            named = read_header(bytes(header)).facts.get("deks")
        except HeaderInvalid:
            continue  # noted where its chain is read
        for dek in named if isinstance(named, list) else ():
            said[dek][entry_id] = Found("", epoch, index, None, entry_id, stream, writer, seq)
    for dek, state, shredded_by in connection.execute(_KEYS, [list(said)]).fetchall():
        tombstones = said.get(dek, {})
        if state != DataKey.State.SHREDDED:
            wrong = f"the data key {dek} is back, and this entry records its destruction"
            for found in list(tombstones.values())[:1] or [_naming(connection, dek)]:
                findings.add(_saying(found, wrong))
        elif shredded_by not in tombstones:
            wrong = f"its data key {dek} was destroyed, and no entry records it"
            findings.add(_saying(_naming(connection, dek), wrong))


def check_wrapping(findings: Findings, connection: psycopg.Connection[Any]) -> int:
    """Open every data key that is in use, where this process may; return how many it opened."""
    opened = 0
    for row in DataKey.objects.filter(state=DataKey.State.ACTIVE).order_by("dek_id").iterator():
        try:
            custody.open_data_key(row)
        except PayloadsClosed:
            return 0
        except DomainError:
            wrong = f"its data key {row.dek_id} is sealed to something else: it does not open"
            findings.add(_saying(_naming(connection, row.dek_id), wrong))
        opened += 1
    return opened


def check_artifacts(connection: psycopg.Connection[Any], findings: Findings) -> None:
    """Hash what entries name by digest."""
    for (digest,) in connection.execute(_ARTIFACTS).fetchall():
        wrong = f"the bytes behind {digest}, which it names, are others"
        findings.add(_saying(_naming(connection, digest), wrong))


def _naming(connection: psycopg.Connection[Any], text: str) -> Found:
    row = connection.execute(_NAMING, [text]).fetchone()
    if row is None:
        return Found("", entry_id="")
    return Found("", row[4], row[5], None, row[0], row[1], row[2], row[3])


def _saying(found: Found, wrong: str) -> Found:
    return Found(
        wrong, found.epoch, found.index, None, found.entry_id, found.stream, found.writer, found.seq
    )
