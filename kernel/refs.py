"""Names for things: public ids and references to actors and subjects.

A public id is a short prefix and 26 characters that sort by time of making (a
UUIDv7 in Crockford base 32, lower case). Integer keys never leave the process;
references are stored as text, so evidence outlives what it speaks of.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Final, Self

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = [high + low for high in _ALPHABET for low in _ALPHABET]


def new_id(prefix: str) -> str:
    """Return a fresh public id such as ``agt_01k9…``, ordered by time (RFC 9562 §5.7)."""
    millis = time.time_ns() // 1_000_000
    number = (
        (millis & 0xFFFF_FFFF_FFFF) << 80
        | 0x7 << 76
        | (int.from_bytes(os.urandom(10), "big") & 0x0FFF_3FFF_FFFF_FFFF_FFFF)
        | 0x8000_0000_0000_0000
    )
    return f"{prefix}_{_base32(number)}"


def _base32(number: int) -> str:
    # Thirteen pairs written out: every call makes several ids, and a loop takes twice as long.
    pairs, high, low = _PAIRS, number >> 60, number & 0xFFF_FFFF_FFFF_FFFF
    return (
        f"{pairs[high >> 60]}{pairs[high >> 50 & 1023]}{pairs[high >> 40 & 1023]}"
        f"{pairs[high >> 30 & 1023]}{pairs[high >> 20 & 1023]}{pairs[high >> 10 & 1023]}"
        f"{pairs[high & 1023]}{pairs[low >> 50]}{pairs[low >> 40 & 1023]}"
        f"{pairs[low >> 30 & 1023]}{pairs[low >> 20 & 1023]}{pairs[low >> 10 & 1023]}"
        f"{pairs[low & 1023]}"
    )


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference by kind and public id: who acted, or what was acted on."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``kind:id``; raises ValueError when either half is missing."""
        kind, separator, ident = text.partition(":")
        if not (kind and separator and ident):
            raise ValueError(f"not a reference: {text[:80]!r}")
        return cls(kind, ident)


def system(name: str) -> Ref:
    """Name an automation that acts on its own, such as ``system:review-expiry``."""
    return Ref("system", name)
