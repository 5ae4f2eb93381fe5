"""Envelope encryption, the half that everybody may hold: putting in, never taking out.

A secret is encrypted under a fresh data key (AES-256-GCM, the row's identity as
associated data), and the data key is sealed to the public half of a ring (HPKE,
RFC 9180: X25519, HKDF-SHA256, AES-256-GCM, the same identity as ``info``). A process
that holds only the public half can write and never read; `kernel.opening` is the other
half. Also owned here: the key files, which are made and extended without being used.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from kernel.errors import Unavailable
from kernel.keys import new_pepper_document

RINGS: Final = ("vendor", "tool", "inbound", "payload")
# 32 bytes each: what data subjects' ids are hashed with, what the shred journal is signed with.
PLAIN_KEYS: Final = ("subject", "shreds")
_ID: Final = re.compile(r"k[1-9][0-9]{0,8}")
SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class CannotOpen(Unavailable):
    """Raised when this process lacks the key or the sealed bytes do not belong to this row."""

    code = "kernel.cannot_open"
    title = "A sealed value could not be opened"


class RingUnreadable(Unavailable):
    """Raised when a ring's files are absent, unreadable or not what they should be."""

    code = "kernel.ring_unreadable"
    title = "The key ring cannot be read here"


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
        """Read ``<name>.pub.json``. Raises: RingUnreadable."""
        active, keys = read_key_file(directory, name, "pub")
        if active not in keys:
            raise RingUnreadable(f"The active key of ring {name} is missing.", ring=name)
        return cls(name, active, keys)

    def wrap(self, data_key: bytes, identity: bytes) -> tuple[str, bytes]:
        """Seal a data key to the active public key, bound to an identity."""
        public = X25519PublicKey.from_public_bytes(self.keys[self.active])
        return self.active, SUITE.encrypt(data_key, public, info=self.info(identity))

    def seal(self, plaintext: bytes, identity: bytes) -> Sealed:
        """Encrypt under a fresh data key that is wrapped for this ring."""
        data_key = AESGCM.generate_key(256)
        ring_key_id, wrapped = self.wrap(data_key, identity)
        nonce = os.urandom(12)
        return Sealed(
            ring_key_id, wrapped, nonce, AESGCM(data_key).encrypt(nonce, plaintext, identity)
        )

    def info(self, identity: bytes) -> bytes:
        """Bind a wrapped key to this ring and to the row it belongs to (HPKE's ``info``)."""
        return b"unsprawl/1|" + self.name.encode() + b"|" + identity


class RingFile:
    """A ring's public half as its file says now, read again whenever the file was replaced."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory, self._name = directory, name
        self._version: tuple[int, int] | None = None
        self._ring: PublicRing | None = None

    def current(self) -> PublicRing:
        """Return the ring; what is sealed after a rotation gets the new key.

        Raises: RingUnreadable.
        """
        try:
            found = (self._directory / f"{self._name}.pub.json").stat()
        except OSError:
            raise RingUnreadable(f"The key ring {self._name} is gone.", ring=self._name) from None
        version = (found.st_mtime_ns, found.st_ino)
        if self._ring is None or version != self._version:
            self._ring = PublicRing.load(self._directory, self._name)
            self._version = version
        return self._ring


def read_key_file(directory: Path, name: str, half: str) -> tuple[str, dict[str, bytes]]:
    """Read one file of a ring: the active id (public half only) and 32 bytes for each key.

    Raises: RingUnreadable.
    """
    try:
        document = json.loads((directory / f"{name}.{half}.json").read_bytes())
        keys = {str(key): base64.b64decode(text) for key, text in document["keys"].items()}
        active = str(document.get("active", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise RingUnreadable(f"The key ring {name} cannot be read here.", ring=name) from None
    if not all(_ID.fullmatch(key) and len(value) == 32 for key, value in keys.items()):
        raise RingUnreadable(f"The key ring {name} holds something that is no key.", ring=name)
    return active, keys


def ensure_key_rings(directory: Path) -> list[str]:
    """Make the rings, the pepper and the web secret that are missing; return their names."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = []
    for name in RINGS:
        if not (directory / f"{name}.key.json").exists():
            _write_ring(directory, name, {"k1": _new_key()}, "k1")
            made.append(name)
        elif not (directory / f"{name}.pub.json").exists():
            # Killed between the two files: the public half follows from the private one.
            keys = _private_keys(directory, name)
            _write_ring(directory, name, keys, max(keys, key=_number))
            made.append(name)
    if not (directory / "pepper.json").exists():
        write_private(directory / "pepper.json", new_pepper_document())
        made.append("pepper")
    if not (directory / "django.json").exists():
        document = {"secret_key": secrets.token_urlsafe(50)}
        write_private(directory / "django.json", json.dumps(document))
        made.append("django")
    for name in PLAIN_KEYS:
        if not (directory / f"{name}.key").exists():
            write_private(directory / f"{name}.key", os.urandom(32).hex())
            made.append(name)
    return made


def next_ring_key(directory: Path, name: str) -> str:
    """Return the id that the next key of a ring gets; ids are never used twice."""
    return f"k{max(map(_number, _private_keys(directory, name))) + 1}"


def add_ring_key(directory: Path, name: str, ring_key_id: str = "") -> str:
    """Make a fresh key the active one; older ones still open. Safe to repeat for one id."""
    keys = _private_keys(directory, name)
    chosen = ring_key_id or next_ring_key(directory, name)
    _write_ring(directory, name, {chosen: _new_key()} | keys, chosen)
    return chosen


def drop_ring_keys(directory: Path, name: str, unused: set[str]) -> None:
    """Destroy keys that seal nothing any more; the active one always stays."""
    active = PublicRing.load(directory, name).active
    keys = _private_keys(directory, name)
    kept = {key: value for key, value in keys.items() if key == active or key not in unused}
    # The public half goes first: nothing is sealed to a key that is about to be destroyed.
    _write_public(directory, name, kept, active)
    _write_private(directory, name, kept)


def _new_key() -> bytes:
    return X25519PrivateKey.generate().private_bytes_raw()


def _number(ring_key_id: str) -> int:
    return int(ring_key_id[1:])


def _private_keys(directory: Path, name: str) -> dict[str, bytes]:
    return read_key_file(directory, name, "key")[1]


def _write_ring(directory: Path, name: str, keys: dict[str, bytes], active: str) -> None:
    # The private half is written first: a crash in between never leaves a sealing key
    # whose opening half does not exist.
    _write_private(directory, name, keys)
    _write_public(directory, name, keys, active)


def _write_private(directory: Path, name: str, keys: dict[str, bytes]) -> None:
    document = {"keys": {key: _b64(value) for key, value in keys.items()}}
    write_private(directory / f"{name}.key.json", json.dumps(document))


def _write_public(directory: Path, name: str, keys: dict[str, bytes], active: str) -> None:
    public = {
        key: _b64(X25519PrivateKey.from_private_bytes(value).public_key().public_bytes_raw())
        for key, value in keys.items()
    }
    document = {"active": active, "keys": public}
    write_private(directory / f"{name}.pub.json", json.dumps(document), mode=0o644)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file in one step, durable, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    # The new name must be on the disk too: a row may be sealed to this key in a moment.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
