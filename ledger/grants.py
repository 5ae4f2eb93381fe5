"""What the application's role may do: everything to its tables, except rewrite evidence.

Grants are the lock on the ledger: a role that was never given UPDATE needs no trigger to
stop it. Run by the owner of the tables at every start, so that a new table is never left
out and a grant made by hand does not last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction
from psycopg import sql

APP_ROLE: Final = "unsprawl_app"
SEQUENCER_ROLE: Final = "unsprawl_sequencer"
_EVERYTHING: Final = "SELECT, INSERT, UPDATE, DELETE"
# What is narrower than everything. Payload partitions are reached through their parent only.
NARROWER: Final = {
    "ledger_entry": "SELECT, INSERT",
    "ledger_payload": "SELECT, INSERT",
    "ledger_retiredringkey": "SELECT, INSERT",
    "ledger_artifact": "SELECT, INSERT",
    "ledger_datakey": "SELECT, INSERT, UPDATE",
    "ledger_chainhead": "SELECT, INSERT, UPDATE",
    "ledger_writer": "SELECT, INSERT, UPDATE",
    "ledger_epoch": "SELECT",
    "ledger_suspension": "SELECT",
    "ledger_leaf": "SELECT",
    "ledger_tile": "SELECT",
    "ledger_checkpoint": "SELECT",
    "ledger_checkpointsignature": "SELECT",
    "ledger_retentionfloor": "SELECT",
    "ledger_retentionage": "SELECT, INSERT",
    "ledger_legalhold": "SELECT, INSERT, UPDATE",
    "ledger_shredding": "SELECT",
    "ledger_droppedmonth": "SELECT",
    "ledger_sequencerreport": "SELECT",
    "django_migrations": "SELECT",
}
# All that the sequencer may do: read what was recorded, add to the tree.
SEQUENCING: Final = {"ledger_entry": "SELECT"} | dict.fromkeys(
    (
        "ledger_epoch", "ledger_suspension", "ledger_leaf", "ledger_tile", "ledger_checkpoint",
        "ledger_checkpointsignature", "ledger_sequencerreport",
    ),
    "SELECT, INSERT",
)  # fmt: skip
# What the application may do only through functions that check for themselves, and run as the
# owner. No other role may: who adds to the tree has nothing to destroy.
FUNCTIONS: Final = (
    "ledger_shreddable(text[], text)",
    "ledger_shred(text, text, text, text[], bigint, bytea)",
    "ledger_keep_months_ahead()",
    "ledger_drop_month(text, text)",
)


@dataclass(frozen=True, slots=True)
class Granted:
    """What was done; ``reason`` says why nothing could be."""

    role: str
    tables: int = 0
    reason: str = ""


def apply_grants(app_role: str = APP_ROLE) -> Granted:
    """Give the application's role exactly its rights, making the role where that is permitted."""
    return _apply(app_role, NARROWER, _EVERYTHING, FUNCTIONS)


def apply_sequencer_grants(role: str = SEQUENCER_ROLE) -> Granted:
    """Give the sequencer's role its own."""
    return _apply(role, SEQUENCING, "", ())


def _apply(
    app_role: str, narrower: dict[str, str], otherwise: str, functions: tuple[str, ...]
) -> Granted:
    with transaction.atomic(), connection.cursor() as cursor:
        if not _has_role(cursor, app_role) and not _make_role(cursor, app_role):
            return Granted(app_role, reason="the role does not exist and this user may not make it")
        role = sql.Identifier(app_role)
        _run(cursor, "GRANT USAGE ON SCHEMA public TO {}", role)
        if otherwise:
            _run(cursor, "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}", role)
        rights = _rights(cursor, narrower, otherwise)
        for table, right in rights.items():
            name = sql.Identifier("public", table)
            _run(cursor, "REVOKE ALL ON {} FROM {}", name, role)
            if right:
                _run(cursor, "GRANT {} ON {} TO {}", sql.SQL(right), name, role)
        for function in FUNCTIONS:
            _run(cursor, f"REVOKE ALL ON FUNCTION {function} FROM {{}}", role)
        for function in functions:
            _run(cursor, f"GRANT EXECUTE ON FUNCTION {function} TO {{}}", role)
    return Granted(app_role, tables=sum(map(bool, rights.values())))


def can_rewrite() -> bool:
    """Say whether the connected role could drop the guards: it owns the ledger, or everything."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class"
            " WHERE oid = to_regclass('ledger_entry')"
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def _rights(cursor: Any, narrower: dict[str, str], otherwise: str) -> dict[str, str]:
    cursor.execute(
        "SELECT relname, relispartition FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')"
        " AND pg_has_role(current_user, relowner, 'USAGE') ORDER BY relname"
    )
    return {
        table: "" if is_partition else narrower.get(table, otherwise)
        for table, is_partition in cursor.fetchall()
    }


def _has_role(cursor: Any, role: str) -> bool:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
    return cursor.fetchone() is not None


def _make_role(cursor: Any, role: str) -> bool:
    cursor.execute("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
    if cursor.fetchone() != (True,):
        return False
    _run(cursor, "CREATE ROLE {} NOLOGIN", sql.Identifier(role))
    return True


def _run(cursor: Any, statement: str, *parts: sql.Composable) -> None:
    cursor.execute(sql.SQL(statement).format(*parts))
