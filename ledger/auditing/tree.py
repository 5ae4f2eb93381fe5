"""One epoch's tree, grown again from its leaves: entries, order, tiles, checkpoints, times.

Leaves are read in their order through a server-side cursor; what is kept is the tree's edge
and one unfinished tile a level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import psycopg

from ledger.auditing.checkpoints import EpochRow, Stored, stored, under_nothing
from ledger.auditing.findings import Findings, Found
from ledger.auditing.trust import EARLY_SECONDS, LATE_SECONDS, Trust
from ledger.transparency.merkle import HASH_BYTES, Frontier
from ledger.transparency.tiles import WIDTH, subtree_root

_LEAVES: Final = """
    SELECT l.index, l.leaf_hash, l.entry, e.entry_id, e.stream, e.writer, e.seq, e.xid::text,
           e.recorded_at, sha256('\\x00'::bytea || e.header)
    FROM ledger_leaf l LEFT JOIN ledger_entry e ON e.id = l.entry
    WHERE l.epoch = %s ORDER BY l.index
"""
_TILES: Final = """
    SELECT level, index, hashes FROM ledger_tile WHERE epoch = %s AND level = %s AND index = %s
"""
_BEYOND: Final = "SELECT level, index FROM ledger_tile WHERE epoch = %s ORDER BY level, index"
_CURSOR: Final = """
    SELECT xid::text, entry, size FROM ledger_checkpoint WHERE epoch = %s ORDER BY size DESC LIMIT 1
"""

Progress = Callable[[int], None]


class LeafRow(NamedTuple):
    """A leaf, and the entry that lies where it points; None for each part where none does."""

    at: int
    leaf_hash: bytes
    entry: int
    entry_id: str | None
    stream: str | None
    writer: str | None
    seq: int | None
    xid: str | None
    recorded_at: datetime | None
    hashed: bytes | None


@dataclass(slots=True)
class TreeSeen:
    """What came of one epoch."""

    number: int
    origin: str
    size: int = 0
    proven: int = 0
    witnessed: int = 0
    witnesses: tuple[str, ...] = ()
    checkpoints: int = 0
    unsigned: int = 0
    roots: dict[int, bytes] = field(default_factory=dict)
    root: str = ""


class TreeAudit:
    """One pass over one epoch."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        epoch: EpochRow,
        trust: Trust,
        findings: Findings,
        asked: frozenset[int],
    ) -> None:
        self._connection = connection
        self._epoch = epoch
        self._trust = trust
        self._findings = findings
        self._asked = asked
        self.seen = TreeSeen(epoch.number, epoch.origin)
        self._frontier = Frontier()
        self._rows: list[list[bytes]] = [[]]
        self._is_broken = False  # a leaf is gone: what follows cannot be led to a root
        self._last: tuple[int, int, int] = (-1, -1, -1)
        self._is_backlog_over = False
        self._bounds: list[tuple[int, datetime]] = []

    def run(self, progress: Progress) -> TreeSeen:
        """Check it all."""
        checkpoints = list(stored(self._connection, self._epoch, self._trust))
        self._bounds = [
            (one.size, datetime.fromtimestamp(min(one.cosigned.values()), UTC))
            for one in checkpoints
            if one.cosigned and not one.wrong
        ]
        due = iter(checkpoints)
        checkpoint = next(due, None)
        self._opened = self._opening()
        for row in self._leaves():
            self._leaf(row)
            if row.at % 5000 == 0:
                progress(row.at)
            if self._frontier.size in self._asked and not self._is_broken:
                self.seen.roots[self._frontier.size] = self._frontier.root()
            while checkpoint is not None and checkpoint.size <= row.at + 1:
                self._checkpoint(checkpoint)
                checkpoint = next(due, None)
        while checkpoint is not None:
            self._lost(checkpoint)
            checkpoint = next(due, None)
        self._end()
        return self.seen

    def _opening(self) -> Any:
        """Return when the epoch was opened, which nobody signs: not after a witness saw it."""
        opened = self._epoch.opened_at
        if not self._bounds:
            return opened
        latest = self._bounds[0][1] + timedelta(seconds=EARLY_SECONDS)
        if opened > latest:
            wrong = f"epoch {self._epoch.number} says it was opened after a witness saw its tree"
            self._stretch(wrong, 0, self._bounds[0][0])
        return min(opened, latest)

    def _leaves(self) -> Iterator[LeafRow]:
        with self._connection.cursor(name="unsprawl_audit_leaves") as cursor:
            cursor.itersize = 2000
            cursor.execute(_LEAVES, [self._epoch.number])
            for row in cursor:
                yield LeafRow(*row)

    def _note(self, wrong: str, row: LeafRow) -> None:
        self._findings.add(
            Found(
                wrong, self._epoch.number, row.at, None, row.entry_id or "", row.stream or "",
                row.writer or "", row.seq or 0,
            )
        )  # fmt: skip

    def _stretch(self, wrong: str, start: int, until: int) -> None:
        exact = None if until == start + 1 else until
        self._findings.add(Found(wrong, self._epoch.number, start, exact))

    def _leaf(self, row: LeafRow) -> None:
        due = self.seen.size
        if row.at > due:
            self._stretch("the leaves of this place are gone", due, row.at)
            self._is_broken = True
        self.seen.size = row.at + 1
        if row.hashed is None:
            self._note("the entry that was sequenced here is gone", row)
        else:
            if row.hashed != row.leaf_hash:
                self._note("its header is not the one that was sequenced here", row)
            self._in_order(row)
            self._in_time(row)
        if not self._is_broken:
            self._frontier.append(row.leaf_hash)
            self._grow(0, row.leaf_hash)

    def _in_order(self, row: LeafRow) -> None:
        number, first = self._epoch.number, self._epoch.first_entry
        if number > 1 and row.at == 0:
            return  # the opening itself
        xid = int(row.xid or 0) if number == 1 or row.entry >= first else -1
        place = (xid, row.entry, row.at)
        if place[:2] <= self._last[:2]:
            self._note("it does not come after the entry before it in the order of commits", row)
        self._last = max(self._last, place)

    def _in_time(self, row: LeafRow) -> None:
        at = row.recorded_at
        if at is None or not self._bounds:
            return
        while self._bounds and self._bounds[0][0] <= row.at:
            self._earliest = self._bounds.pop(0)[1] - timedelta(seconds=LATE_SECONDS)
        if self._bounds and at > self._bounds[0][1] + timedelta(seconds=EARLY_SECONDS):
            self._note("it says a time after the one at which a witness saw it", row)
        opened = self._opened  # what lay there before came first, however old
        if at < self._earliest and (at >= opened or self._is_backlog_over):
            self._note("it says a time long before its place in the tree", row)
        self._is_backlog_over = self._is_backlog_over or at > opened

    _earliest = datetime.min.replace(tzinfo=UTC)

    def _grow(self, level: int, hashed: bytes) -> None:
        """Fill the tile at the edge; when it is whole, compare it with the one that is kept."""
        if level == len(self._rows):
            self._rows.append([])
        row = self._rows[level]
        row.append(hashed)
        if len(row) < WIDTH:
            return
        self._rows[level] = []
        number = (self.seen.size >> (8 * level + 8)) - 1
        kept = self._connection.execute(_TILES, [self._epoch.number, level, number]).fetchone()
        self._compare(level, number, row, None if kept is None else bytes(kept[2]))
        self._grow(level + 1, subtree_root(row))

    def _compare(self, level: int, number: int, row: list[bytes], kept: bytes | None) -> None:
        start, width = (number * WIDTH) << (8 * level), 1 << (8 * level)
        name = f"tile/{level}/{number}"
        if kept is None or len(kept) != WIDTH * HASH_BYTES:
            wrong = "is gone" if kept is None else "has another length"
            self._stretch(f"{name} {wrong}", start, start + WIDTH * width)
            return
        for at, hashed in enumerate(row):
            if kept[at * HASH_BYTES : (at + 1) * HASH_BYTES] != hashed:
                first = start + at * width
                self._stretch(f"{name} holds another hash than the leaves", first, first + width)

    def _checkpoint(self, checkpoint: Stored) -> None:
        size, seen = checkpoint.size, self.seen
        seen.checkpoints += 1
        if self._is_broken:
            return
        if size == self._frontier.size and checkpoint.root != self._frontier.root():
            if not self._has_left:  # once the root is another, so is every later one
                wrong = f"the tree does not lead to the root of the checkpoint at {size}"
                self._stretch(wrong, seen.proven, max(size, seen.proven + 1))
            self._has_left = True
        elif checkpoint.wrong:
            self._unbelieved = self._unbelieved or (seen.proven, checkpoint.wrong)
        elif not checkpoint.is_signed:
            seen.unsigned += 1
        else:
            self._say_unbelieved(size)
            seen.proven = size
            if checkpoint.cosigned:
                seen.witnessed = size
                seen.witnesses = tuple(sorted({*seen.witnesses, *checkpoint.cosigned}))

    def _say_unbelieved(self, until: int) -> None:
        """A signature that does not hold says nothing of the entries: it is one finding."""
        if self._unbelieved is not None:
            start, wrong = self._unbelieved
            self._stretch(wrong, start, max(until, start + 1))
            self._unbelieved = None

    _has_left = False
    _unbelieved: tuple[int, str] | None = None

    def _lost(self, checkpoint: Stored) -> None:
        self.seen.checkpoints += 1
        wrong = f"the checkpoint at {checkpoint.size} counts more entries than the tree has"
        self._stretch(wrong, self.seen.size, max(checkpoint.size, self.seen.size + 1))

    def _end(self) -> None:
        size, number = self.seen.size, self._epoch.number
        self._say_unbelieved(size)
        self.seen.root = self._frontier.root().hex()
        newest = self._connection.execute(_CURSOR, [number]).fetchone()
        counted = newest[2] if newest else 0
        if counted < size:
            self._stretch("no checkpoint counts the leaves from here on", counted, size)
        for at, signer in under_nothing(self._connection, self._epoch):
            wrong = f"{signer} signed a checkpoint at {at} that is gone"
            self._stretch(wrong, min(at, size), max(at, min(at, size) + 1))
        for level, index in self._connection.execute(_BEYOND, [number]).fetchall():
            if (index + 1) << (8 * level + 8) > size:
                self._stretch(f"tile/{level}/{index} holds more than the tree", size, size + 1)
