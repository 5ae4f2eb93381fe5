"""Whether this database still holds what was witnessed, asked before anything is appended.

A restored backup looks sound from the inside. Only somebody outside knows that there was
more, so the newest checkpoint is compared with what each witness has seen, and where they
differ the epoch is suspended: the row says what was found, and only a further epoch ends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from ledger.sequencing.epochs import TreeEpoch, newest_epoch, suspend
from ledger.sequencing.signing import cosigners
from ledger.sequencing.stored import StoredTiles
from ledger.sequencing.witnesses import Diverged, Offer, Unreachable, Witnesses
from ledger.transparency.merkle import EMPTY_ROOT
from ledger.transparency.tiles import TileInvalid


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of it: ``found`` when the epoch is suspended, ``silent`` when nobody answered."""

    epoch: TreeEpoch | None = None
    found: str = ""
    silent: str = ""


def offer_of(connection: psycopg.Connection[Any], epoch: TreeEpoch) -> Offer:
    """Return an epoch's tree as far as it is committed."""
    row = connection.execute(
        "SELECT size, root FROM ledger_checkpoint WHERE epoch = %s ORDER BY size DESC LIMIT 1",
        [epoch.number],
    ).fetchone()
    size, root = (0, EMPTY_ROOT) if row is None else (row[0], bytes(row[1]))
    nodes = StoredTiles(connection, epoch.number).nodes(size)
    cosigned_by = cosigners(connection, epoch.number)
    return Offer(epoch.number, epoch.origin, size, root, nodes, cosigned_by=cosigned_by)


def compare(connection: psycopg.Connection[Any], witnesses: Witnesses) -> Compared:
    """Ask the witnesses about the newest epoch; suspend it where they saw another tree."""
    epoch = newest_epoch(connection)
    if epoch is None:
        return Compared()
    if epoch.is_suspended:
        return Compared(epoch, found=_why(connection, epoch.number))
    try:
        witnesses.compare(offer_of(connection, epoch))
    except Unreachable as error:
        return Compared(epoch, silent=str(error))
    except (Diverged, TileInvalid) as error:
        suspend(connection, epoch.number, str(error))
        return Compared(epoch, found=str(error))
    return Compared(epoch)


def confirmed(
    connection: psycopg.Connection[Any], witnesses: Witnesses, offer: Offer, found: str
) -> str:
    """Say what differs now that a witness contradicts an offer; nothing when the offer was old.

    A witness that knows more than an old note is no fork. So where the database has gone on,
    what it holds now is compared. Raises: Unreachable.
    """
    epoch = newest_epoch(connection)
    if epoch is None:
        return found
    newest = offer_of(connection, epoch)
    if (newest.epoch, newest.size, newest.root) == (offer.epoch, offer.size, offer.root):
        return found
    try:
        witnesses.compare(newest)
    except Diverged as differs:
        return str(differs)
    return ""


def _why(connection: psycopg.Connection[Any], epoch: int) -> str:
    row = connection.execute(
        "SELECT found FROM ledger_suspension WHERE epoch_id = %s", [epoch]
    ).fetchone()
    return str(row[0]) if row else ""
