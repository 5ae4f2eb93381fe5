"""Processes that are given a server which may forget: real ones, both of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.durable import EXIT_STATUS, require_durable_database
from config.embedded import privilege
from config.embedded.postgres import LOGIN, OWNER, Postgres
from config.places import BASE_DIR, Places
from kernel.sealing import ensure_key_rings


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    sockets = privilege.sockets_directory()
    places = Places(sockets / "home")
    places.make()
    server = Postgres(places.postgres, sockets)
    server.create()
    server.spawn()
    server.wait_ready()
    server.ensure_roles()
    yield server
    server.destroy()
    shutil.rmtree(sockets, ignore_errors=True)


@pytest.fixture
def forgetful(cluster: Postgres) -> Iterator[str]:
    """Yield the address of a role whose commits do not wait for the disk."""
    with cluster.connect() as superuser:
        superuser.execute(f"ALTER ROLE {LOGIN} SET synchronous_commit = off")
    yield cluster.address(LOGIN)
    with cluster.connect() as superuser:
        superuser.execute(f"ALTER ROLE {LOGIN} RESET synchronous_commit")


@pytest.mark.parametrize(
    "command",
    [
        ("-m", "config.gateway_asgi"),
        ("-m", "config.web"),
        ("-m", "config.worker"),
        ("manage.py", "prepare"),
    ],
)
def test_no_process_starts_over_a_database_that_may_forget(
    cluster: Postgres, forgetful: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    ensure_key_rings(tmp_path / "keys")
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=BASE_DIR,
        env={
            "PATH": os.environ["PATH"],
            "UNSPRAWL_DATA_DIR": str(tmp_path),
            "UNSPRAWL_OPENS": "vendor",
            "UNSPRAWL_SECRET_KEY": "s" * 48,
            "DATABASE_URL": forgetful,
            "DATABASE_OWNER_URL": cluster.address(OWNER),
            "PORT": "1",
        },
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == EXIT_STATUS, ended.stderr
    assert "synchronous_commit is off" in ended.stderr
    assert "ALTER SYSTEM SET" in ended.stderr
    assert cluster.passwords[LOGIN] not in ended.stderr


def test_a_durable_or_absent_database_is_no_reason_to_end(cluster: Postgres) -> None:
    require_durable_database(cluster.address(LOGIN))
    require_durable_database("postgresql://nobody@/unsprawl?host=/nonexistent")


def test_checksums_are_turned_on_where_an_older_release_left_them_off(cluster: Postgres) -> None:
    cluster.stop()
    assert not cluster.ensure_checksums()
    assert cluster._ran("pg_checksums", "--disable", "-D", cluster.data).returncode == 0

    assert cluster.ensure_checksums()

    cluster.spawn()
    cluster.wait_ready()
    with cluster.connect() as superuser:
        assert superuser.execute("SHOW data_checksums").fetchone() == ("on",)
