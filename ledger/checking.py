"""What makes a log sound, entry by entry. No Django, no database: it is told what was found.

Entries come in the order of their chains (stream, writer, seq). Memory does not grow with
the log: one chain's end and one stream's unanswered intents are all that is kept. After a
finding the check goes on from the entry as it lies there, so one change is one finding,
and the first finding is the first in that order even when it shows later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from ledger.entries import GENESIS, PayloadDigest, leaf_hash
from ledger.headers import Header, HeaderInvalid, read_header

FINDINGS_KEPT: Final = 100
MISFITS: Final = "its prev is not the leaf hash of the entry before it"


class StoredEntry(NamedTuple):
    """A row of ledger_entry: the header, and the columns that were extracted from it."""

    entry_id: str
    stream: str
    writer: str
    seq: int
    prev_hash: bytes
    header: bytes
    leaf_hash: bytes
    kind: str
    verb: str
    actor: str
    subject: str
    agent_id: str
    intent_id: str | None
    recorded_at: datetime


class StoredPayload(NamedTuple):
    """A row of ledger_payload with the digest of its bytes, and whether its key has a row."""

    entry_id: str
    recorded_at: datetime
    dek_id: str
    ciphertext_sha256: str
    has_key: bool


# The columns that repeat a field of the header under the same name.
_REPEATED: Final = (
    "entry_id", "stream", "writer", "seq", "prev_hash", "kind", "verb", "actor", "subject",
    "agent_id", "intent_id", "recorded_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and the entry it was found at."""

    stream: str
    writer: str
    seq: int
    entry_id: str
    wrong: str

    def __str__(self) -> str:
        return (
            f"entry {self.entry_id or '(missing)'} in stream {self.stream}, writer {self.writer}, "
            f"seq {self.seq}: {self.wrong}"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a whole log or export found."""

    entries: int
    chains: int
    payloads: int
    absent: int
    open_intents: int
    bad: int
    findings: tuple[Finding, ...]

    @property
    def is_valid(self) -> bool:
        return self.bad == 0

    @property
    def first(self) -> Finding | None:
        return self.findings[0] if self.findings else None


@dataclass(slots=True)
class _Chain:
    stream: str = ""
    writer: str = ""
    seq: int = 0
    leaf: bytes = GENESIS

    def step(self, row: StoredEntry) -> str:
        """Move on to an entry; return what is wrong with where it stands."""
        begins = (row.stream, row.writer) != (self.stream, self.writer)
        expected = 1 if begins else self.seq + 1
        before = GENESIS if begins else self.leaf
        self.stream, self.writer, self.seq = row.stream, row.writer, row.seq
        self.leaf = leaf_hash(row.header)
        if row.seq != expected:
            place = "begins" if begins else f"goes on after seq {expected - 1}"
            return f"its chain {place} with seq {row.seq}: entries before it are missing"
        if row.prev_hash != before:
            return MISFITS
        return ""


@dataclass(slots=True)
class Checker:
    """The state of one pass over a log."""

    entries: int = 0
    chains: int = 0
    payloads: int = 0
    absent: int = 0
    open_intents: int = 0
    bad: int = 0
    _found: list[tuple[int, Finding]] = field(default_factory=list)
    _chain: _Chain = field(default_factory=_Chain)
    _unanswered: set[str] = field(default_factory=set)
    _early: dict[str, tuple[int, Finding]] = field(default_factory=dict)

    def entry(self, row: StoredEntry) -> Header | None:
        """Check the next entry; return its header when the bytes are one."""
        if row.stream != self._chain.stream:
            self._end_stream()
        if (row.stream, row.writer) != (self._chain.stream, self._chain.writer):
            self.chains += 1
        self.entries += 1
        misplaced = self._chain.step(row)
        try:
            header = read_header(row.header)
        except HeaderInvalid as error:
            self._note(row, str(error))
            return None
        wrong = _difference(row, header) or misplaced
        if wrong:
            self._note(row, wrong)
        self._pair(row, header)
        return header

    def payload(
        self,
        row: StoredEntry,
        header: Header,
        stored: Sequence[StoredPayload],
        is_destroyed: Callable[[str], bool],
    ) -> None:
        """Check what lies beside an entry against what its header says of it.

        A payload is dropped with its month when every key of that is destroyed, and never before.
        """
        if header.payload is None:
            if stored:
                self._note(row, "a payload lies beside it, and it names none")
            return
        if not stored:
            self.absent += 1
            if not is_destroyed(header.payload.dek_id):
                self._note(row, "its payload is gone, and its data key was never destroyed")
            return
        self.payloads += 1
        for found in stored:
            if wrong := _mismatch(found, header, header.payload):
                self._note(row, wrong)

    def note(self, finding: Finding) -> None:
        """Add what was found after the entries so far, and at none of them."""
        self._add(self.entries + 1, finding)

    def verdict(self) -> Verdict:
        """End the pass."""
        self._end_stream()
        self._found.sort(key=lambda numbered: numbered[0])
        return Verdict(
            self.entries,
            self.chains,
            self.payloads,
            self.absent,
            self.open_intents,
            self.bad,
            tuple(finding for _, finding in self._found),
        )

    def _pair(self, row: StoredEntry, header: Header) -> None:
        if header.kind == "intent":
            if self._early.pop(header.entry_id, None) is None:
                self._unanswered.add(header.entry_id)
        elif header.kind == "result" and header.intent_id is not None:
            if header.intent_id in self._unanswered:
                self._unanswered.remove(header.intent_id)
                return
            # Another writer's chain in this stream may still hold the intent.
            finding = _at(row, "it answers no open intent of its stream")
            if previous := self._early.pop(header.intent_id, None):
                self._add(*previous)
            self._early[header.intent_id] = (self.entries, finding)

    def _end_stream(self) -> None:
        for ordinal, finding in self._early.values():
            self._add(ordinal, finding)
        self.open_intents += len(self._unanswered)
        self._early.clear()
        self._unanswered.clear()

    def _note(self, row: StoredEntry, wrong: str) -> None:
        self._add(self.entries, _at(row, wrong))

    def _add(self, ordinal: int, finding: Finding) -> None:
        self.bad += 1
        self._found.append((ordinal, finding))
        if len(self._found) > FINDINGS_KEPT:
            self._found.remove(max(self._found, key=lambda numbered: numbered[0]))


def _difference(row: StoredEntry, header: Header) -> str:
    for name in _REPEATED:
        if getattr(row, name) != getattr(header, name):
            return f"its column {name} is not what its header says"
    if row.leaf_hash != leaf_hash(row.header):
        return "its leaf hash is not the hash of its header"
    return ""


def _mismatch(found: StoredPayload, header: Header, digest: PayloadDigest) -> str:
    if found.recorded_at != header.recorded_at:
        return "its payload carries another time"
    if found.dek_id != digest.dek_id:
        return "its payload names another data key"
    if found.ciphertext_sha256 != digest.ciphertext_sha256:
        return "its payload's ciphertext has another digest"
    return "" if found.has_key else "its payload's data key has no row"


def _at(row: StoredEntry, wrong: str) -> Finding:
    return Finding(row.stream, row.writer, row.seq, row.entry_id, wrong)
