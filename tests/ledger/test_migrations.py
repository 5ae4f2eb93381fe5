from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection


def tables_and_triggers() -> set[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE NOT t.tgisinternal AND c.relname ~ '^(ledger|credentials)_'"
            " UNION SELECT relname, '' FROM pg_class"
            " WHERE relkind IN ('r', 'p') AND relname ~ '^(ledger|credentials)_'"
        )
        return set(cursor.fetchall())


@pytest.mark.django_db
def test_the_guards_can_be_taken_off_and_put_on_again() -> None:
    before = tables_and_triggers()
    call_command("migrate", "ledger", "0001", verbosity=0, interactive=False)
    without = tables_and_triggers()
    assert {name for name, trigger in without if trigger and name.startswith("ledger")} == set()
    assert ("ledger_payload", "") not in without
    assert ("ledger_entry", "") in without
    call_command("migrate", verbosity=0, interactive=False)
    assert tables_and_triggers() == before
