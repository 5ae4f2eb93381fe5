"""What was said, as it is kept: less the credentials in it, and encrypted.

Owns that nothing is kept in the clear. Large payloads are worked on beside the loop.
"""

from __future__ import annotations

import asyncio
from typing import Final

from ledger.entries import EncryptedPayload, Fact, encrypt_payload
from ledger.journal import Row
from routing.gateway.ports import DataKeys
from routing.gateway.recording.attempt import Subject
from routing.gateway.recording.rows import data_key_row
from routing.gateway.removal import without_secrets

_OFFLOAD_BYTES: Final = 256 * 1024


async def cleaned(payload: bytes, operation: str, facts: dict[str, Fact]) -> bytes:
    """Return a payload as it may be recorded, and say in the facts what is not in it."""
    if len(payload) > _OFFLOAD_BYTES:
        payload, removed = await asyncio.to_thread(without_secrets, payload, operation)
    else:
        payload, removed = without_secrets(payload, operation)
    if removed:
        facts["secrets_removed"] = removed
    return payload


async def sealed(
    keys: DataKeys, payload: bytes, subject: Subject, entry_id: str, annex: bytes = b""
) -> tuple[EncryptedPayload, Row | None]:
    """Return a payload encrypted for an entry, and the row of its key where that is new."""
    key, made = keys.key_for(subject.scope, subject.data_class)
    if len(payload) + len(annex) > _OFFLOAD_BYTES:
        kept = await asyncio.to_thread(encrypt_payload, payload, key, entry_id, annex)
    else:
        kept = encrypt_payload(payload, key, entry_id, annex)
    return kept, None if made is None else data_key_row(made)
