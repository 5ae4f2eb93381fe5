"""Envelope encryption, the half that few may hold: taking out.

Imported by the broker of secrets and by the ledger's custody of payload keys, and by
nothing else (a test says so); a process opens the rings its environment names. What cannot
be opened is a refusal that names neither key nor content.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel.errors import Unavailable
from kernel.sealing import SUITE, CannotOpen, PublicRing, Sealed, read_key_file


class RingClosed(Unavailable):
    """Raised in a process that was not given this ring (``UNSPRAWL_OPENS``)."""

    code = "kernel.ring_closed"
    title = "This process may not open what is sealed"


@dataclass(frozen=True, slots=True)
class PrivateRing:
    """The opening half of a ring. Its repr shows ids only."""

    public: PublicRing
    keys: dict[str, X25519PrivateKey] = field(repr=False)

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        """Read both halves. Raises: RingUnreadable, RingClosed."""
        opens = os.environ.get("UNSPRAWL_OPENS")
        # Every process of the service is told; only the operator's own shell is not.
        if opens is not None and name not in {ring.strip() for ring in opens.split(",")}:
            raise RingClosed(f"This process may not open the ring {name}.", ring=name)
        _, raw = read_key_file(directory, name, "key")
        keys = {key: X25519PrivateKey.from_private_bytes(value) for key, value in raw.items()}
        return cls(PublicRing.load(directory, name), keys)

    def unwrap(self, ring_key_id: str, wrapped: bytes, identity: bytes) -> bytes:
        """Open a data key. Raises: CannotOpen."""
        private = self.keys.get(ring_key_id)
        if private is None:
            raise CannotOpen(
                "The key that sealed this value is not held here.", ring=self.public.name
            )
        try:
            return SUITE.decrypt(wrapped, private, info=self.public.info(identity))
        except (InvalidTag, ValueError):
            raise CannotOpen("The sealed value does not belong to this row.") from None

    def open(self, sealed: Sealed, identity: bytes) -> bytes:
        """Decrypt. Raises: CannotOpen when the row's identity or any byte differs."""
        data_key = self.unwrap(sealed.ring_key_id, sealed.wrapped_key, identity)
        try:
            return AESGCM(data_key).decrypt(sealed.nonce, sealed.ciphertext, identity)
        except (InvalidTag, ValueError):
            raise CannotOpen("The sealed value does not belong to this row.") from None

    def rewrap(self, ring_key_id: str, wrapped: bytes, identity: bytes) -> tuple[str, bytes]:
        """Seal a data key anew to the active key; what it encrypts stays as it is."""
        return self.public.wrap(self.unwrap(ring_key_id, wrapped, identity), identity)
