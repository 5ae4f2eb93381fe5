"""The sequencer: one step takes what is decided, grows the tree, commits it, then signs it.

Owns the state between two steps, which is nothing that the database does not say: it is
read back at the start and whenever an epoch is opened, and must lead to the root that was
committed last. Whoever steps holds the sequencer's lock on the same connection (`alone`);
when that connection is lost so is the lock, and this object with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg
import structlog
from psycopg import sql

from ledger.levels import Announced, Level
from ledger.sequencing.crashing import CrashPoint, crash
from ledger.sequencing.epochs import (
    CannotSequence,
    TreeEpoch,
    newest_epoch,
    open_first_epoch,
    share_epoch,
)
from ledger.sequencing.keys import SigningKey
from ledger.sequencing.order import HORIZON, START, Batch, Order, Place
from ledger.sequencing.signing import (
    Signed,
    announce,
    cosigners,
    sign_checkpoint,
    sign_what_is_unsigned,
)
from ledger.sequencing.stored import StoredTiles
from ledger.sequencing.tree import GrowingTree
from ledger.sequencing.witnesses import Offer
from ledger.sequencing.writing import write_checkpoint, write_leaves, write_tiles
from ledger.transparency.checkpoints import Checkpoint
from ledger.transparency.notes import SignedNote
from ledger.transparency.tiles import TileInvalid

BATCH: Final = 1_000

logger = structlog.get_logger("unsprawl.sequencer")


@dataclass(frozen=True, slots=True)
class Stepped:
    """What one step did: how many entries got their place, and the note over them."""

    entries: int = 0
    signed: Signed | None = None


@dataclass(slots=True)
class _Growing:
    epoch: TreeEpoch
    order: Order
    tree: GrowingTree
    place: Place
    has_unsigned: bool = True


class Sequencer:
    """Grows the tree of the newest epoch over one connection, which is in autocommit."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        key: SigningKey,
        *,
        host: str,
        horizon: sql.SQL = HORIZON,
    ) -> None:
        self._connection = connection
        self._key = key
        self._host = host
        self._horizon = horizon
        self._growing: _Growing | None = None

    @property
    def epoch(self) -> TreeEpoch | None:
        return self._growing.epoch if self._growing is not None else None

    @property
    def place(self) -> Place | None:
        return self._growing.place if self._growing is not None else None

    def offer(self) -> Offer | None:
        """Return the tree as it is for the witnesses to compare; None before the first epoch.

        Raises: CannotSequence, psycopg.Error.
        """
        connection = self._connection
        epoch = newest_epoch(connection)
        if epoch is None or epoch.is_suspended:
            return None
        self._growing = growing = _restored(connection, epoch, self._key, self._horizon)
        tree = growing.tree
        nodes = StoredTiles(connection, epoch.number).nodes(tree.size)
        cosigned_by = cosigners(connection, epoch.number)
        return Offer(
            epoch.number, epoch.origin, tree.size, tree.root(), nodes, cosigned_by=cosigned_by
        )

    def newest(self) -> Signed | None:
        """Return the note over the tree as it is, once a step has signed it; None over nothing."""
        growing = self._growing
        if growing is None or growing.has_unsigned or not growing.tree.size:
            return None
        origin = growing.epoch.origin
        checkpoint = Checkpoint(origin, growing.tree.size, growing.tree.root())
        line = self._key.sign(checkpoint.text, origin)
        return Signed(growing.epoch.number, checkpoint, SignedNote(checkpoint.text, (line,)))

    def step(self, limit: int = BATCH) -> Stepped:
        """Give up to ``limit`` entries their place; sign what that makes.

        Raises: CannotSequence, psycopg.Error. After either, this object is of no use any more.
        """
        grown = self._grow(limit)
        if grown is None:
            return Stepped()
        growing, batch = grown
        if growing.has_unsigned:
            sign_what_is_unsigned(self._connection, growing.epoch, self._key)
            growing.has_unsigned = False
        if not batch.entries:
            return Stepped()
        crash(CrashPoint.COMMITTED)
        tree = growing.tree
        signed = sign_checkpoint(
            self._connection, growing.epoch, self._key, size=tree.size, root=tree.root()
        )
        return Stepped(len(batch.entries), signed)

    def _grow(self, limit: int) -> tuple[_Growing, Batch] | None:
        """Write and commit one batch. None while nothing may be appended."""
        connection = self._connection
        if self._growing is None and newest_epoch(connection) is None:
            open_first_epoch(connection, self._key, self._host)
            crash(CrashPoint.EPOCH_OPENED)
        with connection.transaction():
            share_epoch(connection)
            epoch = newest_epoch(connection)
            if epoch is None or epoch.is_suspended:
                self._growing = None
                return None
            growing = self._growing
            if growing is None or growing.epoch.number != epoch.number:
                growing = _restored(connection, epoch, self._key, self._horizon)
                crash(CrashPoint.RESTORED)
            batch = growing.order.take(connection, growing.place, growing.tree.size, limit)
            crash(CrashPoint.BATCH_TAKEN)
            tree = _write(connection, growing, batch) if batch.entries else growing.tree
        growing.tree, growing.place, self._growing = tree, batch.end, growing
        return growing, batch


def _write(connection: psycopg.Connection[Any], growing: _Growing, batch: Batch) -> GrowingTree:
    for entry in batch.altered:
        # The tree commits to the header, so every check finds the column; it is said at once.
        logger.error("sequencer.leaf_hash_differs", entry=entry)
    number, tree = growing.epoch.number, growing.tree.copy()
    write_leaves(connection, number, tree.size, batch.entries)
    whole = [made for _, leaf in batch.entries for made in tree.append(leaf)]
    write_tiles(connection, number, whole)
    write_checkpoint(connection, number, tree, batch.end)
    announce(connection, Announced(number, tree.size, Level.SEQUENCED))
    return tree


def _restored(
    connection: psycopg.Connection[Any], epoch: TreeEpoch, key: SigningKey, horizon: sql.SQL
) -> _Growing:
    """Read the edge of an epoch's tree back. Raises: CannotSequence when it does not add up."""
    if not epoch.is_of_this_cluster:
        raise CannotSequence(
            f"epoch {epoch.number} was opened in another database cluster, whose transaction ids"
            " say nothing about order in this one. Open a further epoch: manage.py epoch open"
        )
    if epoch.public_key != key.public:
        raise CannotSequence(
            f"the key in this process is not the one of epoch {epoch.number}. Bring back"
            " ledger.key, or open a further epoch with the new key"
        )
    row = connection.execute(
        "SELECT size, root, xid::text, entry FROM ledger_checkpoint"
        " WHERE epoch = %s ORDER BY size DESC LIMIT 1",
        [epoch.number],
    ).fetchone()
    size, root, place = (0, None, START) if row is None else _read(row)
    tree = _tree_of(connection, epoch, size)
    if root is not None and tree.root() != root:
        raise CannotSequence(
            f"the tiles of epoch {epoch.number} do not lead to the root of its checkpoint at"
            f" {size}: the tree was altered. Run manage.py verify"
        )
    if root is not None:
        _check_signature(connection, epoch, key, Checkpoint(epoch.origin, size, root))
    return _Growing(epoch, Order(epoch, horizon=horizon), tree, place)


def _read(row: tuple[Any, ...]) -> tuple[int, bytes, Place]:
    return row[0], bytes(row[1]), Place(int(row[2]), row[3])


def _tree_of(connection: psycopg.Connection[Any], epoch: TreeEpoch, size: int) -> GrowingTree:
    beyond = connection.execute(
        'SELECT max("index") FROM ledger_leaf WHERE epoch = %s', [epoch.number]
    ).fetchone()
    if beyond is not None and beyond[0] is not None and beyond[0] >= size:
        raise CannotSequence(
            f"epoch {epoch.number} has leaves that no checkpoint covers: the tree was altered."
            " Run manage.py verify"
        )
    try:
        return GrowingTree.restored(size, StoredTiles(connection, epoch.number).read)
    except TileInvalid as error:
        raise CannotSequence(f"{error}: the tree was altered. Run manage.py verify") from None


def _check_signature(
    connection: psycopg.Connection[Any],
    epoch: TreeEpoch,
    key: SigningKey,
    checkpoint: Checkpoint,
) -> None:
    """A root that was signed is the one that is signed again, or it was replaced."""
    row = connection.execute(
        "SELECT line FROM ledger_checkpointsignature"
        " WHERE epoch = %s AND size = %s AND signer = %s",
        [epoch.number, checkpoint.size, epoch.origin],
    ).fetchone()
    if row is not None and row[0] != str(key.sign(checkpoint.text, epoch.origin)):
        raise CannotSequence(
            f"the signature under epoch {epoch.number} at {checkpoint.size} is not over the root"
            " that is stored: the tree was altered. Run manage.py verify"
        )
