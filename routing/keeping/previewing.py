"""What an erasure would destroy, and what would stay, before anybody decides.

Keys are counted exactly. Payloads are counted up to a limit: what lies under a key was
recorded in the hour after it was made, so only that much is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import connection

from ledger.models import LegalHold
from ledger.retention.legal_holds import holds_over
from routing.keeping.errors import HoldNotFound

COUNTED: Final = 100_000
_HELD_OF: Final = 20_000
# Keys of an erasure: of a data subject for every agent, of an agent for every data subject.
KEYS: Final = (
    "SELECT dek_id, scope, data_class, created_at FROM ledger_datakey WHERE state = 'active'"
    " AND split_part(scope, '/', CASE %(scope)s WHEN 'agent' THEN 1 ELSE 2 END) = %(subject)s"
    " AND (cardinality(%(classes)s::text[]) = 0 OR data_class = ANY (%(classes)s))"
    " AND (%(until)s::timestamptz IS NULL OR created_at <= %(until)s)"
)
# The entries whose payloads lie under some keys (a list of rows named k).
ENTRIES: Final = (
    " JOIN ledger_entry e ON e.agent_id = split_part(k.scope, '/', 1)"
    " AND e.recorded_at BETWEEN k.created_at - interval '10 minutes'"
    " AND k.created_at + interval '80 minutes'"
    " JOIN ledger_payload p ON p.entry_id = e.entry_id AND p.recorded_at = e.recorded_at"
    " AND p.dek_id = k.dek_id"
)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would go, what stays, and what is in the way."""

    keys: int
    agents: int
    classes: list[str]
    payloads: int
    runs: int
    bytes: int
    stored_responses: int
    oldest_at: datetime | None
    newest_at: datetime | None
    held_keys: int
    holds: list[LegalHold] = field(default_factory=list)

    @property
    def is_more(self) -> bool:
        return self.payloads > COUNTED


def asked(
    scope: str, subject: str, classes: list[str], until: datetime | None = None
) -> dict[str, Any]:
    """Return the parameters of `KEYS`."""
    return {"scope": scope, "subject": subject, "classes": classes, "until": until}


def preview(scope: str, subject: str, classes: list[str]) -> Preview:
    """Look what an erasure would destroy now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*),"  # noqa: S608
            " count(DISTINCT split_part(scope, '/', 1)),"
            " coalesce(array_agg(DISTINCT data_class), '{}'), min(created_at), max(created_at)"
            f" FROM ({KEYS}) AS k",
            asked(scope, subject, classes),
        )
        keys, agents, found, oldest, newest = cursor.fetchone() or (0, 0, [], None, None)
        cursor.execute(
            "WITH said AS MATERIALIZED"  # noqa: S608
            " (SELECT e.entry_id, e.stream, length(p.ciphertext) AS size"
            f" FROM ({KEYS}) AS k {ENTRIES} LIMIT {COUNTED + 1})"
            " SELECT count(*), count(DISTINCT stream) FILTER (WHERE stream LIKE 'run\\_%%'),"
            " coalesce(sum(size), 0), (SELECT count(*) FROM routing_storedresponse s"
            " WHERE s.intent_id IN (SELECT entry_id FROM said)) FROM said",
            asked(scope, subject, classes),
        )
        payloads, runs, size, stored = cursor.fetchone() or (0, 0, 0, 0)
        cursor.execute(
            f"SELECT dek_id FROM ({KEYS}) AS k LIMIT {_HELD_OF}",  # noqa: S608
            asked(scope, subject, classes),
        )
        held = holds_over([row[0] for row in cursor.fetchall()])
    return Preview(
        keys, agents, sorted(found), payloads, runs, int(size), stored, oldest, newest,
        len({dek for deks in held.values() for dek in deks}),
        list(LegalHold.objects.filter(public_id__in=held).order_by("placed_at")),
    )  # fmt: skip


def hold_named(public_id: str) -> LegalHold:
    """Return a hold. Raises: HoldNotFound."""
    found = LegalHold.objects.filter(public_id=public_id[:80].replace("\0", "")).first()
    if found is None:
        raise HoldNotFound(f"There is no legal hold {public_id[:80]!r}.")
    return found
