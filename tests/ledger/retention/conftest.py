"""What these tests share: a journal of their own, keys of any age, ages already in force."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection


@pytest.fixture(autouse=True)
def shreds(settings: Any, tmp_path: Path) -> Path:
    """Give each test a shred journal of its own."""
    settings.SHREDS_DIR = tmp_path / "shreds"
    return tmp_path / "shreds"


@pytest.fixture
def aged(db: None) -> Callable[..., None]:
    """Return what makes every data key look as many days old."""

    def make(days: float, where: str = "true") -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(
                "UPDATE ledger_datakey SET created_at = now() - make_interval(hours => %s)"
                f" WHERE {where}",
                [int(days * 24)],
            )
            cursor.execute("SET LOCAL session_replication_role = origin")

    return make


@pytest.fixture
def in_force(db: None) -> Callable[..., None]:
    """Return what puts an age in force now, as if its notice had been given."""

    def put(data_class: str, days: int | None) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(
                "INSERT INTO ledger_retentionage"
                " (data_class, days, set_by, set_at, effective_at, entry)"
                " VALUES (%s, %s, 'x', now(), now(), 'ent_x')",
                [data_class, days],
            )
            cursor.execute("SET LOCAL session_replication_role = origin")

    return put
