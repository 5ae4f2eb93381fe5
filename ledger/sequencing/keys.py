"""The log's signing key: made once, read by the sequencer alone.

Owns ``ledger.key`` (the Ed25519 seed, base64, readable by its owner only) and ``ledger.pub``
(its public half, for everybody). Both are written whole or not at all.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.transparency.notes import ED25519, SignatureLine, VerifierKey, sign

NAME = "ledger"


class KeyUnreadable(Exception):
    """Raised when a signing key's file is absent or not a key; never says what is in it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key that signs notes; says nothing of itself but its public half."""

    public: bytes
    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def load(cls, directory: Path, name: str = NAME) -> Self:
        """Read ``<name>.key``. Raises: KeyUnreadable."""
        try:
            encoded = (directory / f"{name}.key").read_text(encoding="ascii").strip()
            seed = base64.b64decode(encoded, validate=True)
            return cls.of(Ed25519PrivateKey.from_private_bytes(seed))
        except (OSError, UnicodeDecodeError, binascii.Error, ValueError):
            raise KeyUnreadable(f"{directory / name}.key cannot be read as a key") from None

    @classmethod
    def of(cls, private: Ed25519PrivateKey) -> Self:
        """Wrap a key."""
        return cls(private.public_key().public_bytes_raw(), private)

    @property
    def spelt(self) -> str:
        """Return the public half in base64, as ``.pub`` files and witnesses have it."""
        return base64.b64encode(self.public).decode()

    def vkey(self, origin: str) -> VerifierKey:
        """Return the public key under the name of a log."""
        return VerifierKey(origin, ED25519, self.public)

    def sign(self, text: str, origin: str) -> SignatureLine:
        """Sign a note's text under the name of a log: same text, same line, always."""
        return sign(text, origin, self.private)


def ensure_signing_key(directory: Path, name: str = NAME) -> bool:
    """Make the key when there is none, and its public half when that is missing."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = directory / f"{name}.key"
    is_new = not file.exists()
    if is_new:
        seed = Ed25519PrivateKey.generate().private_bytes_raw()
        _write(file, base64.b64encode(seed).decode(), 0o400)
    public = base64.b64encode(SigningKey.load(directory, name).public).decode()
    half = directory / f"{name}.pub"
    if not half.exists() or half.read_text(encoding="ascii").strip() != public:
        _write(half, public, 0o444)
    return is_new


def install_key(directory: Path, made: str, *, kept_as: str, name: str = NAME) -> None:
    """Put a key that was made beside the log's in its place, and keep the one that it follows."""
    if (directory / f"{name}.key").exists():
        (directory / f"{name}.key").replace(directory / f"{kept_as}.key")
        (directory / f"{name}.pub").replace(directory / f"{kept_as}.pub")
    (directory / f"{made}.key").replace(directory / f"{name}.key")
    (directory / f"{made}.pub").replace(directory / f"{name}.pub")


def _write(file: Path, text: str, mode: int) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    os.fchmod(descriptor, mode)  # whatever the umask: the public half is for everybody
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(text + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)
