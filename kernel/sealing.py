"""Envelope encryption: put in by many, taken out by one.

A secret is encrypted under a fresh data key (AES-256-GCM, the row's identity as
associated data), and the data key is sealed to the public half of a ring (HPKE,
RFC 9180: X25519, HKDF-SHA256, AES-256-GCM, the same identity as ``info``). A process
that holds only the public half can write and never read. Rotation seals data keys
anew and leaves the ciphertext as it is.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from kernel.errors import Unavailable
from kernel.keys import new_pepper_document

RINGS: Final = ("vendor", "tool", "payload")
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class CannotOpen(Unavailable):
    """Raised when this process lacks the key or the sealed bytes do not belong to this row."""

    code = "kernel.cannot_open"
    title = "A sealed value could not be opened"


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is stored: safe in a dump, useless without the ring's private half."""

    ring_key_id: str
    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class PublicRing:
    """The sealing half of a ring: which key is active, and every public key by id."""

    name: str
    active: str
    keys: dict[str, bytes]

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        """Read ``<name>.pub.json``. Raises OSError, ValueError, KeyError."""
        document = json.loads((directory / f"{name}.pub.json").read_bytes())
        keys = {key: base64.b64decode(value) for key, value in document["keys"].items()}
        if document["active"] not in keys:
            raise ValueError(f"ring {name}: the active key is missing")
        return cls(name, document["active"], keys)

    def wrap(self, data_key: bytes, identity: bytes) -> tuple[str, bytes]:
        """Seal a data key to the active public key, bound to an identity."""
        public = X25519PublicKey.from_public_bytes(self.keys[self.active])
        return self.active, _SUITE.encrypt(data_key, public, info=self._info(identity))

    def seal(self, plaintext: bytes, identity: bytes) -> Sealed:
        """Encrypt under a fresh data key that is wrapped for this ring."""
        data_key = AESGCM.generate_key(256)
        ring_key_id, wrapped = self.wrap(data_key, identity)
        nonce = os.urandom(12)
        return Sealed(
            ring_key_id, wrapped, nonce, AESGCM(data_key).encrypt(nonce, plaintext, identity)
        )

    def _info(self, identity: bytes) -> bytes:
        return b"unsprawl/1|" + self.name.encode() + b"|" + identity


@dataclass(frozen=True, slots=True)
class PrivateRing:
    """The opening half of a ring. Its repr shows ids only."""

    public: PublicRing
    keys: dict[str, X25519PrivateKey] = field(repr=False)

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        """Read both halves. Raises OSError, ValueError, KeyError."""
        document = json.loads((directory / f"{name}.key.json").read_bytes())
        keys = {
            key: X25519PrivateKey.from_private_bytes(base64.b64decode(value))
            for key, value in document["keys"].items()
        }
        return cls(PublicRing.load(directory, name), keys)

    def unwrap(self, ring_key_id: str, wrapped: bytes, identity: bytes) -> bytes:
        """Open a data key. Raises: CannotOpen."""
        private = self.keys.get(ring_key_id)
        if private is None:
            raise CannotOpen(
                "The key that sealed this value is not held here.", ring=self.public.name
            )
        try:
            return _SUITE.decrypt(wrapped, private, info=self.public._info(identity))
        except InvalidTag:
            raise CannotOpen("The sealed value does not belong to this row.") from None

    def open(self, sealed: Sealed, identity: bytes) -> bytes:
        """Decrypt. Raises: CannotOpen when the row's identity or any byte differs."""
        data_key = self.unwrap(sealed.ring_key_id, sealed.wrapped_key, identity)
        try:
            return AESGCM(data_key).decrypt(sealed.nonce, sealed.ciphertext, identity)
        except InvalidTag:
            raise CannotOpen("The sealed value does not belong to this row.") from None

    def rewrap(self, sealed: Sealed, identity: bytes) -> Sealed:
        """Seal the data key anew to the active key; the ciphertext stays as it is."""
        data_key = self.unwrap(sealed.ring_key_id, sealed.wrapped_key, identity)
        ring_key_id, wrapped = self.public.wrap(data_key, identity)
        return Sealed(ring_key_id, wrapped, sealed.nonce, sealed.ciphertext)


def ensure_key_rings(directory: Path) -> list[str]:
    """Make the rings, the pepper and the web secret that are missing; return their names."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = []
    for name in RINGS:
        if not (directory / f"{name}.key.json").exists():
            _write_ring(directory, name, {"k1": X25519PrivateKey.generate()}, "k1")
            made.append(name)
    if not (directory / "pepper.json").exists():
        write_private(directory / "pepper.json", new_pepper_document())
        made.append("pepper")
    if not (directory / "django.json").exists():
        document = {"secret_key": secrets.token_urlsafe(50)}
        write_private(directory / "django.json", json.dumps(document))
        made.append("django")
    return made


def add_ring_key(directory: Path, name: str) -> str:
    """Add a fresh key to a ring and make it active; older ones still open. Returns its id."""
    ring = PrivateRing.load(directory, name)
    ring_key_id = f"k{max(int(key[1:]) for key in ring.keys) + 1}"
    _write_ring(
        directory, name, ring.keys | {ring_key_id: X25519PrivateKey.generate()}, ring_key_id
    )
    return ring_key_id


def drop_ring_keys(directory: Path, name: str, unused: set[str]) -> None:
    """Destroy keys that seal nothing any more; the active one always stays."""
    ring = PrivateRing.load(directory, name)
    active = ring.public.active
    kept = {key: value for key, value in ring.keys.items() if key == active or key not in unused}
    _write_ring(directory, name, kept, active)


def _write_ring(directory: Path, name: str, keys: dict[str, X25519PrivateKey], active: str) -> None:
    private = {key: _b64(value.private_bytes_raw()) for key, value in keys.items()}
    public = {key: _b64(value.public_key().public_bytes_raw()) for key, value in keys.items()}
    # The private half is written first: a crash in between never leaves a sealing key
    # whose opening half does not exist.
    write_private(directory / f"{name}.key.json", json.dumps({"keys": private}))
    write_private(
        directory / f"{name}.pub.json", json.dumps({"active": active, "keys": public}), mode=0o644
    )


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file in one step, durable, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
