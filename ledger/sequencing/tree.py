"""The growing edge of a tree: its last, partial tiles in memory, its whole ones handed out.

Owns no storage. What is appended to a copy of a tree costs the tree nothing, so a batch that
does not commit leaves no trace.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from ledger.transparency.merkle import HASH_BYTES, Frontier
from ledger.transparency.tiles import (
    HEIGHT,
    WIDTH,
    ReadTile,
    Tile,
    subtree_root,
    width_at,
)


@dataclass(slots=True)
class GrowingTree:
    """A tree of some size, as far as appending to it needs."""

    size: int = 0
    # By tile level: the hashes of the partial tile at the right edge, empty when there is none.
    tails: list[list[bytes]] = field(default_factory=list)
    frontier: Frontier = field(default_factory=Frontier)

    @classmethod
    def restored(cls, size: int, read_tile: ReadTile) -> Self:
        """Return the tree of this size whose tiles are kept elsewhere."""
        tails = []
        for level in range((size.bit_length() + HEIGHT - 1) // HEIGHT):
            number = (size >> HEIGHT * level) // WIDTH
            width = width_at(level, number, size)
            tails.append(_hashes(read_tile(Tile(level, number, width))) if width else [])
        tree = cls(size, tails)
        tree.frontier = Frontier.at(size, tree._node)
        return tree

    def copy(self) -> GrowingTree:
        """Return a tree that grows on its own."""
        edge = Frontier(self.frontier.size, list(self.frontier.peaks))
        return GrowingTree(self.size, [list(tail) for tail in self.tails], edge)

    def append(self, leaf: bytes) -> list[tuple[Tile, bytes]]:
        """Add a leaf hash; return the tiles that it made whole."""
        self.frontier.append(leaf)
        self.size += 1
        whole: list[tuple[Tile, bytes]] = []
        level, carry = 0, leaf
        while True:
            if level == len(self.tails):
                self.tails.append([])
            tail = self.tails[level]
            tail.append(carry)
            if len(tail) < WIDTH:
                return whole
            number = (self.size >> HEIGHT * (level + 1)) - 1
            whole.append((Tile(level, number), b"".join(tail)))
            level, carry = level + 1, subtree_root(tail)
            tail.clear()

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        return self.frontier.root()

    def _node(self, level: int, index: int) -> bytes:
        """A whole subtree at the edge: every one of them lies within a partial tile."""
        tile_level, above = divmod(level, HEIGHT)
        start = (index << above) % WIDTH
        return subtree_root(self.tails[tile_level][start : start + (1 << above)])


def _hashes(joined: bytes) -> list[bytes]:
    return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]
