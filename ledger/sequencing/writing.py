"""Writing a batch: leaves, whole tiles and the checkpoint, in the transaction it is given.

Leaves go by COPY, encoded here: at ten thousand a batch the driver's general way would cost
more than the tree does.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

import psycopg

from ledger.sequencing.crashing import CrashPoint, crash
from ledger.sequencing.order import Place, Taken
from ledger.sequencing.tree import GrowingTree
from ledger.transparency.tiles import Tile

_COPY: Final = 'COPY ledger_leaf (epoch, "index", entry, leaf_hash) FROM STDIN (FORMAT BINARY)'
_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL: Final = b"\xff\xff"
_ROW: Final = struct.Struct(">hiiiqiqi32s")


def write_leaves(
    connection: psycopg.Connection[Any], epoch: int, first: int, taken: Sequence[Taken]
) -> None:
    """Give entries their places, from ``first`` on."""
    rows = b"".join(
        _ROW.pack(4, 4, epoch, 8, index, 8, entry, 32, leaf)
        for index, (entry, leaf) in enumerate(taken, first)
    )
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write(_HEAD + rows + _TAIL)
    crash(CrashPoint.LEAVES_WRITTEN)


def write_tiles(
    connection: psycopg.Connection[Any], epoch: int, whole: Sequence[tuple[Tile, bytes]]
) -> None:
    """Keep the tiles that a batch made whole."""
    with connection.cursor() as cursor:
        cursor.executemany(
            'INSERT INTO ledger_tile (epoch, level, "index", hashes) VALUES (%s, %s, %s, %s)',
            [(epoch, tile.level, tile.number, hashes) for tile, hashes in whole],
        )
    crash(CrashPoint.TILES_WRITTEN)


def write_checkpoint(
    connection: psycopg.Connection[Any], epoch: int, tree: GrowingTree, end: Place
) -> None:
    """Keep what the tree is after a batch, for whoever goes on from there."""
    connection.execute(
        "INSERT INTO ledger_checkpoint (epoch, size, root, xid, entry, sequenced_at)"
        " VALUES (%s, %s, %s, %s::text::xid8, %s, now())",
        [epoch, tree.size, tree.root(), str(end.xid), end.entry],
    )
    crash(CrashPoint.CHECKPOINT_WRITTEN)
