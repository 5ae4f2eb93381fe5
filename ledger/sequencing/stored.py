"""Reading a tree where it is kept: whole tiles as they lie there, partial ones made.

Owns the way from ``ledger_tile`` and ``ledger_leaf`` to a `ReadTile`. Needs no more than the
right to read these two tables.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg

from ledger.transparency.merkle import HASH_BYTES
from ledger.transparency.tiles import WIDTH, Nodes, Tile, TileInvalid, subtree_root

_WHOLE = (
    'SELECT "index", hashes FROM ledger_tile'
    ' WHERE epoch = %s AND level = %s AND "index" >= %s AND "index" < %s ORDER BY "index"'
)
_LEAVES = (
    'SELECT "index", leaf_hash FROM ledger_leaf'
    ' WHERE epoch = %s AND "index" >= %s AND "index" < %s ORDER BY "index"'
)


# The roots of whole tiles, by level and index: they never change within an epoch.
Roots = dict[tuple[int, int], bytes]
_ROOTS_KEPT: Final = 8_192


class StoredTiles:
    """The tiles of one epoch. Keeps the partial ones it made, so not for a tree that grows.

    Whoever asks again and again about one epoch keeps ``roots`` for it: a partial tile of an
    upper level is else made of up to 255 whole ones each time.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], epoch: int, roots: Roots | None = None
    ) -> None:
        self._connection = connection
        self.epoch = epoch
        self._roots = {} if roots is None else roots
        self._made: dict[Tile, bytes] = {}

    def nodes(self, size: int) -> Nodes:
        """Return what proofs over the tree of this size ask for hashes."""
        return Nodes(size, self.read)

    def read(self, tile: Tile) -> bytes:
        """Return a tile's hashes, joined. Raises: TileInvalid when one is missing."""
        if tile not in self._made:
            self._made[tile] = self._read(tile)
        return self._made[tile]

    def _read(self, tile: Tile) -> bytes:
        if tile.width == WIDTH:
            ((_, hashes),) = self._rows(_WHOLE, tile, tile.level, tile.number, 1)
            return hashes
        first = tile.number * WIDTH
        if tile.level == 0:
            return b"".join(row[1] for row in self._rows(_LEAVES, tile, None, first, tile.width))
        return b"".join(self._roots_below(tile, first))

    def _roots_below(self, tile: Tile, first: int) -> list[bytes]:
        names = [(tile.level - 1, index) for index in range(first, first + tile.width)]
        missing = [index for level, index in names if (level, index) not in self._roots]
        if missing:
            if len(self._roots) > _ROOTS_KEPT:
                self._roots.clear()
                missing = list(range(first, first + tile.width))
            count = missing[-1] + 1 - missing[0]
            for index, hashes in self._rows(_WHOLE, tile, tile.level - 1, missing[0], count):
                self._roots[tile.level - 1, index] = subtree_root(_cut(hashes))
        return [self._roots[name] for name in names]

    def _rows(
        self, query: str, tile: Tile, level: int | None, first: int, count: int
    ) -> list[tuple[int, bytes]]:
        named = [self.epoch] if level is None else [self.epoch, level]
        rows = self._connection.execute(query, [*named, first, first + count]).fetchall()
        found = [(index, bytes(hashes)) for index, hashes in rows]
        if [index for index, _ in found] != list(range(first, first + count)):
            raise TileInvalid(f"{tile.path} of epoch {self.epoch} is not there as a whole")
        return found


def _cut(joined: bytes) -> list[bytes]:
    if len(joined) != WIDTH * HASH_BYTES:
        raise TileInvalid(f"a whole tile has {len(joined)} bytes, not {WIDTH * HASH_BYTES}")
    return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]
