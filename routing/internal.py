"""How the processes of one installation know each other's requests.

Owns the token of the gateway's internal endpoint: a key derived from the active pepper
(HKDF, its own label), an HMAC over method, path, time and body, good for a minute. The
token proves "a process that may read the key directory said exactly this, just now" and
nothing about a person. No Django: the gateway imports it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kernel.keys import PepperRing

HEADER: Final = "x-unsprawl-internal"
VALID_SECONDS: Final = 60
_LABEL: Final = b"unsprawl/1|internal"


class InternalKeys:
    """The keys that sign and check internal requests, one for each pepper. Its repr shows none."""

    def __init__(self, ring: PepperRing) -> None:
        self._active = ring.active
        self._keys = {name: _derived(pepper) for name, pepper in ring.peppers.items()}

    @classmethod
    def load(cls, keys_dir: Path) -> InternalKeys:
        """Derive from ``pepper.json``. Raises OSError, ValueError, KeyError."""
        return cls(PepperRing.load(keys_dir / "pepper.json"))

    def __repr__(self) -> str:
        return "InternalKeys(•••)"

    def token(self, method: str, path: str, body: bytes = b"", *, now: float | None = None) -> str:
        """Return the header's value ``<unix seconds>.<hex hmac>`` for one request."""
        moment = int(time.time() if now is None else now)
        return f"{moment}.{_signature(self._keys[self._active], method, path, moment, body)}"

    def accepts(
        self, token: str, method: str, path: str, body: bytes = b"", *, now: float | None = None
    ) -> bool:
        """Say whether the token is of this very request and fresh; peppers overlap on rotation."""
        moment, separator, signature = token.partition(".")
        if not (separator and moment.isascii() and moment.isdigit() and len(moment) <= 12):
            return False
        if abs((time.time() if now is None else now) - int(moment)) > VALID_SECONDS:
            return False
        given = signature.encode("utf-8", "replace")
        # Every key is tried, so the time taken does not tell which one is in use.
        found = [
            hmac.compare_digest(_signature(key, method, path, int(moment), body).encode(), given)
            for key in self._keys.values()
        ]
        return any(found)


def _derived(pepper: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_LABEL).derive(pepper)


def _signature(key: bytes, method: str, path: str, moment: int, body: bytes) -> str:
    said = "\n".join((method.upper(), path, str(moment), hashlib.sha256(body).hexdigest()))
    return hmac.new(key, said.encode(), hashlib.sha256).hexdigest()
