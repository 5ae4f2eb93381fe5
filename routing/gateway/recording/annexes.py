"""What is kept behind payloads so that a call can be carried through our own code once more.

Owns what goes into an annex and how it is read back: one JSON object, a line feed, bytes.
Behind an intent lies what left and what came before a screen took tools out of it; behind a
result, what the vendor sent, where that is not what was delivered. What detectors took out,
and what held a credential, is never kept: then the annex says so, and replay ends there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from ledger.entries import Fact
from routing.gateway.removal import without_secrets

LARGEST: Final = 32 * 1024 * 1024
DETECTORS: Final = "detectors"
SECRETS: Final = "secrets"
SIZE: Final = "size"
_BLANK: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Left:
    """What of an attempt left, and what replay could not know of it otherwise."""

    body: bytes = field(repr=False)
    at: int = 0  # the moment that a translated answer names, seconds since the epoch
    came: bytes | None = field(default=None, repr=False)  # before a screen changed it
    unkept: str = ""  # why what came before the screens is not here
    path: str = ""  # of a call whose path is its own


@dataclass(frozen=True, slots=True)
class Received:
    """What the vendor sent, less its secret."""

    chunks: Sequence[bytes] = field(default=(), repr=False)
    head: Mapping[str, Any] = field(default_factory=dict)
    operation: str = "chat"
    wants_borders: bool = False
    unkept: str = ""


@dataclass(frozen=True, slots=True)
class Annex:
    """An annex as it is read."""

    head: Mapping[str, Any]
    body: bytes = field(repr=False)


def found_to_remove(facts: Mapping[str, Fact], name: str) -> bool:
    """Tell whether detectors found what they do not merely count."""
    found = facts.get(name)
    return isinstance(found, list) and any(not one.endswith(":allow") for one in found)


def annex_of_intent(left: Left | None, facts: Mapping[str, Fact], operation: str) -> bytes:
    """Return what is kept behind an intent."""
    if left is None:
        return b""
    if "secrets_removed" in facts:
        # Even a digest of what left would help to guess a credential.
        return _written({"unkept": SECRETS, "at": left.at})
    head: dict[str, Any] = {"sent": hashlib.sha256(left.body).hexdigest()}
    if left.at:
        head["at"] = left.at
    if left.path:
        head["path"] = left.path
    if left.unkept:
        head["unkept"] = left.unkept
    elif left.came is not None:
        if without_secrets(left.came, operation)[1]:
            head["unkept"] = SECRETS
        else:
            head["came"] = len(left.came)
            return _written(head, left.came)
    return _written(head)


def annex_of_result(
    received: Received | None, delivered: bytes, facts: Mapping[str, Fact]
) -> bytes:
    """Return what is kept behind a result; nothing when what was delivered says it all."""
    if received is None:
        return b""
    head, chunks = dict(received.head), received.chunks
    raw = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    if unkept := _unkept(received, raw, delivered, facts):
        return _written(head | {"unkept": unkept})
    if received.wants_borders:
        head["borders"] = [len(chunk) for chunk in chunks]
    if raw == delivered:
        return _written(head) if head else b""
    first, last = _shared(raw, delivered)
    head["as_delivered"] = [first, last]
    return _written(head, raw[first : len(raw) - last])


def _unkept(received: Received, raw: bytes, delivered: bytes, facts: Mapping[str, Fact]) -> str:
    """Say why what the vendor sent may not be kept; empty when it may, or is kept already."""
    if received.unkept or "secrets_removed" in facts:
        return received.unkept or SECRETS
    if raw == delivered:
        return ""
    if len(raw) > LARGEST:
        return SIZE
    return SECRETS if without_secrets(raw, received.operation)[1] else ""


def read_annex(raw: bytes) -> Annex:
    """Read an annex back; an absent one is empty."""
    if not raw:
        return Annex(_BLANK, b"")
    head, _, body = raw.partition(b"\n")
    return Annex(orjson.loads(head), body)


def received_in(annex: Annex, delivered: bytes) -> list[bytes]:
    """Return what the vendor sent, in the pieces that matter."""
    raw = delivered
    if (spans := annex.head.get("as_delivered")) is not None:
        first, last = spans
        raw = delivered[:first] + annex.body + (delivered[-last:] if last else b"")
    borders = annex.head.get("borders")
    if borders is None:
        return [raw] if raw else []
    pieces, position = [], 0
    for size in borders:
        pieces.append(raw[position : position + size])
        position += size
    return pieces


def _written(head: Mapping[str, Any], body: bytes = b"") -> bytes:
    return orjson.dumps(head) + b"\n" + body if body else orjson.dumps(head)


def _shared(one: bytes, other: bytes) -> tuple[int, int]:
    """Return how many bytes two texts begin with alike, and how many they end with alike."""
    most = min(len(one), len(other))
    first = _alike(lambda n: one[:n] == other[:n], most)
    last = _alike(lambda n: one[len(one) - n :] == other[len(other) - n :], most - first)
    return first, last


def _alike(holds: Any, most: int) -> int:
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low
