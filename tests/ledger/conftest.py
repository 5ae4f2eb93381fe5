"""What the ledger's tests share: a superuser who tampers, and the application's role."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from config.embedded.postgres import SUPERUSER


@pytest.fixture
def superuser_address(owner_address: str, key_directory: Any) -> str:
    stored = json.loads((key_directory.parent / "postgres.passwords.json").read_text())
    return make_conninfo(owner_address, user=SUPERUSER, password=stored[SUPERUSER])


class Tamperer:
    """One who may switch the triggers off, as a superuser may, in the test's own transaction."""

    def execute(self, statement: Any, parameters: Any = None) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(statement, parameters)
            cursor.execute("SET LOCAL session_replication_role = origin")


@pytest.fixture
def tamperer(db: None) -> Tamperer:
    return Tamperer()


@pytest.fixture(scope="session")
def _granted(django_db_setup: None, django_db_blocker: Any) -> None:
    from ledger.grants import apply_grants, apply_sequencer_grants

    with django_db_blocker.unblock():
        apply_grants()
        apply_sequencer_grants()


@pytest.fixture
def app(_granted: None, app_address: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield a session of the application's own role."""
    with psycopg.connect(app_address, autocommit=True) as connection:
        yield connection
