"""Tiles (C2SP tlog-tiles): the tree cut into pieces of 256 hashes, and their file names.

A tile at level L holds hashes of the tree's level 8·L; tile N of a level holds hashes
256·N to 256·N + 255, fewer at the right edge. Whole tiles never change, so they can be
kept, copied and cached for ever. https://c2sp.org/tlog-tiles
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from ledger.transparency.merkle import HASH_BYTES, node_hash

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
MAX_ENTRY_BYTES: Final = 0xFFFF


class TileInvalid(Exception):
    """Raised when bytes or a name are not a tile; says what is wrong."""


class Tile(NamedTuple):
    """The name of a tile. A width below 256 is a partial tile, at the right edge."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Return ``tile/<L>/<N>[.p/<W>]``, N in groups of three digits."""
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{self.level}/{spell_index(self.number)}{partial}"


# Returns a tile's hashes, joined; raises what its store raises.
ReadTile = Callable[[Tile], bytes]


def spell_index(index: int) -> str:
    """Write a tile's index as its path does: 1234067 is ``x001/x234/067``."""
    if index < 0:
        raise ValueError("an index is not negative")
    spelt = f"{index % 1000:03d}"
    while index >= 1000:
        index //= 1000
        spelt = f"x{index % 1000:03d}/{spelt}"
    return spelt


def read_index(spelt: str) -> int:
    """Read a tile's index from its path. Raises: TileInvalid."""
    *groups, last = spelt.split("/")
    digits = [group.removeprefix("x") for group in groups] + [last]
    if not all(len(group) == 3 and group.isascii() and group.isdigit() for group in digits):
        raise TileInvalid(f"{spelt[:60]!r} is not the index of a tile")
    index = int("".join(digits))
    if spell_index(index) != spelt:
        raise TileInvalid(f"{spelt[:60]!r} is not how a tile's index is written")
    return index


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield every tile of a tree of this size, whole ones and the partial one of each level."""
    level, count = 0, size
    while count:
        for index in range(count // WIDTH):
            yield Tile(level, index)
        if count % WIDTH:
            yield Tile(level, count // WIDTH, count % WIDTH)
        level, count = level + 1, count // WIDTH


def width_at(level: int, index: int, size: int) -> int:
    """Return how many hashes a tile has in a tree of this size; 0 when it has none."""
    count = size >> (HEIGHT * level)
    return max(0, min(WIDTH, count - index * WIDTH))


class Nodes:
    """The nodes of a tree of a given size, found in its tiles: a `NodeAt` for proofs."""

    def __init__(self, size: int, read_tile: ReadTile) -> None:
        self.size = size
        self._read_tile = read_tile

    def __call__(self, level: int, index: int) -> bytes:
        """Return the hash over the whole subtree (level, index). Raises: TileInvalid."""
        tile_level, above = divmod(level, HEIGHT)
        first = index << above
        tile_index, offset = divmod(first, WIDTH)
        width = width_at(tile_level, tile_index, self.size)
        count = 1 << above
        if offset + count > width:
            raise TileInvalid(f"node {level}/{index} is not in a tree of {self.size}")
        data = self._read_tile(Tile(tile_level, tile_index, width))
        if len(data) != width * HASH_BYTES:
            raise TileInvalid(
                f"{Tile(tile_level, tile_index, width).path} has {len(data)} bytes, "
                f"not {width * HASH_BYTES}"
            )
        hashes = [
            data[place * HASH_BYTES : (place + 1) * HASH_BYTES]
            for place in range(offset, offset + count)
        ]
        return subtree_root(hashes)


def subtree_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over a power of two of hashes: what a whole tile is to the one above."""
    row = list(hashes)
    if not row or len(row) & (len(row) - 1):
        raise ValueError("a whole subtree has a power of two of hashes")
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def bundle_entries(entries: Sequence[bytes]) -> bytes:
    """Write an entry bundle: each entry after its length in two bytes, big-endian."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise TileInvalid(f"an entry of {len(entry)} bytes does not fit a bundle")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def read_bundle(raw: bytes) -> list[bytes]:
    """Read an entry bundle. Raises: TileInvalid."""
    entries, at = list[bytes](), 0
    while at < len(raw):
        start = at + 2
        end = start + int.from_bytes(raw[at:start], "big")
        if start > len(raw) or end > len(raw):
            raise TileInvalid("an entry bundle ends within an entry")
        entries.append(raw[start:end])
        at = end
    return entries
