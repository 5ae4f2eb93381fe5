"""The key that signs exports: made once, held by web and worker, its public half for auditors."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernel.errors import Unavailable
from kernel.sealing import write_private
from ledger.exports.scope import FORMAT
from ledger.transparency.notes import ED25519, SignedNote, VerifierKey, sign

KEY_FILE: Final = "export.key"
PUBLIC_FILE: Final = "export.pub"


class ExportKeyMissing(Unavailable):
    """Raised when the key that signs exports is not there; an unsigned file is not handed out."""

    code = "ledger.export_key_missing"
    title = "The key that signs exports is missing"


def key_name(public_url: str) -> str:
    """Return the name that exports of an installation are signed under."""
    return f"{urlsplit(public_url).netloc}/export"


def ensure_export_key(directory: Path, public_url: str) -> bool:
    """Make the key where there is none, and write its public half; say whether it is new."""
    path = directory / KEY_FILE
    is_new = not path.exists()
    if is_new:
        seed = base64.b64encode(os.urandom(32)).decode()
        write_private(path, seed + "\n", 0o400)
    vkey = _vkey(_load(directory), key_name(public_url))
    public = directory / PUBLIC_FILE
    if not public.exists() or public.read_text(encoding="utf-8") != f"{vkey}\n":
        write_private(public, f"{vkey}\n", 0o644)
    return is_new


class ExportSigner:
    """Signs the end of exports."""

    def __init__(self, directory: Path, public_url: str) -> None:
        """Read the key. Raises: ExportKeyMissing."""
        self._key, self._name = _load(directory), key_name(public_url)

    def __repr__(self) -> str:
        return f"ExportSigner({self._name!r})"

    @property
    def vkey(self) -> VerifierKey:
        return _vkey(self._key, self._name)

    def note(self, sha256: str) -> str:
        """Return the signed note over a file's hash."""
        text = f"{FORMAT}\n{sha256}\n"
        return bytes(SignedNote(text, (sign(text, self._name, self._key),))).decode()


def _load(directory: Path) -> Ed25519PrivateKey:
    try:
        seed = base64.b64decode((directory / KEY_FILE).read_text(encoding="utf-8"), validate=False)
        return Ed25519PrivateKey.from_private_bytes(seed)
    except (OSError, ValueError) as error:
        raise ExportKeyMissing(
            f"{KEY_FILE} in the key directory cannot be read ({type(error).__name__}). "
            "`make run` makes it; a process that signs exports needs it."
        ) from None


def _vkey(key: Ed25519PrivateKey, name: str) -> VerifierKey:
    return VerifierKey(name, ED25519, key.public_key().public_bytes_raw())
