"""Signed notes (C2SP signed-note): a text, a blank line, and who signed it.

Log signatures are plain Ed25519 (type 0x01); a witness signs as ``cosignature/v1`` (type
0x04), which adds the time at which it saw the text (C2SP tlog-cosignature).
https://c2sp.org/signed-note https://c2sp.org/tlog-cosignature
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519: Final = 0x01
COSIGNATURE_V1: Final = 0x04
_SEPARATOR: Final = "\n\n"
_DASH: Final = "— "  # U+2014, space: how every signature line begins
MAX_NOTE_BYTES: Final = 1_000_000
MAX_SIGNATURES: Final = 100


class NoteInvalid(Exception):
    """Raised when bytes are not a signed note or a signature does not hold; says why."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name it signs under (a *vkey*): ``<name>+<hash>+<base64>``."""

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        if not _is_name(self.name):
            raise NoteInvalid("a key's name is empty, or has a space or a plus sign")
        if self.kind not in {ED25519, COSIGNATURE_V1}:
            raise NoteInvalid(f"signatures of type {self.kind} are not known here")
        if len(self.public) != 32:
            raise NoteInvalid("a public key does not have 32 bytes")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a vkey. Raises: NoteInvalid."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise NoteInvalid("a key is written <name>+<hash>+<base64>")
        name, stated, encoded = parts
        raw = _unbase64(encoded)
        if len(raw) != 33:
            raise NoteInvalid("a public key does not have 32 bytes")
        key = cls(name, raw[0], raw[1:])
        if stated != key.key_hash.hex():
            raise NoteInvalid("the hash in a key is not the hash of the key")
        return key

    @property
    def key_hash(self) -> bytes:
        """Return the four bytes by which a signature line names this key."""
        named = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(named).digest()[:4]

    def __str__(self) -> str:
        encoded = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_hash.hex()}+{encoded}"


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One line under a note: a name, the hash of its key, the signature."""

    name: str
    key_hash: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {base64.b64encode(self.key_hash + self.signature).decode()}"

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read one line, without its newline. Raises: NoteInvalid."""
        name, space, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not space or not _is_name(name):
            raise NoteInvalid("a signature line is not: dash, name, base64")
        raw = _unbase64(encoded)
        if len(raw) < 5:
            raise NoteInvalid("a signature line has no signature")
        return cls(name, raw[:4], raw[4:])


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text, which ends in a newline, and the lines under it."""

    text: str
    signatures: tuple[SignatureLine, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a note, believing no signature yet. Raises: NoteInvalid."""
        if len(raw) > MAX_NOTE_BYTES:
            raise NoteInvalid(f"the note has more than {MAX_NOTE_BYTES} bytes")
        try:
            whole = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise NoteInvalid("the note is not UTF-8") from None
        if any(ord(char) < 0x20 and char != "\n" for char in whole):
            raise NoteInvalid("the note has control characters")
        text, separator, lines = whole.rpartition(_SEPARATOR)
        if not separator or not text or not lines.endswith("\n"):
            raise NoteInvalid("the note is not a text, a blank line and signature lines")
        signatures = tuple(SignatureLine.parse(line) for line in lines[:-1].split("\n"))
        if len(signatures) > MAX_SIGNATURES:
            raise NoteInvalid(f"the note has more than {MAX_SIGNATURES} signatures")
        return cls(text + "\n", signatures)

    def __bytes__(self) -> bytes:
        lines = "".join(f"{line}\n" for line in self.signatures)
        return f"{self.text}\n{lines}".encode()

    def with_lines(self, added: Iterable[SignatureLine]) -> SignedNote:
        """Return the note with further lines, each only once."""
        return SignedNote(self.text, tuple(dict.fromkeys((*self.signatures, *added))))

    def by(self, key: VerifierKey) -> list[SignatureLine]:
        """Return the lines that say they are this key's."""
        return [
            line
            for line in self.signatures
            if (line.name, line.key_hash) == (key.name, key.key_hash)
        ]

    def verify(self, key: VerifierKey) -> int | None:
        """Check that this key signed; return a cosignature's time in seconds since 1970, UTC.

        Every line that names the key must hold: a note with one bad line is not believed.
        Raises: NoteInvalid.
        """
        lines = self.by(key)
        if not lines:
            raise NoteInvalid(f"there is no signature by {key.name}")
        if len(lines) > 1:
            raise NoteInvalid(f"there is more than one signature by {key.name}")
        return _verify_line(self.text, lines[0], key)


def sign(text: str, name: str, private: Ed25519PrivateKey) -> SignatureLine:
    """Sign a note's text as a log does. Ed25519 has no chance in it: same text, same line."""
    key = VerifierKey(name, ED25519, private.public_key().public_bytes_raw())
    return SignatureLine(name, key.key_hash, private.sign(_checked(text).encode()))


def cosign(text: str, name: str, private: Ed25519PrivateKey, *, at: int) -> SignatureLine:
    """Sign a checkpoint as a witness does, with the time (seconds since 1970, UTC) it saw it."""
    key = VerifierKey(name, COSIGNATURE_V1, private.public_key().public_bytes_raw())
    signed = private.sign(_cosigned(_checked(text), at))
    return SignatureLine(name, key.key_hash, at.to_bytes(8, "big") + signed)


def _verify_line(text: str, line: SignatureLine, key: VerifierKey) -> int | None:
    signature, message, at = line.signature, text.encode(), None
    if key.kind == COSIGNATURE_V1:
        at, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        message = _cosigned(text, at)
    if len(signature) != 64:
        raise NoteInvalid(f"the signature by {key.name} has the wrong length")
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except InvalidSignature:
        raise NoteInvalid(f"the signature by {key.name} does not hold") from None
    return at


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _checked(text: str) -> str:
    if not text.endswith("\n") or any(ord(char) < 0x20 and char != "\n" for char in text):
        raise ValueError("a note's text ends in a newline and has no other control characters")
    return text


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(char.isspace() for char in name)


def _unbase64(encoded: str) -> bytes:
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise NoteInvalid("a signature or key is not base64") from None
    if base64.b64encode(raw).decode() != encoded:  # one spelling only
        raise NoteInvalid("a signature or key is not base64 in its one spelling")
    return raw
