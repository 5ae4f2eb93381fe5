"""The one door through which sealed secrets are opened. No Django: the gateway comes this way.

A row opens only as itself: its public id, ring, holder and version are bound into both
layers of its encryption, so a ciphertext that was moved to another row is noise there.
What comes out is a `SecretText`, which shows itself to nobody who does not ask.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from kernel.opening import PrivateRing
from kernel.sealing import CannotOpen, Sealed

# What a reader of the table selects, in the order of `SealedRow`.
COLUMNS: Final = (
    "public_id",
    "ring",
    "holder",
    "version",
    "ring_key_id",
    "wrapped_key",
    "nonce",
    "ciphertext",
)


class SealedRow(NamedTuple):
    """A row of credentials_secret as `COLUMNS` selects it."""

    public_id: str
    ring: str
    holder: str
    version: int
    ring_key_id: str
    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes

    @property
    def identity(self) -> bytes:
        return identity(self.public_id, self.ring, self.holder, self.version)

    @property
    def sealed(self) -> Sealed:
        return Sealed(
            self.ring_key_id, bytes(self.wrapped_key), bytes(self.nonce), bytes(self.ciphertext)
        )


@dataclass(frozen=True, slots=True)
class SecretText:
    """A secret in the clear, in memory only. `reveal` is called where it is put on the wire."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        return self._text

    def __str__(self) -> str:
        return "•••"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not passed on")


def identity(public_id: str, ring: str, holder: str, version: int) -> bytes:
    """Return what a sealed secret is bound to, as associated data and as HPKE's ``info``."""
    return f"credentials.secret|{public_id}|{ring}|{holder}|{version}".encode()


class SecretOpener:
    """Opens the secrets of one ring. Not for a process that was not given the ring."""

    def __init__(self, directory: Path, ring: str) -> None:
        """Read the ring. Raises: RingUnreadable."""
        self._directory, self._name = directory, ring
        self._ring = PrivateRing.load(directory, ring)

    def __repr__(self) -> str:
        return f"SecretOpener({self._name!r}, {sorted(self._ring.keys)})"

    def open(self, row: SealedRow) -> SecretText:
        """Return the secret of a row. Raises: CannotOpen, RingUnreadable."""
        row = SealedRow(*row)
        if row.ring != self._name:
            raise CannotOpen("This secret belongs to another ring.", ring=self._name)
        if row.ring_key_id not in self._ring.keys:
            # Rotated since this process started: the new key lies in the same file. Keys known
            # before stay in memory, because a snapshot taken before the rotation may need them.
            fresh = PrivateRing.load(self._directory, self._name)
            self._ring = PrivateRing(fresh.public, self._ring.keys | fresh.keys)
        return SecretText(self._ring.open(row.sealed, row.identity).decode())


class RingKeeper:
    """Seals keys anew when a ring rotates. What it opens on the way it gives to nobody."""

    def __init__(self, directory: Path, ring: str) -> None:
        """Read the ring. Raises: RingUnreadable."""
        self._ring = PrivateRing.load(directory, ring)

    def __repr__(self) -> str:
        return f"RingKeeper({self._ring.public.name!r})"

    def rewrap(self, ring_key_id: str, wrapped: bytes, identity: bytes) -> tuple[str, bytes]:
        """Seal a data key to the active key of the ring. Raises: CannotOpen."""
        return self._ring.rewrap(ring_key_id, wrapped, identity)
