"""What the roles of application and sequencer can do to the ledger besides their work: nothing."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

TABLES = (
    "entry", "payload", "datakey", "chainhead", "writer", "epoch", "suspension", "leaf", "tile",
    "checkpoint", "checkpointsignature",
)  # fmt: skip
ROLES = ("unsprawl_web", "unsprawl_sequencer")
REFUSED = (errors.InsufficientPrivilege, errors.WrongObjectType, errors.InvalidGrantOperation)


@pytest.fixture(params=ROLES)
def session(
    request: pytest.FixtureRequest,
    superuser_address: str,
    key_directory: Path,
    _granted: None,
    db: None,
) -> Iterator[psycopg.Connection[Any]]:
    """Yield a session of a role, as it is after it has logged in."""
    password = "only-here"
    with (
        (key_directory.parent / "roles.lock").open("w") as alone,
        psycopg.connect(superuser_address, autocommit=True) as superuser,
    ):
        fcntl.flock(alone, fcntl.LOCK_EX)  # a role is the whole server's, not a database's
        ((secret,),) = superuser.execute(
            "SELECT rolpassword FROM pg_authid WHERE rolname = %s", [request.param]
        ).fetchall()
        role = sql.Identifier(request.param)
        superuser.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
        try:
            address = make_conninfo(superuser_address, user=request.param, password=password)
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute("SET lock_timeout = '2s'")
                yield connection
        finally:
            superuser.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(secret))
            )


@pytest.mark.xdist_group("roles")
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
        f"COPY {name} TO '/tmp/x'",
        f"CREATE TRIGGER mine BEFORE INSERT ON {name} EXECUTE FUNCTION ledger_refuse()",
    ):
        try:
            session.execute(statement)
        except REFUSED:
            continue
        raise AssertionError(f"{session.info.user} may: {statement}")


@pytest.mark.xdist_group("roles")
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


@pytest.mark.xdist_group("roles")
def test_neither_owns_anything(session: psycopg.Connection[Any]) -> None:
    owned = session.execute(
        "SELECT count(*) FROM pg_class WHERE pg_has_role(current_user, relowner, 'USAGE')"
    ).fetchone()
    assert owned == (0,)
