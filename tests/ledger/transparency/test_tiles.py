from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.entries import leaf_hash
from ledger.transparency.merkle import Frontier, root_of
from ledger.transparency.tiles import (
    WIDTH,
    Nodes,
    Tile,
    TileInvalid,
    bundle_entries,
    read_bundle,
    read_index,
    spell_index,
    subtree_root,
    tiles_of,
)

LEAVES = [leaf_hash(str(number).encode()) for number in range(66_000)]


def kept(size: int) -> dict[tuple[int, int], bytes]:
    tiles, row, level = {}, LEAVES[:size], 0
    while row:
        for start in range(0, len(row), WIDTH):
            tiles[level, start // WIDTH] = b"".join(row[start : start + WIDTH])
        row = [subtree_root(row[at : at + WIDTH]) for at in range(0, len(row) - WIDTH + 1, WIDTH)]
        level += 1
    return tiles


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537])
def test_tiles_hold_what_a_root_needs(size: int) -> None:
    tiles = kept(size)
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.append(leaf)

    def read(tile: Tile) -> bytes:
        return tiles[tile.level, tile.number][: tile.width * 32]

    assert root_of(size, Nodes(size, read)) == frontier.root()
    assert {(tile.level, tile.number) for tile in tiles_of(size)} == set(tiles)
    assert all(len(tiles[tile.level, tile.number]) == tile.width * 32 for tile in tiles_of(size))


@pytest.mark.parametrize(
    ("index", "spelt"), [(0, "000"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")]
)
def test_an_index_is_written_as_the_specification_shows(index: int, spelt: str) -> None:
    assert (spell_index(index), read_index(spelt)) == (spelt, index)


@pytest.mark.parametrize("spelt", ["", "1", "0001", "x000/001", "x1/000", "001/002", "٠٠١", "-01"])
def test_another_spelling_is_refused(spelt: str) -> None:
    with pytest.raises(TileInvalid):
        read_index(spelt)


def test_a_partial_tile_names_its_width() -> None:
    assert Tile(0, 5, 7).path == "tile/0/005.p/7"
    assert Tile(1, 1000).path == "tile/1/x001/000"


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_bundle_is_read_as_it_was_written(entries: list[bytes]) -> None:
    raw = bundle_entries(entries)
    assert read_bundle(raw) == entries


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4), st.data())
def test_a_bundle_that_was_cut_is_refused(entries: list[bytes], data: st.DataObject) -> None:
    raw = bundle_entries(entries)
    borders = {len(bundle_entries(entries[:count])) for count in range(len(entries) + 1)}
    cut = data.draw(st.integers(0, len(raw)).filter(lambda at: at not in borders))
    with pytest.raises(TileInvalid):
        read_bundle(raw[:cut])
