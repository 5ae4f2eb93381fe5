"""Sketches of texts: MinHash over shingles of three words, under a key.

Two sketches agree in about as many places as the texts share shingles. The key keeps somebody
with a copy of the table from testing guesses at a prompt; nothing leads back to the words.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fleet.worth.reading import plain

PLACES: Final = 64
_PRIME: Final = (1 << 61) - 1
_WORDS: Final = re.compile(r"\w+")
_LONGEST: Final = 20_000  # characters of one prompt
LEAST: Final = 12  # shingles; shorter prompts say nothing


def shingles_of(text: str) -> set[str]:
    """Return every three words in a row."""
    words = _WORDS.findall(plain(text[:_LONGEST]))
    return {" ".join(words[at : at + 3]) for at in range(len(words) - 2)}


def sketch_of(shingles: Iterable[str], key: bytes) -> list[int]:
    """Return the least value of each of 64 hashes over all shingles."""
    values = [
        int.from_bytes(
            hashlib.blake2b(shingle.encode(), digest_size=8, key=key[:64]).digest(), "big"
        )
        % _PRIME
        for shingle in shingles
    ]
    factors = [
        int.from_bytes(hashlib.blake2b(b"%d" % at, digest_size=16, key=key[:64]).digest(), "big")
        for at in range(PLACES)
    ]
    return [
        min((value * (factor >> 64 | 1) + factor) % _PRIME for value in values)
        for factor in factors
    ]


def system_prompt_of(body: Mapping[str, Any]) -> str:
    """Return what a request tells the model about its job, in the shapes that vendors take."""
    told = [_text(body.get("system")), _text(body.get("instructions"))]
    for name in ("messages", "input"):
        rows = body.get(name)
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, Mapping) and row.get("role") in ("system", "developer"):
                told.append(_text(row.get("content")))
    return "\n".join(text for text in told if text)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts = [each.get("text") for each in value if isinstance(each, Mapping)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""
