"""Reading a header back: closed in its shape, canonical in its bytes. No Django, no database.

A header is believed when it is exactly one canonical document of the known shape; a field
that this version does not know is an error, because a verifier that skips what it does
not understand vouches for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from kernel.canonical import canonical
from kernel.clock import stamp
from ledger.entries import VERSION, Fact, PayloadDigest

KINDS: Final = frozenset(
    {"intent", "result", "decision", "proposal", "review", "effect", "change", "access", "report"}
)
_REQUIRED: Final = {
    "v": int,
    "id": str,
    "stream": str,
    "writer": str,
    "seq": int,
    "prev": str,
    "kind": str,
    "verb": str,
    "actor": str,
    "subject": str,
    "recorded_at": str,
    "facts": dict,
}
_OPTIONAL: Final = {"agent": str, "on_behalf_of": str, "intent": str, "payload": dict}
_KNOWN: Final = _REQUIRED | _OPTIONAL
_PAYLOAD: Final = {"ciphertext_sha256": str, "commitment": str, "dek": str, "size": int}
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_LARGEST: Final = 2**53 - 1


class HeaderInvalid(Exception):
    """Raised when bytes are not a header; says what is wrong with them."""


@dataclass(frozen=True, slots=True)
class Header:
    """An entry as its own bytes tell it."""

    entry_id: str
    stream: str
    writer: str
    seq: int
    prev_hash: bytes
    kind: str
    verb: str
    actor: str
    subject: str
    recorded_at: datetime
    facts: dict[str, Fact]
    agent_id: str
    on_behalf_of: str
    intent_id: str | None
    payload: PayloadDigest | None


def read_header(raw: bytes) -> Header:
    """Read a header. Raises: HeaderInvalid."""
    document = _document(raw)
    if canonical(document) != raw:
        raise HeaderInvalid("the header is not in canonical form")
    return Header(
        entry_id=document["id"],
        stream=document["stream"],
        writer=document["writer"],
        seq=document["seq"],
        prev_hash=bytes.fromhex(document["prev"]),
        kind=document["kind"],
        verb=document["verb"],
        actor=document["actor"],
        subject=document["subject"],
        recorded_at=_moment(document["recorded_at"]),
        facts=document["facts"],
        agent_id=document.get("agent", ""),
        on_behalf_of=document.get("on_behalf_of", ""),
        intent_id=document.get("intent"),
        payload=_payload(document.get("payload")),
    )


def _document(raw: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise HeaderInvalid("the header is not JSON") from None
    if not isinstance(document, dict):
        raise HeaderInvalid("the header is not an object")
    _check_shape(document)
    _check_values(document)
    return document


def _check_shape(document: dict[str, Any]) -> None:
    for name, value in document.items():
        expected = _KNOWN.get(name)
        if expected is None:
            raise HeaderInvalid(f"the header has an unknown field {name[:40]!r}")
        if type(value) is not expected:  # a bool is no number here
            raise HeaderInvalid(f"the header's {name} has the wrong type")
    if missing := _REQUIRED.keys() - document.keys():
        raise HeaderInvalid(f"the header lacks {', '.join(sorted(missing))}")


def _check_values(document: dict[str, Any]) -> None:
    if document["v"] != VERSION:
        raise HeaderInvalid(f"the header has version {document['v']}, not {VERSION}")
    if not 1 <= document["seq"] <= _LARGEST:
        raise HeaderInvalid("the header's seq is out of range")
    if not _HASH.fullmatch(document["prev"]):
        raise HeaderInvalid("the header's prev is not a hash")
    if document["kind"] not in KINDS:
        raise HeaderInvalid("the header's kind is unknown")
    if document["kind"] == "result" and not document.get("intent"):
        raise HeaderInvalid("a result names no intent")
    if not all(map(_is_fact, document["facts"].values())):
        raise HeaderInvalid(
            "a fact is not a text, a whole number, a truth value or a list of texts"
        )


def _is_fact(value: object) -> bool:
    if isinstance(value, int):
        return -_LARGEST <= value <= _LARGEST
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, str)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None and stamp(moment) == text:
            return moment
    except ValueError:
        pass
    raise HeaderInvalid("the header's recorded_at is not a moment in UTC with microseconds")


def _payload(document: dict[str, Any] | None) -> PayloadDigest | None:
    if document is None:
        return None
    if {name: type(value) for name, value in document.items()} != _PAYLOAD:
        raise HeaderInvalid("the header's payload has the wrong shape")
    if not _HASH.fullmatch(document["ciphertext_sha256"]) or document["size"] < 0:
        raise HeaderInvalid("the header's payload is not described by a digest and a size")
    return PayloadDigest(
        document["dek"], document["ciphertext_sha256"], document["commitment"], document["size"]
    )
