"""The months that payloads lie in. The owner makes them ahead; the default one takes the rest."""

from __future__ import annotations

from django.db import connection

MONTHS_AHEAD = 12


def ensure_partitions(months: int = MONTHS_AHEAD) -> int:
    """Make the partitions of this month and of those ahead; return how many are new."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_ensure_partitions(%s)", [months])
        row = cursor.fetchone()
    return int(row[0]) if row else 0
