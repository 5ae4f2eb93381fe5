"""Bearer credentials that we issue: their shape, their checksum, their keyed hash.

``usp_<id8>_<secret43>_<check6>`` for agents and ``ust_…`` for people. The id finds the
row, the checksum refuses typos without a look-up and lets secret scanners be sure, and
only HMAC-SHA256 under a pepper that is kept outside the database is ever stored.
No Django: the gateway reads keys on its hot path.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH: Final = 8
_SECRET_LENGTH: Final = 43
_CHECK_LENGTH: Final = 6

AGENT_PREFIX: Final = "usp"
PERSON_PREFIX: Final = "ust"


@dataclass(frozen=True, slots=True)
class Credential:
    """A bearer credential in the clear: held in memory only while it is issued or checked."""

    prefix: str
    key_id: str
    text: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.prefix}_{self.key_id}_•••"


def issue(prefix: str) -> Credential:
    """Make a new credential with 256 bits of randomness."""
    key_id = _random(_ID_LENGTH)
    body = f"{prefix}_{key_id}_{_random(_SECRET_LENGTH)}"
    return Credential(prefix, key_id, f"{body}_{_checksum(body)}")


def parse(text: str) -> Credential | None:
    """Read a credential; None when the shape or the checksum is wrong (no look-up needed)."""
    parts = text.split("_")
    if len(parts) != 4 or not text.isascii() or len(text) > 80:
        return None
    prefix, key_id, secret, check = parts
    well_formed = (
        len(key_id) == _ID_LENGTH and len(secret) == _SECRET_LENGTH and len(check) == _CHECK_LENGTH
    )
    if not well_formed:
        return None
    if not hmac.compare_digest(_checksum(f"{prefix}_{key_id}_{secret}"), check):
        return None
    return Credential(prefix, key_id, text)


def _random(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(_CHECK_LENGTH):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))


@dataclass(frozen=True, slots=True)
class PepperRing:
    """The keys under which credentials are hashed; one is active, older ones still verify."""

    active: str
    peppers: dict[str, bytes] = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the ring from its file (mode 0600). Raises OSError, ValueError, KeyError."""
        document = json.loads(path.read_bytes())
        peppers = {name: bytes.fromhex(value) for name, value in document["peppers"].items()}
        if document["active"] not in peppers:
            raise ValueError(f"{path.name}: the active pepper is missing")
        return cls(document["active"], peppers)

    def hash(self, text: str, pepper_id: str | None = None) -> bytes:
        """Return the keyed hash under one pepper, the active one unless named."""
        pepper = self.peppers[pepper_id or self.active]
        return hmac.digest(pepper, text.encode(), hashlib.sha256)

    def matches(self, text: str, stored: bytes, pepper_id: str) -> bool:
        """Say in constant time whether the stored hash is of this text."""
        if pepper_id not in self.peppers:
            return False
        return hmac.compare_digest(self.hash(text, pepper_id), stored)


def new_pepper_document() -> str:
    """Return the JSON text of a fresh ring with one pepper."""
    return json.dumps({"active": "p1", "peppers": {"p1": secrets.token_bytes(32).hex()}})
