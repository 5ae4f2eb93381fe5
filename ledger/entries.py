"""What an entry is, byte for byte. No Django and no database: writers and verifiers share it.

An entry's header is an RFC 8785 document; its leaf hash is SHA-256 over 0x00 and the
header (RFC 6962 §2.1), and the header names the leaf hash before it in its chain. The
payload lies apart: zstd, then AES-256-GCM. The header commits to the ciphertext, and to
the plaintext under a salt that lies inside the ciphertext, so that destroying the key
destroys the guess as well.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel.canonical import canonical
from kernel.clock import stamp
from kernel.refs import Ref, new_id

VERSION: Final = 1
GENESIS: Final = bytes(32)
SALT_BYTES: Final = 32
MAX_PAYLOAD_BYTES: Final = 64 * 1024 * 1024

Fact = str | int | bool | None | list[str]


@dataclass(frozen=True, slots=True)
class DataKeyInUse:
    """A data key in the clear, in memory only, with its public id."""

    dek_id: str
    key: bytes

    def __repr__(self) -> str:
        return f"DataKeyInUse({self.dek_id!r}, •••)"


@dataclass(frozen=True, slots=True)
class EncryptedPayload:
    """The stored form of a payload and the digests that the header carries."""

    dek_id: str
    nonce: bytes
    ciphertext: bytes
    commitment: str
    size: int

    @property
    def header(self) -> dict[str, object]:
        return {
            "ciphertext_sha256": hashlib.sha256(self.ciphertext).hexdigest(),
            "commitment": self.commitment,
            "dek": self.dek_id,
            "size": self.size,
        }


@dataclass(frozen=True, slots=True)
class Fields:
    """What a writer says of one happening, before it has a place in a chain."""

    kind: str
    verb: str
    actor: Ref
    subject: Ref
    recorded_at: datetime
    agent_id: str = ""
    on_behalf_of: str = ""
    intent_id: str | None = None
    facts: Mapping[str, Fact] | None = None
    payload: EncryptedPayload | None = None
    entry_id: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """An entry with its place in a chain: what is stored."""

    entry_id: str
    stream: str
    writer: str
    seq: int
    prev_hash: bytes
    header: bytes
    leaf_hash: bytes
    fields: Fields


def link(fields: Fields, *, stream: str, writer: str, seq: int, prev_hash: bytes) -> Link:
    """Give an entry its place: build the header, hash it."""
    entry_id = fields.entry_id or new_id("ent")
    document: dict[str, object] = {
        "v": VERSION,
        "id": entry_id,
        "stream": stream,
        "writer": writer,
        "seq": seq,
        "prev": prev_hash.hex(),
        "kind": fields.kind,
        "verb": fields.verb,
        "actor": str(fields.actor),
        "subject": str(fields.subject),
        "recorded_at": stamp(fields.recorded_at),
        "facts": dict(fields.facts or {}),
    }
    if fields.agent_id:
        document["agent"] = fields.agent_id
    if fields.on_behalf_of:
        document["on_behalf_of"] = fields.on_behalf_of
    if fields.intent_id:
        document["intent"] = fields.intent_id
    if fields.payload is not None:
        document["payload"] = fields.payload.header
    header = canonical(document)
    return Link(entry_id, stream, writer, seq, prev_hash, header, leaf_hash(header), fields)


def leaf_hash(header: bytes) -> bytes:
    """Hash a header as a Merkle leaf (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\x00" + header).digest()


def encrypt_payload(plaintext: bytes, key: DataKeyInUse, entry_id: str) -> EncryptedPayload:
    """Compress and encrypt a payload, bound to the entry it belongs to."""
    salt = os.urandom(SALT_BYTES)
    nonce = os.urandom(12)
    packed = zstandard.ZstdCompressor(level=1).compress(plaintext)
    ciphertext = AESGCM(key.key).encrypt(nonce, salt + packed, entry_id.encode())
    return EncryptedPayload(key.dek_id, nonce, ciphertext, commit(salt, plaintext), len(plaintext))


def decrypt_payload(nonce: bytes, ciphertext: bytes, key: DataKeyInUse, entry_id: str) -> bytes:
    """Return a payload's bytes. Raises InvalidTag or ZstdError when they are not what was stored."""
    opened = AESGCM(key.key).decrypt(nonce, ciphertext, entry_id.encode())
    return zstandard.ZstdDecompressor().decompress(
        opened[SALT_BYTES:], max_output_size=MAX_PAYLOAD_BYTES
    )


def commit(salt: bytes, plaintext: bytes) -> str:
    """Return the salted commitment to a payload's plaintext, in hex."""
    length = len(plaintext).to_bytes(8, "big")
    return hashlib.sha256(b"unsprawl/payload/1" + salt + length + plaintext).hexdigest()
