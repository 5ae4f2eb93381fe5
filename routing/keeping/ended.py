"""Destroying what an agent said that is retired, by its plan: never below the floor, nor held.

The batch, its tombstone and its count are one commit, as an erasure's are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from django.db import connection, transaction

from kernel.refs import Ref
from ledger.entries import Fact
from ledger.retention.shredding import BATCH, shred
from routing.keeping.erasing import forget_copies
from routing.keeping.previewing import KEYS, asked


@transaction.atomic
def destroy_following(  # noqa: PLR0913  one batch, said in one call with named parts
    agent_id: str,
    last: str,
    *,
    before: datetime,
    subject: Ref,
    facts: Mapping[str, Fact],
    actor: Ref,
    note: Callable[[int], None],
) -> list[str]:
    """Destroy the next keys of an agent that are older than a moment; return those looked at.

    Records: datakey.shredded. Raises: ShredJournalUnusable; OperationalError when writers kept
    it waiting.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT dek_id FROM ({KEYS}) AS k WHERE dek_id > %(last)s ORDER BY dek_id"  # noqa: S608
            " LIMIT %(most)s",
            asked("agent", agent_id, [], before) | {"last": last, "most": BATCH},
        )
        keys = [row[0] for row in cursor.fetchall()]
    if keys:
        forget_copies(keys)
        done = shred(
            keys, why="request", subject=subject, actor=actor, facts=facts, agent_id=agent_id
        )
        note(done.keys)
    return keys


def left_of(agent_id: str) -> int:
    """Count the keys of an agent that still open something."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({KEYS}) AS k", asked("agent", agent_id, []))  # noqa: S608
        row = cursor.fetchone()
    return int(row[0]) if row else 0
