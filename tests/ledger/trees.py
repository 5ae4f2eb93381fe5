"""A tree over what was recorded, grown by hand: leaves, tiles, a signed checkpoint, a witness."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernel import clock
from ledger.models import Checkpoint, CheckpointSignature, Entry, Epoch, Leaf, Tile
from ledger.transparency import checkpoints, notes
from ledger.transparency.merkle import HASH_BYTES, Frontier
from ledger.transparency.tiles import WIDTH, subtree_root

ORIGIN = "log.example/ledger/log_test"
WITNESS = "witness.example"


@dataclass
class Tree:
    """One epoch's tree, in the tables where the service keeps it."""

    number: int = 1
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    witness: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    hashes: list[bytes] = field(default_factory=list)
    frontier: Frontier = field(default_factory=Frontier)

    @property
    def origin(self) -> str:
        return f"{ORIGIN}/{self.number}"

    def open(self, *, reason: str = "") -> Tree:
        Epoch.objects.create(
            number=self.number,
            origin=self.origin,
            public_key=self.key.public_key().public_bytes_raw(),
            system_identifier=1,
            first_entry=1,
            opened_at=clock.now(),
            reason=reason,
        )
        return self

    def grow(self, count: int | None = None, *, signed: bool = True, witnessed: bool = True) -> int:
        """Sequence what lies there (or the first of it) and return the tree's size."""
        placed = Leaf.objects.values("entry")
        waiting = Entry.objects.exclude(id__in=placed).order_by("id")[:count]
        last = None
        for last in waiting:
            self._append(last)
        if last is None:
            return self.frontier.size
        size, root = self.frontier.size, self.frontier.root()
        Checkpoint.objects.create(
            epoch=self.number, size=size, root=root, xid=last.xid, entry=last.id,
            sequenced_at=clock.now(),
        )  # fmt: skip
        text = checkpoints.Checkpoint(self.origin, size, root).text
        if signed:
            self._sign(size, notes.sign(text, self.origin, self.key), is_witness=False)
        if witnessed:
            at = int(clock.now().timestamp())
            self._sign(size, notes.cosign(text, WITNESS, self.witness, at=at), is_witness=True)
        return size

    def _append(self, entry: Entry) -> None:
        leaf = bytes(entry.leaf_hash)
        Leaf.objects.create(
            epoch=self.number, index=self.frontier.size, entry=entry.id, leaf_hash=leaf
        )
        self.frontier.append(leaf)
        self.hashes.append(leaf)
        level, row = 0, self.hashes
        while row and len(row) % WIDTH == 0:
            number = len(row) // WIDTH - 1
            if Tile.objects.filter(epoch=self.number, level=level, index=number).exists():
                break
            Tile.objects.create(
                epoch=self.number, level=level, index=number,
                hashes=b"".join(row[number * WIDTH :]),
            )  # fmt: skip
            row = [subtree_root(row[at : at + WIDTH]) for at in range(0, len(row), WIDTH)]
            level += 1

    def _sign(self, size: int, line: notes.SignatureLine, *, is_witness: bool) -> None:
        CheckpointSignature.objects.create(
            epoch=self.number, size=size, signer=line.name, is_witness=is_witness,
            line=str(line), signed_at=clock.now(),
        )  # fmt: skip


assert HASH_BYTES == 32
