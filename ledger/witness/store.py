"""What a witness remembers: one SQLite file, flushed to the disk at every commit.

SQLite with a rollback journal and ``synchronous=EXTRA``: a commit that returned survives
the loss of power, its directory entry included, and a stopped witness is one file. A write
takes the file's lock before it reads, so of two that race one sees what the other wrote.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE_NAME: Final = "witness.db"
_BUSY_SECONDS: Final = 5.0
_MAX_FORKS: Final = 1_000  # of one origin; each needs the log's own signature
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS trusted (
    id INTEGER PRIMARY KEY, log TEXT NOT NULL, public BLOB NOT NULL, trusted_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS seen (
    origin TEXT PRIMARY KEY, log TEXT NOT NULL, epoch INTEGER NOT NULL, public BLOB NOT NULL,
    size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL, seen_at INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS fork (
    origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL,
    seen_at INTEGER NOT NULL, PRIMARY KEY (origin, size, root)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """The largest checkpoint of one origin that was cosigned; ``note`` has the log's signature."""

    origin: str
    log: str
    epoch: int
    public: bytes
    size: int
    root: bytes
    note: bytes
    seen_at: int


class Store:
    """One witness's memory. Not thread-safe: the server uses it from one thread."""

    def __init__(self, directory: Path) -> None:
        self._connection = sqlite3.connect(
            directory / FILE_NAME,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        self._connection.execute("PRAGMA journal_mode = DELETE")
        self._connection.execute("PRAGMA synchronous = EXTRA")
        with self.changing():
            for statement in filter(str.strip, _SCHEMA.split(";")):
                self._connection.execute(statement)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the write lock; on the way out what was changed is on disk, or none of it is."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def seen(self, origin: str) -> Seen | None:
        """Return what was last cosigned of an origin."""
        return self._one("WHERE origin = ?", origin)

    def newest_of(self, log: str) -> Seen | None:
        """Return what was last cosigned of a log's newest epoch."""
        return self._one("WHERE log = ? ORDER BY epoch DESC LIMIT 1", log)

    def key_for(self, log: str) -> bytes | None:
        """Return the key under which a further epoch of a log is accepted."""
        row = self._connection.execute(
            "SELECT public FROM trusted WHERE log = ? ORDER BY id DESC LIMIT 1", (log,)
        ).fetchone()
        return row[0] if row else None

    def is_of_a_log(self, public: bytes) -> bool:
        """Say whether a log has been seen under this key."""
        row = self._connection.execute("SELECT 1 FROM seen WHERE public = ? LIMIT 1", (public,))
        return row.fetchone() is not None

    def trust(self, log: str, public: bytes, at: int) -> None:
        """Accept further epochs of a log under this key alone."""
        self._connection.execute(
            "INSERT INTO trusted (log, public, trusted_at) VALUES (?, ?, ?)", (log, public, at)
        )

    def put(self, seen: Seen) -> None:
        """Remember a checkpoint instead of the last one of its origin."""
        self._connection.execute(
            "INSERT INTO seen VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)"
            " ON CONFLICT (origin) DO UPDATE SET size = ?5, root = ?6, note = ?7, seen_at = ?8",
            (
                seen.origin, seen.log, seen.epoch, seen.public, seen.size, seen.root, seen.note,
                seen.seen_at,
            ),
        )  # fmt: skip

    def put_fork(self, seen: Seen) -> None:
        """Keep the proof that a log signed two roots for one size."""
        self._connection.execute(
            "INSERT OR IGNORE INTO fork SELECT ?1, ?2, ?3, ?4, ?5"
            " WHERE (SELECT count(*) FROM fork WHERE origin = ?1) < ?6",
            (seen.origin, seen.size, seen.root, seen.note, seen.seen_at, _MAX_FORKS),
        )

    def forks(self, origin: str) -> list[bytes]:
        """Return the notes that contradict what was cosigned."""
        rows = self._connection.execute(
            "SELECT note FROM fork WHERE origin = ? ORDER BY seen_at, root", (origin,)
        )
        return [note for (note,) in rows]

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _one(self, condition: str, value: str) -> Seen | None:
        row = self._connection.execute(
            "SELECT origin, log, epoch, public, size, root, note, seen_at"  # noqa: S608  ours
            f" FROM seen {condition}",
            (value,),
        ).fetchone()
        return Seen(*row) if row else None
