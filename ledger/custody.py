"""The custody of payloads in one process: every one may put in, few may take out.

Whether a process may open payloads is its environment's word (``UNSPRAWL_OPENS``), not
the caller's. The private ring is read for each use and not kept.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from kernel.errors import DomainError
from kernel.opening import PrivateRing
from kernel.sealing import RingFile
from ledger import datakeys
from ledger.datakeys import ORG_SCOPE, DataKeySource
from ledger.entries import DataKeyInUse, EncryptedPayload, encrypt_payload
from ledger.errors import PayloadsClosed
from ledger.models import DataKey

RING = "payload"


def seal_payload(
    plaintext: bytes, entry_id: str, *, agent_id: str, data_class: str
) -> EncryptedPayload:
    """Encrypt a payload, with its key's row inserted first where no one has it yet."""
    source = _source(settings.KEYS_DIR)
    scope = agent_id or ORG_SCOPE
    key, row = source.key_for(scope, data_class)
    if not _is_usable(key, is_known=row is None):
        # Shredded since, perhaps by another process: what is recorded now gets a new key.
        source.forget(scope)
        key, row = source.key_for(scope, data_class)
    if row is not None:
        DataKey.objects.bulk_create(
            [
                DataKey(
                    dek_id=row.dek_id,
                    scope=row.scope,
                    data_class=row.data_class,
                    ring_key_id=row.ring_key_id,
                    wrapped_key=row.wrapped_key,
                    created_at=row.created_at,
                )
            ],
            ignore_conflicts=True,
        )
        transaction.on_commit(lambda: source.confirm(key.dek_id))
    return encrypt_payload(plaintext, key, entry_id)


def _is_usable(key: DataKeyInUse, *, is_known: bool) -> bool:
    # Plain SQL: asked for every payload there is.
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM ledger_datakey WHERE dek_id = %s", [key.dek_id])
        found = cursor.fetchone()
    return not is_known if found is None else found[0] == DataKey.State.ACTIVE


def open_data_key(row: DataKey) -> DataKeyInUse:
    """Return a data key in the clear. Raises: PayloadsClosed, RingUnreadable, CannotOpen."""
    if RING not in settings.OPENS:
        raise PayloadsClosed
    ring = PrivateRing.load(settings.KEYS_DIR, RING)
    bound = datakeys.identity(row.dek_id, row.scope, row.data_class)
    return DataKeyInUse(
        row.dek_id, ring.unwrap(row.ring_key_id, bytes(row.wrapped_key or b""), bound)
    )


def open_in_operators_shell() -> None:
    """Let this process open payloads if it is the operator's own shell.

    Every process of the service is told what it may open; only that shell is told nothing,
    and whoever has it can read the ring's file anyway. Each reading is on record all the same.
    """
    if "UNSPRAWL_OPENS" not in os.environ:
        settings.OPENS = frozenset({*settings.OPENS, RING})


def ring_is_readable() -> bool:
    """Say whether the private half of the payload ring can be read by this process."""
    try:
        PrivateRing.load(settings.KEYS_DIR, RING)
    except DomainError:
        return False
    return True


@cache
def _source(directory: Path) -> DataKeySource:
    return DataKeySource(RingFile(directory, RING).current)


def forget_keys() -> None:
    """Drop this process's data keys: their rows may be gone, as after a restore."""
    _source.cache_clear()
