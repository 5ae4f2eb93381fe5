"""Data keys: what encrypts the payloads of one scope and data class. No Django, no database.

A process makes its own keys and keeps them in memory; the row of a key, sealed to the
payload ring, is inserted in the transaction of the first payload that needs it, before
that payload. Until that transaction is known to have committed, every further use hands
the same row out again (the insert ignores a row that is there), so a rollback loses
nothing. A key is replaced after an hour, so a destroyed one does not live on in memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel import clock
from kernel.refs import new_id
from kernel.sealing import PublicRing
from ledger.entries import DataKeyInUse

ORG_SCOPE: Final = "org"
LIFETIME_SECONDS: Final = 3600.0
# New data subjects of one agent in an hour and a process: each costs a key and a row.
TAGS: Final = 20_000
# Random 96-bit nonces stay far from colliding (NIST SP 800-38D allows 2^32).
USES: Final = 2**20
KEPT: Final = 10_000

INSERT_DATA_KEY: Final = (
    "INSERT INTO ledger_datakey"
    " (dek_id, scope, data_class, ring_key_id, wrapped_key, state, created_at)"
    " VALUES (%s, %s, %s, %s, %s, 'active', %s) ON CONFLICT (dek_id) DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class DataKeyRow:
    """A data key as it is stored. Useless without the private half of the payload ring."""

    dek_id: str
    scope: str
    data_class: str
    ring_key_id: str
    wrapped_key: bytes
    created_at: datetime

    @property
    def parameters(self) -> tuple[str, str, str, str, bytes, datetime]:
        """The parameters of `INSERT_DATA_KEY`, in its order."""
        return (
            self.dek_id,
            self.scope,
            self.data_class,
            self.ring_key_id,
            self.wrapped_key,
            self.created_at,
        )


def identity(dek_id: str, scope: str, data_class: str) -> bytes:
    """Return what a wrapped key is bound to: it opens in its own row and in no other."""
    return f"ledger.datakey|{dek_id}|{scope}|{data_class}".encode()


@dataclass(slots=True)
class _Kept:
    key: DataKeyInUse
    row: DataKeyRow | None  # None once its insert is known to have committed
    until: float
    uses: int = 0


class DataKeySource:
    """The data keys that this process encrypts with: one per scope and data class at a time."""

    def __init__(
        self, ring: Callable[[], PublicRing], *, lifetime_seconds: float = LIFETIME_SECONDS
    ) -> None:
        self._ring = ring
        self._lifetime = lifetime_seconds
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._places: dict[str, tuple[str, str]] = {}  # where the key of an id is kept
        self._made: dict[str, tuple[float, int]] = {}  # since when, and how many for tags
        self._lock = threading.Lock()

    def key_for(self, scope: str, data_class: str) -> tuple[DataKeyInUse, DataKeyRow | None]:
        """Return the key, and the row to insert first unless one is known to be committed."""
        with self._lock:
            kept = self._kept.get((scope, data_class))
            if kept is None or kept.until <= time.monotonic() or kept.uses >= USES:
                kept = self._make(scope, data_class)
            elif kept.row is not None:
                kept.row = self._sealed_anew(kept.key, kept.row)
            kept.uses += 1
            return kept.key, kept.row

    def admits(self, scope: str, data_class: str) -> bool:
        """Say whether a data subject may get a key: no agent makes them without end."""
        agent_id, _, tag = scope.partition("/")
        if not tag:
            return True
        now = time.monotonic()
        with self._lock:
            kept = self._kept.get((scope, data_class))
            if kept is not None and kept.until > now:
                return True
            since, count = self._made.get(agent_id, (now, 0))
            if now - since > self._lifetime:
                since, count = now, 0
            self._made[agent_id] = (since, count + 1)
            return count < TAGS

    def confirm(self, dek_id: str) -> None:
        """Note that the transaction that inserted a key's row has committed."""
        with self._lock:
            if (place := self._places.get(dek_id)) and (kept := self._kept.get(place)):
                kept.row = None

    def forget(self, scope: str) -> None:
        """Drop the keys of a scope from memory, as when they are shredded."""
        with self._lock:
            for place in [place for place in self._kept if place[0] == scope]:
                self._drop(place)

    def forget_all(self) -> None:
        """Drop every key from memory: it is not known which were shredded."""
        with self._lock:
            self._kept.clear()
            self._places.clear()

    def _drop(self, place: tuple[str, str]) -> None:
        if (kept := self._kept.pop(place, None)) is not None:
            self._places.pop(kept.key.dek_id, None)

    def _make(self, scope: str, data_class: str) -> _Kept:
        key = DataKeyInUse(new_id("dek"), AESGCM.generate_key(256))
        bound = identity(key.dek_id, scope, data_class)
        ring_key_id, wrapped = self._ring().wrap(key.key, bound)
        row = DataKeyRow(key.dek_id, scope, data_class, ring_key_id, wrapped, clock.now())
        if len(self._kept) >= KEPT:
            self._drop(next(iter(self._kept)))
        self._drop((scope, data_class))
        kept = _Kept(key, row, time.monotonic() + self._lifetime)
        self._kept[scope, data_class] = kept
        self._places[key.dek_id] = (scope, data_class)
        return kept

    def _sealed_anew(self, key: DataKeyInUse, row: DataKeyRow) -> DataKeyRow:
        # The ring may have been rotated since: a row sealed to a retired key is refused.
        ring = self._ring()
        if ring.active == row.ring_key_id:
            return row
        bound = identity(row.dek_id, row.scope, row.data_class)
        ring_key_id, wrapped = ring.wrap(key.key, bound)
        return replace(row, ring_key_id=ring_key_id, wrapped_key=wrapped)
