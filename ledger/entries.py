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
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel.canonical import canonical
from kernel.clock import stamp
from kernel.errors import TooLarge
from kernel.refs import Ref, new_id
from ledger.annex import packed_annex, unpacked_annex

VERSION: Final = 1
GENESIS: Final = bytes(32)
SALT_BYTES: Final = 32
MAX_PAYLOAD_BYTES: Final = 64 * 1024 * 1024
MAX_HEADER_BYTES: Final = 65_535  # what one entry of a C2SP tile bundle can hold

_PLAIN: Final = frozenset({str, int, bool, type(None)})
_of_thread = threading.local()

Fact = str | int | bool | None | list[str]


class EntryTooLarge(TooLarge):
    """Raised when a header or a payload is larger than an entry can hold; the edge answers 413."""

    code = "ledger.entry_too_large"
    title = "The entry is larger than the ledger takes"


class PayloadAltered(Exception):
    """Raised when a stored payload is not what its entry committed to; says how it differs."""


@dataclass(frozen=True, slots=True)
class DataKeyInUse:
    """A data key in the clear, in memory only, with its public id."""

    dek_id: str
    key: bytes

    def __repr__(self) -> str:
        return f"DataKeyInUse({self.dek_id!r}, •••)"


@dataclass(frozen=True, slots=True)
class PayloadDigest:
    """What a header says of its payload: enough to know the bytes again, nothing to guess them."""

    dek_id: str
    ciphertext_sha256: str
    commitment: str
    size: int


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
            "ciphertext_sha256": ciphertext_digest(self.nonce, self.ciphertext),
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
    header = _canonical_header(document)
    if len(header) > MAX_HEADER_BYTES:
        raise EntryTooLarge(f"The header has more than {MAX_HEADER_BYTES} bytes.")
    return Link(entry_id, stream, writer, seq, prev_hash, header, leaf_hash(header), fields)


def _canonical_header(document: dict[str, object]) -> bytes:
    """Write a header's canonical form; in one step where its values are known to be plain."""
    facts = document["facts"]
    if isinstance(facts, dict) and _PLAIN.issuperset(map(type, facts.values())):
        with suppress(orjson.JSONEncodeError):
            raw = orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
            if raw.isascii():  # so are the names, and their order is the same everywhere
                return raw
    return canonical(document)


def leaf_hash(header: bytes) -> bytes:
    """Hash a header as a Merkle leaf (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\x00" + header).digest()


def ciphertext_digest(nonce: bytes, ciphertext: bytes) -> str:
    """Return the digest of a stored payload, in hex: over the nonce and the ciphertext."""
    return hashlib.sha256(nonce + ciphertext).hexdigest()


def encrypt_payload(
    plaintext: bytes, key: DataKeyInUse, entry_id: str, annex: bytes = b""
) -> EncryptedPayload:
    """Compress and encrypt a payload, bound to the entry it belongs to. Raises: EntryTooLarge.

    An annex lies behind the payload under the same encryption; readers of payloads skip it.
    """
    if len(plaintext) > MAX_PAYLOAD_BYTES:
        raise EntryTooLarge(f"The payload has more than {MAX_PAYLOAD_BYTES} bytes.")
    noise = os.urandom(SALT_BYTES + 12)
    salt, nonce = noise[:SALT_BYTES], noise[SALT_BYTES:]
    packed = _compressor().compress(plaintext)
    if annex:
        packed += packed_annex(annex, _compressor().compress)
    ciphertext = AESGCM(key.key).encrypt(nonce, salt + packed, entry_id.encode())
    return EncryptedPayload(key.dek_id, nonce, ciphertext, commit(salt, plaintext), len(plaintext))


def _compressor() -> zstandard.ZstdCompressor:
    # Making one costs more than a small payload does; one is not for two threads.
    made: zstandard.ZstdCompressor | None = getattr(_of_thread, "compressor", None)
    if made is None:
        made = _of_thread.compressor = zstandard.ZstdCompressor(level=1)
    return made


def decrypt_payload(
    nonce: bytes, ciphertext: bytes, key: DataKeyInUse, entry_id: str
) -> tuple[bytes, bytes]:
    """Return the salt and the bytes of a payload. Raises: PayloadAltered."""
    salt, plaintext, _ = decrypt_whole(nonce, ciphertext, key, entry_id)
    return salt, plaintext


def decrypt_whole(
    nonce: bytes, ciphertext: bytes, key: DataKeyInUse, entry_id: str
) -> tuple[bytes, bytes, bytes]:
    """Return the salt, the payload, and the annex behind it. Raises: PayloadAltered."""
    try:
        opened = AESGCM(key.key).decrypt(nonce, ciphertext, entry_id.encode())
        salt, packed = opened[:SALT_BYTES], opened[SALT_BYTES:]
        if zstandard.frame_content_size(packed) > MAX_PAYLOAD_BYTES:
            raise PayloadAltered("the payload unpacks to more than an entry can hold")
        unpacking = zstandard.ZstdDecompressor().decompressobj()
        plaintext = unpacking.decompress(packed)
        if not unpacking.eof:
            raise PayloadAltered("the payload does not unpack")
        return salt, plaintext, unpacked_annex(unpacking.unused_data)
    except (InvalidTag, ValueError):
        raise PayloadAltered("the ciphertext does not open under the key of its entry") from None
    except zstandard.ZstdError:
        raise PayloadAltered("the payload does not unpack") from None


def open_payload(
    digest: PayloadDigest, nonce: bytes, ciphertext: bytes, key: DataKeyInUse, entry_id: str
) -> bytes:
    """Return the bytes that the header committed to. Raises: PayloadAltered."""
    return open_whole(digest, nonce, ciphertext, key, entry_id)[0]


def open_whole(
    digest: PayloadDigest, nonce: bytes, ciphertext: bytes, key: DataKeyInUse, entry_id: str
) -> tuple[bytes, bytes]:
    """Return the bytes that the header committed to, and the annex. Raises: PayloadAltered."""
    if digest.dek_id != key.dek_id:
        raise PayloadAltered("the entry names another data key")
    if digest.ciphertext_sha256 != ciphertext_digest(nonce, ciphertext):
        raise PayloadAltered("the ciphertext is not the one its entry committed to")
    salt, plaintext, annex = decrypt_whole(nonce, ciphertext, key, entry_id)
    if (digest.size, digest.commitment) != (len(plaintext), commit(salt, plaintext)):
        raise PayloadAltered("the plaintext is not the one its entry committed to")
    return plaintext, annex


def commit(salt: bytes, plaintext: bytes) -> str:
    """Return the salted commitment to a payload's plaintext, in hex."""
    length = len(plaintext).to_bytes(8, "big")
    return hashlib.sha256(b"unsprawl/payload/1" + salt + length + plaintext).hexdigest()
