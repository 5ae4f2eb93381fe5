"""Sessions whose id is kept as a hash: a copy of the database signs nobody in.

The browser holds the id; the row is found by its SHA-256. An id has more than 128 bits of
randomness, so a plain hash is enough (OWASP ASVS 5, 6.5.2).
"""

from __future__ import annotations

import hashlib
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session


class SessionStore(DatabaseStore):
    """Django's database sessions, each row found by the hash of the id."""

    def _get_session_from_db(self) -> Any:
        kept, self._session_key = self._session_key, stored(self._session_key)
        try:
            return super()._get_session_from_db()  # type: ignore[misc]
        finally:
            if self._session_key is not None:
                self._session_key = kept

    def exists(self, session_key: str | None) -> bool:
        return session_key is not None and super().exists(stored(session_key) or "")

    def delete(self, session_key: str | None = None) -> None:
        given = session_key if session_key is not None else self.session_key
        if given is not None:
            super().delete(stored(given))

    def create_model_instance(self, data: Any) -> Session:
        row: Session = super().create_model_instance(data)  # type: ignore[assignment]
        row.session_key = stored(row.session_key) or ""
        return row

    async def _aget_session_from_db(self) -> Any:
        return await sync_to_async(self._get_session_from_db)()

    async def aexists(self, session_key: str | None) -> bool:
        return await sync_to_async(self.exists)(session_key)

    async def adelete(self, session_key: str | None = None) -> None:
        await sync_to_async(self.delete)(session_key)

    async def acreate_model_instance(self, data: Any) -> Session:
        return await sync_to_async(self.create_model_instance)(data)


def stored(session_key: str | None) -> str | None:
    """Return what a session id is kept as: 40 characters of its SHA-256, as the column has."""
    return None if session_key is None else hashlib.sha256(session_key.encode()).hexdigest()[:40]
