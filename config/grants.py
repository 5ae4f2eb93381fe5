"""What the application role may do: everything but rewrite the record.

Owns the grants, applied after every migration. The ledger's tables take INSERT and SELECT
from the application and nothing else; only the owner, which serves no request, migrates.
"""

from __future__ import annotations

from typing import Final

from django.apps import apps
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

GROUP: Final = "unsprawl_app"
# Chain heads, writers and data keys move on by design; these two only ever grow.
_APPEND_ONLY: Final = frozenset({"Entry", "Payload"})


def ledger_tables(*, only_growing: bool) -> list[str]:
    """The ledger's tables, or those of them that may never change."""
    return [
        model._meta.db_table
        for model in apps.get_app_config("ledger").get_models()
        if model.__name__ in _APPEND_ONLY or not only_growing
    ]


def apply() -> str:
    """Grant what the application needs; take back what it must never have."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [GROUP])
        if cursor.fetchone() is None:
            return f"skipped: no role {GROUP} on this server (docs/settings.md says how to make it)"
        cursor.execute("SELECT current_schema()")
        schema, group = sql.Identifier(cursor.fetchone()[0]), sql.Identifier(GROUP)
        for statement in (
            "GRANT USAGE ON SCHEMA {schema} TO {group}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {group}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {group}",
            "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {group}",
            "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {group}",
        ):
            cursor.execute(sql.SQL(statement).format(schema=schema, group=group))
        for rights, only_growing in (("DELETE, TRUNCATE", False), ("UPDATE", True)):
            for table in _with_partitions(cursor, ledger_tables(only_growing=only_growing)):
                cursor.execute(
                    sql.SQL("REVOKE {rights} ON {table} FROM {group}").format(
                        rights=sql.SQL(rights), table=sql.Identifier(table), group=group
                    )
                )
    return "applied"


def _with_partitions(cursor: CursorWrapper, tables: list[str]) -> list[str]:
    # A partition can be written directly, so the parent's grants are not enough.
    cursor.execute(
        "SELECT relname FROM pg_class WHERE oid = ANY(%(roots)s::regclass[]) UNION "
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = ANY(%(roots)s::regclass[])",
        {"roots": tables},
    )
    return [row[0] for row in cursor.fetchall()]
