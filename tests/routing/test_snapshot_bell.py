"""The bell of the gateway's snapshot rings for every change that matters, and for no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import connection

VENDOR = """INSERT INTO routing_vendor (public_id, name, title, platform, dialect, base_url,
 auth_scheme, regions, data_classes, disabled_reason, created_at)
 VALUES (%s, %s, '', '', 'openai', 'https://models.example/v1', 'bearer', '{}', '{}', '', now())"""


@pytest.fixture
def heard(transactional_db: None, owner_address: str) -> Iterator[Callable[[], list[str]]]:
    with psycopg.connect(owner_address, autocommit=True) as listener:
        listener.execute("LISTEN unsprawl_snapshot")

        def now() -> list[str]:
            return [note.payload for note in listener.notifies(timeout=0.2)]

        yield now


def run(statement: str, *values: str | int | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_raw_inserts_updates_and_deletes_ring_with_the_name_of_the_table(heard):
    run(VENDOR, "ven_1", "one")
    assert heard() == ["routing_vendor"]
    run("UPDATE routing_vendor SET disabled_at = now()")
    assert heard() == ["routing_vendor"]
    run("DELETE FROM routing_vendor")
    assert heard() == ["routing_vendor"]


def test_noting_a_test_or_a_use_does_not_ring(heard):
    run(VENDOR, "ven_1", "one")
    heard()
    run("""UPDATE routing_vendor SET last_tested_at = now(), last_test = '{"ok": true}'""")
    run("UPDATE routing_vendor SET title = title")
    assert heard() == []


def test_truncating_rings_too(heard):
    run("TRUNCATE credentials_secret")
    assert heard() == ["credentials_secret"]


def test_every_table_of_the_snapshot_is_watched_for_every_kind_of_change(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, count(*) FROM pg_trigger"
            " WHERE tgfoid = 'unsprawl_ring_snapshot'::regproc GROUP BY 1"
        )
        watched = dict(cursor.fetchall())
    assert watched == dict.fromkeys(
        [
            "credentials_secret",
            "registry_agent",
            "registry_agentkey",
            "registry_person",
            "routing_budget",
            "routing_delegationend",
            "routing_model",
            "routing_route",
            "routing_routetarget",
            "routing_shift",
            "routing_stop",
            "routing_vendor",
            "rules_activation",
            "rules_grant",
        ],
        2,
    )
