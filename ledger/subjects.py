"""Data subjects: the tag that stands for a person whose data is in payloads. No Django.

An agent names the person by an id of its own making; only its keyed hash is kept, so the
ledger holds no personal data, and whoever lacks the key cannot try ids one by one. The key
is the installation's: without it nobody can be found again.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b32encode
from pathlib import Path
from typing import Final

from kernel.errors import Malformed, Unavailable

KEY_FILE: Final = "subject.key"
LONGEST: Final = 200
_TAG: Final = re.compile(r"sub_[0-9a-hjkmnp-tv-z]{26}")
_CROCKFORD: Final = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghjkmnpqrstvwxyz"
)


class DataSubjectUnusable(Malformed):
    """Raised when a data subject's id is empty, too long or not printable; never repeats it."""

    code = "ledger.data_subject_unusable"
    title = "The data subject's id cannot be used"


class SubjectKeyMissing(Unavailable):
    """Raised when the key that ids are hashed with cannot be read."""

    code = "ledger.subject_key_missing"
    title = "The key for data subjects cannot be read here"


class SubjectTags:
    """Turns ids into tags, with a key that is read when it is first needed."""

    def __init__(self, keys_dir: Path) -> None:
        self._path = keys_dir / KEY_FILE
        self._key = b""

    def __repr__(self) -> str:
        return "SubjectTags(•••)"

    def tag(self, subject_id: str) -> str:
        """Return the tag of an id. Raises: DataSubjectUnusable, SubjectKeyMissing."""
        named = subject_id.strip()
        if not (0 < len(named) <= LONGEST and named.isprintable()):
            raise DataSubjectUnusable(
                f"A data subject's id has 1 to {LONGEST} printable characters: use a pseudonym."
            )
        said = b"unsprawl/subject/1\0" + named.encode()
        digest = hmac.new(self._read(), said, hashlib.sha256).digest()
        return f"sub_{b32encode(digest).translate(_CROCKFORD)[:26].decode()}"

    def _read(self) -> bytes:
        if not self._key:
            try:
                key = bytes.fromhex(self._path.read_text(encoding="ascii").strip())
            except (OSError, ValueError):
                raise SubjectKeyMissing(f"{KEY_FILE} is missing in the key directory.") from None
            if len(key) != 32:
                raise SubjectKeyMissing(f"{KEY_FILE} does not hold 32 bytes.")
            self._key = key
        return self._key


def is_tag(text: str) -> bool:
    """Say whether a text has the form of a tag."""
    return _TAG.fullmatch(text) is not None


def no_tags(subject_id: str) -> str:
    """Stand in where there is no key. Raises: SubjectKeyMissing."""
    raise SubjectKeyMissing


def scope_of(agent_id: str, tag: str) -> str:
    """Return the scope of the data keys of an agent, for one data subject or for none."""
    return f"{agent_id}/{tag}" if tag else agent_id
