"""The body of ``POST /add-checkpoint`` (C2SP tlog-witness), and nothing else.

``old <size>``, up to 63 lines of a consistency proof, an empty line, the signed note.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final, Self

from ledger.transparency.checkpoints import Checkpoint, CheckpointInvalid
from ledger.transparency.merkle import HASH_BYTES, MAX_SIZE
from ledger.transparency.notes import NoteInvalid, SignedNote

MAX_PROOF_LINES: Final = 63
_OLD: Final = re.compile(rb"old (0|[1-9][0-9]{0,18})")


class RequestMalformed(Exception):
    """Raised when a body is not a request to cosign; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """What a log asks: that this note, which grows from ``old`` as ``proof`` shows, be cosigned."""

    old: int
    proof: tuple[bytes, ...]
    note: SignedNote
    checkpoint: Checkpoint

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a body. Raises: RequestMalformed."""
        head, blank, raw = body.partition(b"\n\n")
        first, *lines = head.split(b"\n")
        named = _OLD.fullmatch(first)
        if not blank or named is None or (old := int(named[1])) > MAX_SIZE:
            raise RequestMalformed("the body is not: old <size>, a proof, an empty line, a note")
        if len(lines) > MAX_PROOF_LINES:
            raise RequestMalformed(f"the proof has more than {MAX_PROOF_LINES} lines")
        proof = tuple(_hash(line) for line in lines)
        try:
            note = SignedNote.parse(raw)
            checkpoint = Checkpoint.parse(note.text)
        except (NoteInvalid, CheckpointInvalid) as error:
            raise RequestMalformed(str(error)) from None
        if old > checkpoint.size:
            raise RequestMalformed("the old size is larger than the checkpoint's")
        return cls(old, proof, note, checkpoint)

    def __bytes__(self) -> bytes:
        lines = (base64.b64encode(node).decode() for node in self.proof)
        head = "".join(f"{line}\n" for line in (f"old {self.old}", *lines))
        return head.encode() + b"\n" + bytes(self.note)


def _hash(line: bytes) -> bytes:
    try:
        node = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raise RequestMalformed("a line of the proof is not base64") from None
    if len(node) != HASH_BYTES or base64.b64encode(node) != line:
        raise RequestMalformed("a line of the proof is not a hash")
    return node
