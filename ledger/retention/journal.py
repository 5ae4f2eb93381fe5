"""The shred journal: which keys were destroyed, in a file outside the database.

Owns its lines: chained, authenticated, on the disk before anything relies on them. A backup
of the database brings destroyed keys back; this file says which of them must go again. No
Django and no database here; docs/ledger-format.md has the form.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from kernel.canonical import canonical

FILE: Final = "journal.jsonl"
KEY_FILE: Final = "shreds.key"
_NOTHING: Final = "0" * 64
_LONGEST: Final = 64 * 1024


class JournalBroken(Exception):
    """Raised when a line is not what was written, or the file cannot be read; says which."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what was destroyed together."""

    n: int
    sha256: bytes
    shred: str
    entry: str
    why: str
    deks: tuple[str, ...]


class ShredJournal:
    """The journal of an installation, read as far as it has been looked at."""

    def __init__(self, directory: Path, keys_dir: Path) -> None:
        self._path = directory / FILE
        self._keys_dir = keys_dir
        self._hashes: list[bytes] = []
        self._offsets: list[int] = []
        self._end = 0
        self._seen: tuple[int, int] | None = None  # inode and size

    @property
    def path(self) -> Path:
        return self._path

    @property
    def length(self) -> int:
        return len(self._hashes)

    def hash_of(self, n: int) -> bytes | None:
        """Return the hash of a line; None where the journal ends before it."""
        return self._hashes[n - 1] if 1 <= n <= len(self._hashes) else None

    def refresh(self) -> None:
        """Read what was added, checking each line. Raises: JournalBroken."""
        try:
            with self._path.open("rb") as stream:
                self._read(stream)
        except FileNotFoundError:
            self._forget()
        except OSError as error:
            raise JournalBroken(f"it cannot be read ({error.strerror})") from None

    def lines(self, numbers: Sequence[int]) -> Iterator[Line]:
        """Yield lines by number; `refresh` has seen them."""
        if not numbers:
            return
        with self._path.open("rb") as stream:
            for n in numbers:
                stream.seek(self._offsets[n - 1])
                yield _line(stream.readline(), self._hashes[n - 1])

    @contextmanager
    def open_for_append(self) -> Iterator[IO[bytes]]:
        """Hold the file alone, read to its end. Raises: JournalBroken, OSError."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.open("a+b") as stream:
            os.fchmod(stream.fileno(), 0o600)
            fcntl.flock(stream, fcntl.LOCK_EX)
            stream.seek(0)
            self._read(stream)
            if os.fstat(stream.fileno()).st_size > self._end:
                # A line that was not written to its end was never relied upon.
                os.ftruncate(stream.fileno(), self._end)
            yield stream

    def append(
        self,
        stream: IO[bytes],
        *,
        at: str,
        shred: str,
        entry: str,
        why: str,
        deks: Sequence[str],
    ) -> Line:
        """Add a line and wait until it is on the disk. Raises: OSError."""
        n = self.length + 1
        said: dict[str, Any] = {
            "at": at,
            "deks": list(deks),
            "entry": entry,
            "n": n,
            "prev": self._hashes[-1].hex() if self._hashes else _NOTHING,
            "shred": shred,
            "v": 1,
            "why": why,
        }
        raw = canonical(said | {"mac": self._mac(said)}) + b"\n"
        stream.write(raw)
        stream.flush()
        os.fsync(stream.fileno())
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._take(raw)
        return _line(raw, self._hashes[-1])

    def _read(self, stream: IO[bytes]) -> None:
        found = os.fstat(stream.fileno())
        if self._seen is not None and (self._seen[0] != found.st_ino or found.st_size < self._end):
            self._forget()
        if self._seen == (found.st_ino, found.st_size):
            return
        stream.seek(self._end)
        while (raw := stream.readline(_LONGEST)) and raw.endswith(b"\n"):
            self._check(raw)
            self._take(raw)
        self._seen = (found.st_ino, found.st_size)

    def _take(self, raw: bytes) -> None:
        self._offsets.append(self._end)
        self._hashes.append(hashlib.sha256(raw).digest())
        self._end += len(raw)

    def _check(self, raw: bytes) -> None:
        n = self.length + 1
        try:
            said = json.loads(raw)
            mac = str(said.pop("mac"))
            rightful = (
                canonical(said | {"mac": mac}) + b"\n" == raw
                and said["n"] == n
                and said["prev"] == (self._hashes[-1].hex() if self._hashes else _NOTHING)
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            rightful, said, mac = False, {}, ""
        if not rightful:
            raise JournalBroken(f"line {n} does not follow from the line before")
        if not hmac.compare_digest(mac, self._mac(said)):
            raise JournalBroken(f"line {n} was not written with the key of this installation")

    def _mac(self, said: dict[str, Any]) -> str:
        try:
            key = bytes.fromhex((self._keys_dir / KEY_FILE).read_text(encoding="ascii").strip())
        except (OSError, ValueError):
            raise JournalBroken(f"its key ({KEY_FILE}) cannot be read") from None
        return hmac.new(key, canonical(said), hashlib.sha256).hexdigest()

    def _forget(self) -> None:
        self._hashes, self._offsets, self._end, self._seen = [], [], 0, None


def _line(raw: bytes, sha256: bytes) -> Line:
    said = json.loads(raw)
    return Line(said["n"], sha256, said["shred"], said["entry"], said["why"], tuple(said["deks"]))
