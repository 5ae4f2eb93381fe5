"""What every process asks before it serves: whether its database keeps what it acknowledges.

A server that may forget ends the process with one clear line; one that cannot be reached
does not, because readiness says so and it may come back.
"""

from __future__ import annotations

import sys
from typing import Final

import psycopg

from config.env import Env
from config.places import Places
from ledger.durability import NotDurable, examined

EXIT_STATUS: Final = 78  # EX_CONFIG: starting again changes nothing
_REFUSED: Final = "This database may lose what it has acknowledged, so it is not used."


def require_durable_database(address: str = "") -> None:
    """End this process when its database may lose commits."""
    noted = Places.from_environ().read_runtime().database_url
    address = address or Env().secret("DATABASE_URL") or noted
    if not address:
        return
    try:
        with psycopg.connect(address, autocommit=True, connect_timeout=5) as connection:
            found = examined(connection)
            found.require()
    except NotDurable as error:
        sys.stderr.write(f"{_REFUSED} {error}\n")
        raise SystemExit(EXIT_STATUS) from None
    except psycopg.Error:
        return
    for warning in found.warnings:
        sys.stderr.write(f"{warning}\n")
