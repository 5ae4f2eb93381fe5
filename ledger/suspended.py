"""Whether the newest epoch is suspended, as a question to any connection. No Django.

The trigger on the entries refuses anyway; asking first lets a process say why, and keep
still instead of failing at every call.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg

QUERY: Final = (
    "SELECT (SELECT found FROM ledger_suspension WHERE epoch_id ="
    " (SELECT max(number) FROM ledger_epoch))"
)

SUSPENDED: Final = "ledger_suspended"  # under which name the trigger refuses


class Suspended(psycopg.OperationalError):
    """Raised for a ledger that takes no entry until an operator opens a further epoch."""


def require_unsuspended(row: tuple[Any, ...] | None) -> None:
    """Judge the answer to `QUERY`. Raises: Suspended."""
    if row is not None and row[0] is not None:
        raise Suspended(str(row[0]))
