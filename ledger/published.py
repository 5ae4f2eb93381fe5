"""The log as anybody's tools read it: checkpoint, tiles and entry bundles (C2SP tlog-tiles).

Owns what is served: nothing beyond the newest signed checkpoint, whole tiles and partial
ones by their public names. Each epoch is a log of its own. https://c2sp.org/tlog-tiles
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from ledger.errors import EpochNotFound, TileNotFound
from ledger.models import Checkpoint, CheckpointSignature, Entry, Epoch, Leaf
from ledger.receipts import note_of, tiles_of
from ledger.transparency.notes import SignedNote
from ledger.transparency.tiles import (
    WIDTH,
    Tile,
    TileInvalid,
    bundle_entries,
    read_index,
    width_at,
)

ENTRIES: Final = "entries"
_LARGEST_LEVEL: Final = 7


@dataclass(frozen=True, slots=True)
class Published:
    """A tile's or a bundle's bytes. A whole one never changes."""

    content: bytes
    is_whole: bool


def epochs_listed() -> QuerySet[Epoch]:
    """Return the epochs, the newest first."""
    return Epoch.objects.order_by("-number")


def epoch_named(number: int | None) -> Epoch:
    """Return an epoch by its number, or the newest. Raises: EpochNotFound."""
    epochs = Epoch.objects.order_by("-number")
    found = epochs.first() if number is None else epochs.filter(number=number).first()
    if found is None:
        raise EpochNotFound
    return found


def newest_note(epoch: Epoch) -> SignedNote:
    """Return the newest signed checkpoint with every line under it. Raises: TileNotFound."""
    size = signed_size(epoch)
    if not size:
        raise TileNotFound("This log has no signed checkpoint yet.")
    row = Checkpoint.objects.get(epoch=epoch.number, size=size)
    return note_of(epoch, size, bytes(row.root))


def is_bundle(path: str) -> bool:
    """Tell whether a path names entries, which are for fewer eyes than hashes."""
    return path.partition("/")[0] == ENTRIES


def read_published(epoch: Epoch, path: str) -> Published:
    """Return what ``tile/<path>`` names. Raises: TileNotFound."""
    tile = _named(path)
    available = width_at(tile.level, tile.number, signed_size(epoch))
    if tile.width > available:
        raise TileNotFound
    content = _entries(epoch, tile) if is_bundle(path) else _hashes(epoch, tile)
    return Published(content, tile.width == WIDTH)


def _named(path: str) -> Tile:
    level, _, rest = path.partition("/")
    index, is_partial, width = rest.partition(".p/")
    if level != ENTRIES and not _is_number(level, _LARGEST_LEVEL):
        raise TileNotFound
    if is_partial and not (_is_number(width, WIDTH - 1) and int(width) > 0):
        raise TileNotFound
    try:
        number = read_index(index)
    except TileInvalid:
        raise TileNotFound from None
    return Tile(0 if level == ENTRIES else int(level), number, int(width) if is_partial else WIDTH)


def _is_number(text: str, largest: int) -> bool:
    return (
        text.isascii() and text.isdigit() and len(text) <= 3
        and str(int(text)) == text and int(text) <= largest
    )  # fmt: skip


def _hashes(epoch: Epoch, tile: Tile) -> bytes:
    return tiles_of(epoch).read(tile)


def _entries(epoch: Epoch, tile: Tile) -> bytes:
    first = tile.number * WIDTH
    placed = Leaf.objects.filter(
        epoch=epoch.number, index__gte=first, index__lt=first + tile.width
    ).order_by("index")
    ids = list(placed.values_list("entry", flat=True))
    headers = dict(Entry.objects.filter(id__in=ids).values_list("id", "header"))
    if len(ids) != tile.width or len(headers) != tile.width:
        raise TileNotFound
    return bundle_entries([bytes(headers[entry]) for entry in ids])


def signed_size(epoch: Epoch) -> int:
    """Return the size of an epoch's newest signed checkpoint; 0 before the first."""
    signed = CheckpointSignature.objects.filter(epoch=epoch.number, is_witness=False)
    return signed.order_by("-size").values_list("size", flat=True).first() or 0
