"""What an audit believes that the database does not say: public keys, and notes kept elsewhere."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from ledger.errors import LedgerUnreadable
from ledger.transparency.checkpoints import Checkpoint, CheckpointInvalid
from ledger.transparency.notes import COSIGNATURE_V1, ED25519, NoteInvalid, SignedNote, VerifierKey

EARLY_SECONDS: Final = 120
LATE_SECONDS: Final = 900


@dataclass(frozen=True, slots=True)
class Trust:
    """Keys of the log and of witnesses; notes that were kept outside the database."""

    keys: tuple[bytes, ...] = ()
    witnesses: tuple[VerifierKey, ...] = ()
    since: tuple[SignedNote, ...] = ()

    @classmethod
    def kept_in(cls, directory: Path, *, more: tuple[str, ...] = ()) -> Self:
        """Read ``ledger.pub`` and ``witness*.pub``, as far as they are there, and further keys.

        Raises: LedgerUnreadable.
        """
        named = [str(path) for path in [directory / "ledger.pub"] if path.exists()]
        keys = tuple(log_key(text) for text in (*named, *more))
        found = sorted(directory.glob("witness*.pub")) if directory.is_dir() else []
        return cls(keys, tuple(witness_key(path) for path in found))

    def with_notes(self, paths: tuple[Path, ...]) -> Trust:
        """Add checkpoints that somebody kept. Raises: LedgerUnreadable."""
        try:
            notes = tuple(SignedNote.parse(path.read_bytes()) for path in paths)
            for note in notes:
                Checkpoint.parse(note.text)
        except OSError as error:
            raise LedgerUnreadable(f"The note cannot be read ({error.strerror}).") from None
        except (NoteInvalid, CheckpointInvalid) as error:
            raise LedgerUnreadable(f"The note kept from before is none: {error}.") from None
        return Trust(self.keys, self.witnesses, (*self.since, *notes))

    def log_keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return the keys of the log under the name of one epoch."""
        return tuple(VerifierKey(origin, ED25519, key) for key in self.keys)


def log_key(text: str) -> bytes:
    """Read a public key: base64, a vkey, or a file of one. Raises: LedgerUnreadable."""
    try:
        path = Path(text)
        spelt = (path.read_text(encoding="utf-8") if path.is_file() else text).strip()
        if spelt.count("+") >= 2 and len(spelt) > 60:
            return VerifierKey.parse(spelt).public
        raw = base64.b64decode(spelt, validate=True)
        VerifierKey("any", ED25519, raw)
    except (OSError, NoteInvalid, binascii.Error, ValueError):
        raise LedgerUnreadable(f"{text[:80]!r} is no public key of a log.") from None
    return raw


def witness_key(path: Path) -> VerifierKey:
    """Read a witness's vkey. Raises: LedgerUnreadable."""
    try:
        key = VerifierKey.parse(path.read_text(encoding="utf-8").strip())
    except (OSError, NoteInvalid):
        raise LedgerUnreadable(f"{path.name} is no public key of a witness.") from None
    return VerifierKey(key.name, COSIGNATURE_V1, key.public)
