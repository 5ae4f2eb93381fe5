"""The tiles of a tree as a file states them: whole ones as they are kept, partial ones made.

A tile has the width it has in the tree of the file's checkpoint, so one that is whole by
now may be cut to what that tree held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from ledger.exports.planning import Database
from ledger.transparency.merkle import HASH_BYTES
from ledger.transparency.tiles import HEIGHT, WIDTH, Tile, subtree_root, width_at

_AT_ONCE: Final = 64
_WHOLE: Final = """
    SELECT index, hashes FROM ledger_tile WHERE epoch = %s AND level = %s AND index = ANY(%s)
"""
_LEAVES: Final = """
    SELECT leaf_hash FROM ledger_leaf WHERE epoch = %s AND index >= %s ORDER BY index LIMIT %s
"""


class TreeIncomplete(RuntimeError):
    """Raised when a tree lacks nodes below its own checkpoint: evidence is missing."""


def levels_of(size: int) -> Iterator[int]:
    """Yield the levels of tiles that a tree of this size has."""
    level = 0
    while size >> (HEIGHT * level):
        yield level
        level += 1


def tiles(
    database: Database, epoch: int, size: int, level: int, numbers: Iterable[int]
) -> Iterator[tuple[Tile, bytes]]:
    """Yield tiles of one level with their hashes. Raises: TreeIncomplete."""
    named = iter(numbers)
    while batch := list(islice(named, _AT_ONCE)):
        kept = _whole(database, epoch, level, batch)
        for number in batch:
            width = width_at(level, number, size)
            if not width:
                continue
            tile = Tile(level, number, width)
            hashes = kept.get(number, b"")[: width * HASH_BYTES]
            yield tile, hashes or _made(database, epoch, tile)


def _whole(database: Database, epoch: int, level: int, numbers: list[int]) -> dict[int, bytes]:
    rows = database.execute(_WHOLE, [epoch, level, numbers]).fetchall()
    return {number: bytes(hashes) for number, hashes in rows}


def _made(database: Database, epoch: int, tile: Tile) -> bytes:
    first = tile.number * WIDTH
    if tile.level == 0:
        rows = database.execute(_LEAVES, [epoch, first, tile.width]).fetchall()
        hashes = [bytes(leaf) for (leaf,) in rows]
    else:
        below = _whole(database, epoch, tile.level - 1, list(range(first, first + tile.width)))
        hashes = [_root(below[number]) for number in sorted(below)]
    if len(hashes) != tile.width:
        raise TreeIncomplete(f"epoch {epoch}: {tile.path} cannot be made from what is kept")
    return b"".join(hashes)


def _root(hashes: bytes) -> bytes:
    return subtree_root([hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)])
