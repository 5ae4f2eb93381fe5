"""The witness's own key: made once, in its own directory, under a name that stays.

The name and the public half are written beside the seed as a verifier key (`vkey`), which
is what an auditor is handed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.transparency.notes import COSIGNATURE_V1, NoteInvalid, VerifierKey

SEED_FILE: Final = "witness.key"
PUBLIC_FILE: Final = "witness.pub"
SEED_BYTES: Final = 32


class IdentityUnusable(Exception):
    """Raised when the key's files are not what they should be; says what to do."""


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """Who cosigns: a name and a private key."""

    key: VerifierKey
    private: Ed25519PrivateKey

    @classmethod
    def at(cls, directory: Path, name: str) -> Self:
        """Read the key of a directory, making it under this name when there is none.

        Raises: IdentityUnusable.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (directory / SEED_FILE).exists():
            _write(directory / SEED_FILE, os.urandom(SEED_BYTES), 0o400)
        seed = (directory / SEED_FILE).read_bytes()
        if len(seed) != SEED_BYTES:
            raise IdentityUnusable(f"{SEED_FILE} is not a seed of {SEED_BYTES} bytes.")
        private = Ed25519PrivateKey.from_private_bytes(seed)
        public = private.public_key().public_bytes_raw()
        try:
            if not (directory / PUBLIC_FILE).exists():
                made = VerifierKey(name, COSIGNATURE_V1, public)
                _write(directory / PUBLIC_FILE, f"{made}\n".encode(), 0o444)
            key = VerifierKey.parse((directory / PUBLIC_FILE).read_text(encoding="utf-8").strip())
        except NoteInvalid as error:
            raise IdentityUnusable(f"{PUBLIC_FILE} or the name is unusable: {error}.") from None
        if (key.public, key.kind) != (public, COSIGNATURE_V1):
            raise IdentityUnusable(f"{PUBLIC_FILE} is not the public half of {SEED_FILE}.")
        return cls(key, private)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Make a file in one step, on disk when this returns."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
