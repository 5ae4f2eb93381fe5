"""Sequencing in a test's own transaction: everything recorded so far gets its place at once."""

from __future__ import annotations

from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection as django_connection
from psycopg import sql

from ledger.sequencing.keys import SigningKey
from ledger.sequencing.sequencer import Sequencer, Stepped

HOST = "ledger.example"
LOG_KEY = SigningKey.of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
# A test's rows are seldom committed, and nobody else writes: no transaction is waited for.
EVERYTHING = sql.SQL("'18446744073709551615'::xid8")


def sequence_now(
    connection: psycopg.Connection[Any] | None = None,
    *,
    key: SigningKey = LOG_KEY,
    host: str = HOST,
    limit: int = 1_000,
) -> list[Stepped]:
    """Sequence and sign everything; return the steps it took. Django's connection unless given."""
    if connection is None:
        django_connection.ensure_connection()
        connection = django_connection.connection
    assert connection is not None
    sequencer = Sequencer(connection, key, host=host, horizon=EVERYTHING)
    steps: list[Stepped] = []
    while (stepped := sequencer.step(limit)).entries:
        steps.append(stepped)
    return steps
