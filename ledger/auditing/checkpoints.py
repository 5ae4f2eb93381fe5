"""The checkpoints of one epoch as they are stored: what of each holds, in the order of sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from ledger.auditing.trust import Trust
from ledger.transparency.checkpoints import Checkpoint
from ledger.transparency.notes import (
    ED25519,
    NoteInvalid,
    SignatureLine,
    SignedNote,
    VerifierKey,
)

_STORED = """
    SELECT c.size, c.root, array_agg(s.line ORDER BY s.is_witness, s.signer)
        FILTER (WHERE s.line IS NOT NULL)
    FROM ledger_checkpoint c
    LEFT JOIN ledger_checkpointsignature s ON s.epoch = c.epoch AND s.size = c.size
    WHERE c.epoch = %s GROUP BY c.size, c.root ORDER BY c.size
"""
_UNDER_NOTHING = """
    SELECT s.size, s.signer FROM ledger_checkpointsignature s
    WHERE s.epoch = %s AND NOT EXISTS (
        SELECT FROM ledger_checkpoint c WHERE c.epoch = s.epoch AND c.size = s.size
    ) ORDER BY s.size
"""


@dataclass(frozen=True, slots=True)
class EpochRow:
    """A row of ledger_epoch, as far as an audit needs."""

    number: int
    origin: str
    public_key: bytes
    first_entry: int
    opened_at: Any

    @property
    def key(self) -> VerifierKey:
        return VerifierKey(self.origin, ED25519, self.public_key)


@dataclass(frozen=True, slots=True)
class Stored:
    """One checkpoint: its root, whether the log signed it, when which witness saw it."""

    size: int
    root: bytes
    is_signed: bool
    cosigned: dict[str, int]
    wrong: str = ""


def stored(connection: psycopg.Connection[Any], epoch: EpochRow, trust: Trust) -> Iterator[Stored]:
    """Yield the checkpoints of an epoch, smallest first."""
    with connection.cursor(name="unsprawl_audit_checkpoints") as cursor:
        cursor.execute(_STORED, [epoch.number])
        for size, root, lines in cursor:
            yield _judged(epoch, trust, size, bytes(root), lines or [])


def under_nothing(connection: psycopg.Connection[Any], epoch: EpochRow) -> list[tuple[int, str]]:
    """Return the signatures whose checkpoint is gone: size and signer."""
    return list(connection.execute(_UNDER_NOTHING, [epoch.number]).fetchall())


def _judged(epoch: EpochRow, trust: Trust, size: int, root: bytes, lines: list[str]) -> Stored:
    wrong, cosigned, is_signed = "", dict[str, int](), False
    try:
        text = Checkpoint(epoch.origin, size, root).text
        note = SignedNote(text, tuple(SignatureLine.parse(line.rstrip()) for line in lines))
        if any(line.name == epoch.origin for line in note.signatures):
            note.verify(epoch.key)
            is_signed = True
        for witness in trust.witnesses:
            if note.by(witness):
                cosigned[witness.name] = note.verify(witness) or 0
    except NoteInvalid as error:
        wrong = f"under the checkpoint at {size}: {error}"
    return Stored(size, root, is_signed, cosigned, wrong)
