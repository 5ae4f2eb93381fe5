"""Signing what is committed, and telling everybody who waits for it.

A checkpoint is signed when its row is durable, and never before: what a crash left unsigned
is read back and signed then. The signature has no chance in it, so the same row gives the
same note whoever signs it and however often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from ledger.levels import CHANNEL, Announced, Level
from ledger.sequencing.crashing import CrashPoint, crash
from ledger.sequencing.epochs import TreeEpoch
from ledger.sequencing.keys import SigningKey
from ledger.transparency.checkpoints import Checkpoint
from ledger.transparency.notes import SignatureLine, SignedNote

_UNSIGNED = (
    "SELECT size, root FROM ledger_checkpoint c WHERE epoch = %s AND NOT EXISTS"
    " (SELECT FROM ledger_checkpointsignature s"
    " WHERE s.epoch = c.epoch AND s.size = c.size AND s.signer = %s) ORDER BY size"
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint with the log's own signature."""

    epoch: int
    checkpoint: Checkpoint
    note: SignedNote


def sign_checkpoint(
    connection: psycopg.Connection[Any],
    epoch: TreeEpoch,
    key: SigningKey,
    *,
    size: int,
    root: bytes,
) -> Signed:
    """Sign a committed checkpoint, keep the line and announce it."""
    checkpoint = Checkpoint(epoch.origin, size, root)
    line = key.sign(checkpoint.text, epoch.origin)
    crash(CrashPoint.SIGNED)
    with connection.transaction():
        keep_line(connection, Announced(epoch.number, size, Level.SIGNED), line)
        crash(CrashPoint.SIGNATURE_WRITTEN)
    crash(CrashPoint.PUBLISHED)
    return Signed(epoch.number, checkpoint, SignedNote(checkpoint.text, (line,)))


def sign_what_is_unsigned(
    connection: psycopg.Connection[Any], epoch: TreeEpoch, key: SigningKey
) -> int:
    """Sign what a crash left between commit and signature; return how many."""
    found = connection.execute(_UNSIGNED, [epoch.number, epoch.origin]).fetchall()
    for size, root in found:
        sign_checkpoint(connection, epoch, key, size=size, root=bytes(root))
    return len(found)


def keep_line(
    connection: psycopg.Connection[Any], announced: Announced, line: SignatureLine
) -> None:
    """Keep a line under a checkpoint and announce it, in the surrounding transaction."""
    connection.execute(
        "INSERT INTO ledger_checkpointsignature"
        " (epoch, size, signer, is_witness, line, signed_at)"
        " VALUES (%s, %s, %s, %s, %s, now()) ON CONFLICT DO NOTHING",
        [
            announced.epoch,
            announced.size,
            line.name,
            announced.level is Level.WITNESSED,
            str(line),
        ],
    )
    announce(connection, announced)


def announce(connection: psycopg.Connection[Any], announced: Announced) -> None:
    """Tell who waits, when the surrounding transaction commits."""
    connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(announced)])


def cosigners(connection: psycopg.Connection[Any], epoch: int) -> frozenset[str]:
    """Return the names of the witnesses whose lines are kept under an epoch's checkpoints."""
    rows = connection.execute(
        "SELECT DISTINCT signer FROM ledger_checkpointsignature WHERE epoch = %s AND is_witness",
        [epoch],
    )
    return frozenset(name for (name,) in rows)
