"""What the sandbox keeps of its secret: the digest, and which sealed row it belongs to.

The secret itself exists in the clear only while it is made; afterwards only the gateway
can open it, as with any vendor's. No Django: the sandbox process reads this file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE_NAME: Final = "sandbox.json"


@dataclass(frozen=True, slots=True)
class Note:
    """The digest of the secret and the public id of the row that holds it sealed."""

    secret_id: str = ""
    sha256: str = ""


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a secret with enough entropy to need no more than that."""
    return hashlib.sha256(secret.encode()).hexdigest()


def read_note(path: Path) -> Note:
    """Read the note; an empty one, to which no secret fits, when it is missing or unreadable."""
    try:
        written = json.loads(path.read_bytes())
        return Note(str(written["secret_id"]), str(written["sha256"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Note()


class NoteKeeper:
    """Reads the note again only when the file has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._sha256 = ""

    def sha256(self) -> str:
        try:
            found = self._path.stat()
        except OSError:
            return ""
        if (found.st_mtime_ns, found.st_ino) != self._seen:
            self._seen = (found.st_mtime_ns, found.st_ino)
            self._sha256 = read_note(self._path).sha256
        return self._sha256
