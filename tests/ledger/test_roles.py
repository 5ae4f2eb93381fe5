"""What the roles of application and sequencer can do to the ledger besides their work: nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

TABLES = (
    "entry", "payload", "datakey", "chainhead", "writer", "epoch", "suspension", "leaf", "tile",
    "checkpoint", "checkpointsignature",
)  # fmt: skip
REFUSED = (errors.InsufficientPrivilege, errors.WrongObjectType, errors.InvalidGrantOperation)


@pytest.fixture(params=["app_address", "sequencer_address"])
def session(request: pytest.FixtureRequest, _granted: None) -> Iterator[psycopg.Connection[Any]]:
    """Yield a session of a role, as it is after it has logged in."""
    address = request.getfixturevalue(request.param)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '2s'")
        yield connection


@pytest.mark.parametrize("table", TABLES)
def test_no_table_of_the_ledger_is_rewritten(session: psycopg.Connection[Any], table: str) -> None:
    name = f"ledger_{table}"
    for statement in (
        f"DELETE FROM {name}",
        f"TRUNCATE {name}",
        f"DROP TABLE {name}",
        f"ALTER TABLE {name} DISABLE TRIGGER ALL",
        f"ALTER TABLE {name} ADD COLUMN x int",
        f"ALTER TABLE {name} RENAME TO gone",
        f"CREATE INDEX ON {name} ((1))",
        f"CREATE RULE away AS ON INSERT TO {name} DO INSTEAD NOTHING",
        f"COPY {name} FROM '/etc/hostname'",
        f"COPY {name} FROM PROGRAM 'true'",
        f"COPY {name} TO '/nowhere/x'",
        f"CREATE TRIGGER mine BEFORE INSERT ON {name} EXECUTE FUNCTION ledger_refuse()",
    ):
        try:
            session.execute(statement)
        except REFUSED:
            continue
        raise AssertionError(f"{session.info.user} may: {statement}")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET header = ''",
        "UPDATE ledger_leaf SET entry = 1",
        "UPDATE ledger_checkpoint SET root = ''",
        "UPDATE ledger_epoch SET reason = 'x'",
        "SET session_replication_role = replica",
        "SET ROLE unsprawl_owner",
        "SET ROLE unsprawl_super",
        "SET SESSION AUTHORIZATION unsprawl_owner",
        "ALTER ROLE current_user SUPERUSER",
        "ALTER SYSTEM SET fsync = off",
        "SELECT lo_import('/etc/hostname')",
        "SELECT pg_read_file('/etc/hostname')",
        "SELECT pg_reload_conf()",
        "CREATE TABLE public.mine (n int)",
        "CREATE SCHEMA mine",
        "CREATE EXTENSION dblink",
        "CREATE OR REPLACE FUNCTION public.ledger_refuse() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NULL; END $$",
        "DROP FUNCTION ledger_refuse() CASCADE",
        "DO $$ BEGIN EXECUTE 'ALTER TABLE ledger_entry DISABLE TRIGGER ALL'; END $$",
    ],
)
def test_no_way_around_the_grants_is_open(session: psycopg.Connection[Any], statement: str) -> None:
    with pytest.raises(REFUSED):
        session.execute(statement)


def test_neither_owns_anything(session: psycopg.Connection[Any]) -> None:
    owned = session.execute(
        "SELECT count(*) FROM pg_class WHERE pg_has_role(current_user, relowner, 'USAGE')"
    ).fetchone()
    assert owned == (0,)
