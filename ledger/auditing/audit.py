"""The whole audit of a database: every chain, every tree, every key, in one snapshot.

Owns how the parts come together: findings of the chains get their place in the tree, and
where a link is broken the neighbours say which of the two entries was altered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from django.db import connection as django_connection

from kernel import clock
from ledger.auditing import loose
from ledger.auditing.checkpoints import EpochRow
from ledger.auditing.findings import Findings, Found
from ledger.auditing.openings import check_epochs
from ledger.auditing.tree import TreeAudit, TreeSeen
from ledger.auditing.trust import Trust
from ledger.checking import MISFITS, Finding, Verdict
from ledger.entries import Fact
from ledger.headers import HeaderInvalid, read_header
from ledger.transparency.checkpoints import Checkpoint
from ledger.transparency.notes import NoteInvalid, SignedNote
from ledger.verbs import Verb
from ledger.verification import reading, verify_all

_EPOCHS: Final = """
    SELECT number, origin, public_key, first_entry, opened_at FROM ledger_epoch ORDER BY number
"""
_OPENINGS: Final = """
    SELECT l.epoch, e.header FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry
    WHERE l.epoch = ANY(%s) AND l.index = 0
"""
_SUSPENDED: Final = """
    SELECT epoch_id, found FROM ledger_suspension
    WHERE epoch_id = (SELECT max(number) FROM ledger_epoch)
"""
_CHAIN: Final = """
    SELECT e.entry_id, e.seq, e.prev_hash, sha256('\\x00'::bytea || e.header), l.epoch, l.index
    FROM ledger_entry e LEFT JOIN ledger_leaf l ON l.entry = e.id
    WHERE e.stream = %s AND e.writer = %s AND e.seq BETWEEN %s AND %s ORDER BY e.seq
"""
_PLACE: Final = """
    SELECT l.epoch, l.index FROM ledger_entry e JOIN ledger_leaf l ON l.entry = e.id
    WHERE e.entry_id = %s
"""

_UNWITNESSED: Final = """
    SELECT count(*) FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry
    WHERE l.epoch = %s AND l.index >= %s AND e.recorded_at < %s
"""
# How long what was recorded may go without a place and a witness before that is said.
PATIENCE: Final = 60.0

Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Audit:
    """What came of it."""

    chains: Verdict
    trees: tuple[TreeSeen, ...]
    findings: tuple[Found, ...]
    bad: int
    unsequenced: int
    keys_opened: int
    diverged: tuple[str, ...]
    incomplete: tuple[str, ...]

    @property
    def word(self) -> str:
        if self.diverged:
            return "diverged"
        if self.bad:
            return "invalid"
        return "incomplete" if self.incomplete else "valid"

    @property
    def first(self) -> Found | None:
        return self.findings[0] if self.findings else None


def audit(
    trust: Trust, progress: Progress = lambda what, count: None, *, patience: float = PATIENCE
) -> Audit:
    """Check everything that is recorded. Raises: LedgerUnreadable."""
    counted, before = [0], clock.now() - timedelta(seconds=patience)

    def entries(count: int) -> None:
        counted[0] = count
        progress("entries", count)

    with reading(lambda: counted[0]):
        connection = _raw()
        verdict = verify_all(entries)
        findings = Findings()
        for number, found in enumerate(verdict.findings):
            findings.add(_placed(connection, found, number))
        findings.bad += verdict.bad - len(verdict.findings)
        epochs = [
            EpochRow(row[0], row[1], bytes(row[2]), *row[3:])
            for row in connection.execute(_EPOCHS).fetchall()
        ]
        asked = frozenset(Checkpoint.parse(note.text).size for note in trust.since)
        trees = tuple(
            TreeAudit(connection, epoch, trust, findings, asked).run(
                lambda count: progress("leaves", count)
            )
            for epoch in epochs
        )
        check_epochs(epochs, trees, trust, findings, _openings(connection, epochs))
        unsequenced, late = loose.count_unsequenced(connection, findings, before)
        incomplete = [*_unproven(connection, trust, trees, late, before)]
        loose.check_keys(connection, findings)
        loose.check_artifacts(connection, findings)
        opened = loose.check_wrapping(findings, connection)
        diverged = [wrong for note in trust.since if (wrong := _since(note, trust, trees))]
        diverged += [
            f"epoch {epoch} is suspended: {found}"
            for epoch, found in connection.execute(_SUSPENDED).fetchall()
        ]
    return Audit(
        verdict, trees, findings.ordered(), findings.bad, unsequenced, opened,
        tuple(diverged), tuple(incomplete),
    )  # fmt: skip


def _unproven(
    connection: psycopg.Connection[Any],
    trust: Trust,
    trees: tuple[TreeSeen, ...],
    late: int,
    before: datetime,
) -> Iterator[str]:
    """Say what no signature or no witness vouches for, though there was time enough.

    Where an older epoch ended is recorded in the one after it, so only the newest is asked.
    """
    if trees and not trust.keys:
        yield "no public key of the log is at hand"
    if trust.keys and late:
        yield f"{late} entries have no place in a tree: is the sequencer running?"
    if trees and trust.witnesses:
        newest = trees[-1]
        asked = [newest.number, newest.witnessed, before]
        row = connection.execute(_UNWITNESSED, asked).fetchone()
        if row is not None and row[0]:
            yield f"{row[0]} entries lie in no tree that a witness cosigned"


def _raw() -> psycopg.Connection[Any]:
    django_connection.ensure_connection()
    raw: psycopg.Connection[Any] | None = django_connection.connection
    if raw is None:
        raise RuntimeError("there is no connection")
    return raw


def _placed(connection: psycopg.Connection[Any], found: Finding, number: int) -> Found:
    """Give a chain's finding its index; where a link is broken, name the entry that was altered."""
    named = Found(
        found.wrong, None, None, None, found.entry_id, found.stream, found.writer, found.seq, number
    )
    if found.wrong == MISFITS:
        rows = connection.execute(
            _CHAIN, [found.stream, found.writer, found.seq - 1, found.seq + 1]
        ).fetchall()
        if [row[1] for row in rows] == [found.seq - 1, found.seq, found.seq + 1]:
            before, here, after = rows
            if bytes(after[2]) == bytes(here[3]):  # what follows vouches for this one
                wrong = "its leaf hash is not what the entry after it in its chain says"
                return replace(
                    named, wrong=wrong, entry_id=before[0], seq=before[1], epoch=before[4],
                    index=before[5],
                )  # fmt: skip
    row = connection.execute(_PLACE, [found.entry_id]).fetchone() if found.entry_id else None
    return named if row is None else replace(named, epoch=row[0], index=row[1])


def _openings(
    connection: psycopg.Connection[Any], epochs: list[EpochRow]
) -> dict[int, Mapping[str, Fact]]:
    """Return what the first leaf of each further epoch says of its opening."""
    found: dict[int, Mapping[str, Fact]] = {}
    numbers = [epoch.number for epoch in epochs[1:]]
    for number, header in connection.execute(_OPENINGS, [numbers]).fetchall():
        with suppress(HeaderInvalid):
            read = read_header(bytes(header))
            if read.verb == Verb.EPOCH_OPENED:
                found[number] = read.facts
    return found


def _since(note: SignedNote, trust: Trust, trees: tuple[TreeSeen, ...]) -> str:
    """Say how a note that was kept contradicts the tree; nothing when it begins it."""
    kept = Checkpoint.parse(note.text)
    for key in trust.log_keys(kept.origin):
        try:
            note.verify(key)
            break
        except NoteInvalid:
            continue
    else:
        return f"the note kept from {kept.origin} is not signed with the log's key"
    tree = next((tree for tree in trees if tree.origin == kept.origin), None)
    if tree is None:
        return f"the note kept is of {kept.origin}, which this ledger does not have"
    if tree.size < kept.size:
        return (
            f"the note kept counts {kept.size} entries, and the tree has {tree.size}:"
            f" what came from index {tree.size} on is gone"
        )
    if tree.roots.get(kept.size) != kept.root:
        return (
            f"the note kept at {kept.size} does not begin this tree: an entry before index"
            f" {kept.size} is another than it was"
        )
    return ""
