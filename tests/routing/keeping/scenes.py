"""What agents said, of whom."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection

from kernel import clock
from kernel.refs import Ref, new_id
from kernel.sealing import RingFile
from ledger.datakeys import DataKeySource
from ledger.entries import Fields, Link, encrypt_payload
from ledger.models import DataKey, Payload
from ledger.record import append
from ledger.subjects import SubjectTags, scope_of

CANARY = b"canary-93bd41e0c5"
PERSON = "customer-8841"


def tag() -> str:
    return SubjectTags(settings.KEYS_DIR).tag(PERSON)


def say(agent: Any, text: bytes = CANARY, *, of: str = "", run: str = "run_a") -> Link:
    """Record what an agent said, as a gateway does: under a key of the data subject."""
    source = DataKeySource(RingFile(settings.KEYS_DIR, "payload").current)
    stands_for = SubjectTags(settings.KEYS_DIR).tag(of) if of else ""
    key, row = source.key_for(scope_of(agent.public_id, stands_for), "internal")
    assert row is not None
    DataKey.objects.create(
        dek_id=row.dek_id, scope=row.scope, data_class=row.data_class,
        ring_key_id=row.ring_key_id, wrapped_key=row.wrapped_key, created_at=row.created_at,
    )  # fmt: skip
    entry_id, now = new_id("ent"), clock.now()
    kept = encrypt_payload(text, key, entry_id)
    added = append(
        Fields("intent", "call.intended", Ref("agent", agent.public_id), Ref("model", "mod_1"),
               now, agent_id=agent.public_id, payload=kept, entry_id=entry_id),
        stream=run,
    )  # fmt: skip
    assert Payload.objects.filter(entry_id=entry_id).exists()
    return added


def plaintext_anywhere() -> list[str]:
    """Return the tables in which the canary stands in the clear."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p')"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT EXISTS (SELECT FROM "{table}" t WHERE t::text LIKE %s OR t::text LIKE %s'
                " OR t::text LIKE %s)",
                [f"%{CANARY.decode()}%", f"%{CANARY.hex()}%", f"%{PERSON}%"],
            )
            if cursor.fetchone() == (True,):
                found.append(table)
    return found
