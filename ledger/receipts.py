"""Receipts: how far an entry has come on its way into the tree, and the proof that it has.

A receipt is checked without us: the header's leaf hash, the inclusion proof and the index
lead to the root in the checkpoint's note, and the note carries the signatures. It names the
smallest tree that has reached the receipt's level, so a receipt once given stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from django.db import connection

from ledger.entries import leaf_hash
from ledger.errors import EntryNotFound, EvidenceAltered
from ledger.levels import Level
from ledger.models import Checkpoint, CheckpointSignature, Entry, Epoch, Leaf
from ledger.sequencing.stored import Roots, StoredTiles
from ledger.transparency import checkpoints
from ledger.transparency.merkle import (
    ProofInvalid,
    inclusion_proof,
    verify_inclusion,
)
from ledger.transparency.notes import ED25519, SignatureLine, SignedNote, VerifierKey
from ledger.transparency.tiles import TileInvalid

LONGEST_WAIT_MS: Final = 5_000
_roots: dict[str, Roots] = {}  # by origin, which names one tree for ever


@dataclass(frozen=True, slots=True)
class Proof:
    """Where a leaf lies in which tree, and what leads from it to the root."""

    epoch: int
    origin: str
    key: str  # the log's public key, as a vkey
    index: int
    size: int
    root: bytes
    hashes: list[bytes]
    note: SignedNote


@dataclass(frozen=True, slots=True)
class Receipt:
    """What can be said of one entry now."""

    entry_id: str
    header: bytes
    level: Level
    proof: Proof | None  # None while it is durable and no more

    @property
    def leaf_hash(self) -> bytes:
        return leaf_hash(self.header)


class _Waits(Protocol):
    def __call__(self, seconds: float, /) -> None: ...


def receipt_of(entry_id: str) -> Receipt:
    """Return an entry's receipt as of now. Raises: EntryNotFound, EvidenceAltered."""
    entry = Entry.objects.filter(entry_id=entry_id).first()
    if entry is None:
        raise EntryNotFound
    header = bytes(entry.header)
    leaf = Leaf.objects.filter(entry=entry.id).first()
    if leaf is None:
        return Receipt(entry.entry_id, header, Level.DURABLE, None)
    level, size = _reached(leaf)
    proof = _proof(leaf, size)
    try:
        verify_inclusion(leaf_hash(header), leaf.index, size, proof.hashes, proof.root)
    except ProofInvalid:
        raise EvidenceAltered(
            f"Entry {entry.entry_id} is not what the tree holds at its place: no receipt is given."
        ) from None
    return Receipt(entry.entry_id, header, level, proof)


def level_of(entry_id: str) -> Level:
    """Return how far an entry has come. Raises: EntryNotFound."""
    entry = Entry.objects.filter(entry_id=entry_id).values_list("id", flat=True).first()
    if entry is None:
        raise EntryNotFound
    leaf = Leaf.objects.filter(entry=entry).first()
    return Level.DURABLE if leaf is None else _reached(leaf)[0]


def wait_for(entry_id: str, level: Level, *, milliseconds: int, wait: _Waits) -> None:
    """Return when an entry has reached a level, or when the time is over. Raises: EntryNotFound."""
    left = min(milliseconds, LONGEST_WAIT_MS) / 1000
    while level_of(entry_id) < level and left > 0:
        pause = min(0.1, left)
        if not connection.in_atomic_block:
            connection.close()  # others may have it while nothing is asked
        wait(pause)
        left -= pause


def _reached(leaf: Leaf) -> tuple[Level, int]:
    """The level, and the smallest tree that has reached it and holds the leaf."""
    signed = CheckpointSignature.objects.filter(epoch=leaf.epoch, size__gt=leaf.index)
    for level, is_witness in ((Level.WITNESSED, True), (Level.SIGNED, False)):
        rows = signed.filter(is_witness=is_witness).order_by("size")
        if (size := rows.values_list("size", flat=True).first()) is not None:
            return level, size
    sizes = Checkpoint.objects.filter(epoch=leaf.epoch, size__gt=leaf.index).order_by("size")
    return Level.SEQUENCED, sizes.values_list("size", flat=True)[0]


def _proof(leaf: Leaf, size: int) -> Proof:
    epoch = Epoch.objects.get(number=leaf.epoch)
    root = bytes(Checkpoint.objects.get(epoch=leaf.epoch, size=size).root)
    nodes = tiles_of(epoch).nodes(size)
    try:
        hashes = inclusion_proof(leaf.index, size, nodes)
    except TileInvalid as error:
        raise EvidenceAltered(f"{error}: no receipt is given.") from None
    return Proof(
        epoch.number,
        epoch.origin,
        str(vkey_of(epoch)),
        leaf.index,
        size,
        root,
        hashes,
        note_of(epoch, size, root),
    )


def tiles_of(epoch: Epoch) -> StoredTiles:
    """Return the tiles of an epoch; what was made of whole ones once is kept."""
    if epoch.origin not in _roots:
        _roots.clear()  # one epoch is asked about, hardly ever two
        _roots[epoch.origin] = {}
    connection.ensure_connection()
    return StoredTiles(connection.connection, epoch.number, _roots[epoch.origin])


def vkey_of(epoch: Epoch) -> VerifierKey:
    """Return the key that an epoch's notes are signed with."""
    return VerifierKey(epoch.origin, ED25519, bytes(epoch.public_key))


def note_of(epoch: Epoch, size: int, root: bytes) -> SignedNote:
    """Return the note over a checkpoint, with every line under it: the log's own first."""
    lines = CheckpointSignature.objects.filter(epoch=epoch.number, size=size)
    rows = lines.order_by("is_witness", "signer").values_list("line", flat=True)
    text = checkpoints.Checkpoint(epoch.origin, size, root).text
    return SignedNote(text, tuple(map(SignatureLine.parse, rows)))
