"""Under which names a finding is known: keyed hashes, and the key that scanners hash under.

The key is derived from the installation's oldest pepper, which lies apart from the database
and stays when newer ones are added: a thing that was found before is known again.
"""

from __future__ import annotations

import hashlib
import hmac

from registry.pepper import pepper_ring


def name_digest(name: str) -> str:
    """Return the keyed hash of a merge key. Raises: PepperMissing."""
    return hmac.new(_key("names"), name.encode(), hashlib.sha256).hexdigest()


def fingerprint_key() -> bytes:
    """Return the key under which scanners hash the keys they see. Raises: PepperMissing."""
    return _key("fingerprints")


def _key(purpose: str) -> bytes:
    ring = pepper_ring()
    oldest = min(ring.peppers, key=lambda name: (len(name), name))
    return ring.hash(f"discovery.{purpose}", oldest)
