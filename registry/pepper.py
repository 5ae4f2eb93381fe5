"""The peppers of this installation, read once and read again when the file changes.

Every credential we issue is stored as a hash under one of them; the file lies in the key
directory, apart from the database, so neither alone is enough to check a guess.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from kernel.keys import PepperRing
from registry.errors.agents import PepperMissing


def pepper_ring() -> PepperRing:
    """Return the ring in force. Raises: PepperMissing."""
    path = Path(settings.KEYS_DIR) / "pepper.json"
    try:
        return _load(path, path.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError):
        raise PepperMissing("pepper.json in the key directory is missing or unusable.") from None


@lru_cache(maxsize=4)
def _load(path: Path, changed_at: int) -> PepperRing:
    return PepperRing.load(path)
