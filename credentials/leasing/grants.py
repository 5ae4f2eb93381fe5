"""What a dynamic role may do: privileges on named things, composed without free SQL.

An administrator names the things; an agent names nothing. Identifiers are quoted, privileges
come from a list for each kind of thing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from psycopg import sql

from credentials.leasing.terms import Reader, invalid

_PRIVILEGES: Final = {
    "table": ("select", "insert", "update", "delete"),
    "sequence": ("usage", "select"),
    "schema": ("usage",),
    "routine": ("execute",),
}
_WITH_COLUMNS: Final = frozenset({"select", "insert", "update"})
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,63}")
# Membership in these is a way out of the database, or into everything.
_NEVER: Final = re.compile(r"pg_.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Grant:
    """Some privileges on one thing."""

    kind: str
    name: tuple[str, ...]
    privileges: tuple[str, ...]
    columns: tuple[str, ...] = ()

    @classmethod
    def read(cls, given: object, field: str) -> Self:
        """Raises: CredentialSettingsInvalid."""
        if not isinstance(given, Mapping):
            raise invalid(field, "give an object such as {table, privileges}.")
        named = [kind for kind in _PRIVILEGES if kind in given]
        if len(named) != 1:
            raise invalid(field, f"name one of {', '.join(_PRIVILEGES)}.")
        kind = named[0]
        reader = Reader(given)
        name = tuple(_part(part, field) for part in reader.text(kind).split("."))
        if len(name) > (1 if kind == "schema" else 2):
            raise invalid(field, "write schema.name.")
        privileges = tuple(_privilege(each, kind, field) for each in reader.items("privileges"))
        columns = tuple(_part(each, field) for each in reader.items("columns", most=200))
        reader.done()
        if not privileges:
            raise invalid(field, "name at least one privilege.")
        if columns and (kind != "table" or not set(privileges) <= _WITH_COLUMNS):
            raise invalid(field, "only select, insert and update of a table take columns.")
        return cls(kind, name, privileges, columns)

    def statement(self, role: str) -> sql.Composed:
        columns: sql.Composable = sql.SQL("")
        if self.columns:
            listed = sql.SQL(", ").join(map(sql.Identifier, self.columns))
            columns = sql.SQL(" ({})").format(listed)
        privileges = sql.SQL(", ").join(
            sql.SQL("{}{}").format(sql.SQL(_KEYWORDS[each]), columns) for each in self.privileges
        )
        return sql.SQL("GRANT {} ON {} {} TO {}").format(
            privileges, sql.SQL(_KINDS[self.kind]), sql.Identifier(*self.name), sql.Identifier(role)
        )


_KEYWORDS: Final[dict[str, Any]] = {
    "select": "SELECT", "insert": "INSERT", "update": "UPDATE", "delete": "DELETE",
    "usage": "USAGE", "execute": "EXECUTE",
}  # fmt: skip
_KINDS: Final[dict[str, Any]] = {
    "table": "TABLE", "sequence": "SEQUENCE", "schema": "SCHEMA", "routine": "ROUTINE",
}  # fmt: skip


def member_of(given: object, field: str) -> str:
    """Read the name of a role that a lease's role becomes a member of."""
    name = _part(given, field)
    if _NEVER.fullmatch(name):
        raise invalid(field, "a role of the server itself is lent to nobody.")
    return name


def _part(given: object, field: str) -> str:
    if not isinstance(given, str) or not _NAME.fullmatch(given) or len(given.encode()) > 63:
        raise invalid(field, "a name has 1 to 63 bytes and no control characters.")
    return given


def _privilege(given: object, kind: str, field: str) -> str:
    name = given.lower() if isinstance(given, str) else ""
    if name not in _PRIVILEGES[kind]:
        raise invalid(field, f"privileges on a {kind}: {', '.join(_PRIVILEGES[kind])}.")
    return name
