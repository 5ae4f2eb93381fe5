"""From a PostgreSQL address to Django's DATABASES.

Owns the one translation, done by libpq's own parser, so a URL, a unix socket and every
libpq parameter mean the same to Django, to the gateway and to psql.
"""

from __future__ import annotations

from typing import Any, Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

# Commands that change the schema or read past the application's grants.
OWNER_COMMANDS: Final = frozenset({"prepare", "migrate", "sqlflush", "flush", "test", "epoch"})


def database_from(address: str, *, pool: int = 0, statement_timeout_ms: int = 0) -> dict[str, Any]:
    """Django's settings for one address. Raises ValueError without repeating the address."""
    try:
        parts = dict(conninfo_to_dict(address))
    except ProgrammingError:
        raise ValueError("is not a PostgreSQL address (postgresql://…)") from None
    settings: dict[str, Any] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", None) or "unsprawl",
        "USER": parts.pop("user", None) or "",
        "PASSWORD": parts.pop("password", None) or "",
        "HOST": parts.pop("host", None) or "",
        "PORT": str(parts.pop("port", None) or ""),
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {name: value for name, value in parts.items() if value is not None},
    }
    # A commit waits for the disk, whatever the role or the database was told.
    pinned = "-c synchronous_commit=on"
    if statement_timeout_ms:
        pinned += f" -c statement_timeout={statement_timeout_ms}"
    said = settings["OPTIONS"].get("options", "")
    settings["OPTIONS"]["options"] = f"{said} {pinned}".strip()
    if pool:
        # A request under ASGI runs in a thread of its own, so connections are shared through
        # a pool instead of being kept by thread.
        settings["OPTIONS"]["pool"] = {"min_size": 1, "max_size": pool, "timeout": 10}
    return settings
