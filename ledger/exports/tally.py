"""What has been written so far: its hash, its counts, and what its entries name.

Kept beside the writer when a file is streamed, made again from the file when it was
written in parts. What entries name (data keys, bundles) is kept in a private scratch file
of SQLite, so that memory does not grow with the log.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from typing import Any, Final

import orjson

from ledger.artifacts import NAMED_BY
from ledger.exports.scope import Period, Scope

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_RECENT: Final = 4096


class Tally:
    """The state of one file while it grows."""

    def __init__(self, scope: Scope) -> None:
        self.counts: dict[str, int] = dict.fromkeys(
            ("artifacts", "checkpoints", "entries", "epochs", "keys", "payloads", "tiles"), 0
        )
        self.bytes = 0
        self._chains = None if isinstance(scope, Period) else 0
        self._chain: tuple[str, str] | None = None
        self._hash = hashlib.sha256()
        self._recent: set[tuple[str, str]] = set()
        # An empty name: a temporary database that SQLite moves to disk when it grows.
        self._named = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._named.execute("PRAGMA journal_mode = OFF")
        self._named.execute(
            "CREATE TABLE named (kind TEXT, name TEXT, PRIMARY KEY (kind, name)) WITHOUT ROWID"
        )

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def take(self, line: bytes) -> None:
        """Count a line's bytes."""
        self._hash.update(line)
        self.bytes += len(line)

    def entry(self, header: bytes, *, has_payload: bool) -> None:
        """Count an entry and note what it names; a header that is none names nothing."""
        self.counts["entries"] += 1
        self.counts["payloads"] += has_payload
        try:
            document = orjson.loads(header)
            self._note_chain(document["stream"], document["writer"])
            payload, facts = document.get("payload"), document["facts"]
            if payload:
                self._note("key", payload["dek"])
            for fact, kind in NAMED_BY.items():
                digest = facts.get(fact)
                if isinstance(digest, str) and _DIGEST.fullmatch(digest):
                    self._note(kind, digest)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return  # it was tampered with; whoever checks the file is told so there

    def named(self, kind: str) -> Iterator[str]:
        """Yield what entries name, in the order of its bytes."""
        rows = self._named.execute("SELECT name FROM named WHERE kind = ? ORDER BY name", [kind])
        for (name,) in rows:
            yield name

    def end(self) -> dict[str, Any]:
        """Return what the last line but one says."""
        return {**self.counts, "chains": self._chains, "sha256": self.sha256}

    def close(self) -> None:
        self._named.close()

    def _note_chain(self, stream: str, writer: str) -> None:
        if self._chains is not None and self._chain != (stream, writer):
            self._chain = (stream, writer)
            self._chains += 1

    def _note(self, kind: str, name: str) -> None:
        if (kind, name) in self._recent or not isinstance(name, str):
            return
        if len(self._recent) >= _RECENT:
            self._recent.clear()
        self._recent.add((kind, name))
        self._named.execute("INSERT OR IGNORE INTO named VALUES (?, ?)", [kind, name])
