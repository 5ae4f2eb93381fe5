"""A checkpoint (C2SP tlog-checkpoint): which tree, how large, what root. Signed as a note.

https://c2sp.org/tlog-checkpoint
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final, Self

from ledger.transparency.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")


class CheckpointInvalid(Exception):
    """Raised when a note's text is not a checkpoint; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of one log: every entry up to ``size``, in one hash."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Return the note's text."""
        root = base64.b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, self.size, root, *self.extensions))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a note's text. Raises: CheckpointInvalid."""
        *lines, end = text.split("\n")
        if end or len(lines) < 3 or not all(lines):
            raise CheckpointInvalid("a checkpoint has an origin, a size and a root, a line each")
        origin, spelt, encoded, *extensions = lines
        if not _DECIMAL.fullmatch(spelt) or (size := int(spelt)) > MAX_SIZE:
            raise CheckpointInvalid("a checkpoint's size is not a number up to 2^63 - 1")
        try:
            root = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise CheckpointInvalid("a checkpoint's root is not base64") from None
        if len(root) != HASH_BYTES or base64.b64encode(root).decode() != encoded:
            raise CheckpointInvalid("a checkpoint's root is not a hash")
        if size == 0 and root != EMPTY_ROOT:
            raise CheckpointInvalid("an empty tree has one root, and this is another")
        return cls(origin, size, root, tuple(extensions))
