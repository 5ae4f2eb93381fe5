"""A second PostgreSQL, somebody else's: over TCP, with an administrator who is no superuser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg

from config.embedded import privilege
from config.embedded.postgres import Postgres

ADMIN = "crm_admin"
SCHEMA = f"""
CREATE ROLE {ADMIN} LOGIN CREATEROLE PASSWORD 'elsewhere-admin-canary-77aa31';
CREATE ROLE crm_writer NOLOGIN;
GRANT crm_writer TO {ADMIN} WITH ADMIN OPTION;
CREATE DATABASE crm OWNER {ADMIN};
"""
TABLES = """
CREATE TABLE invoices (id int PRIMARY KEY, amount int);
CREATE TABLE "Odd ""Name""x" (id int);
CREATE TABLE salaries (id int);
GRANT INSERT ON salaries TO crm_writer;
CREATE SCHEMA desk;
GRANT USAGE, CREATE ON SCHEMA desk TO crm_writer;
INSERT INTO invoices VALUES (1, 100);
"""


@dataclass
class Elsewhere:
    """The server, and who administers it."""

    server: Postgres
    log: Path
    admin_password: str = "elsewhere-admin-canary-77aa31"

    @classmethod
    def start(cls, home: Path) -> Self:
        # Any address of 127/8 is this machine's: one of our own, so that its port is free.
        host = f"127.{os.urandom(1)[0] % 200 + 20}.{os.urandom(1)[0]}.{os.urandom(1)[0] % 250 + 2}"
        server = Postgres(
            home / "postgres", privilege.sockets_directory(), fsync=False, listens_on=host
        )
        server.home.parent.mkdir(exist_ok=True)
        server.create()
        found = cls(server, home / "postgres.log")
        found.spawn()
        with server.connect() as superuser:
            for statement in SCHEMA.strip().splitlines():
                superuser.execute(statement)
            superuser.execute("ALTER SYSTEM SET log_statement = 'all'")
            superuser.execute("ALTER SYSTEM SET log_connections = 'on'")
            superuser.execute("SELECT pg_reload_conf()")
        with found.admin() as session:
            session.execute(TABLES)
        return found

    @property
    def host(self) -> str:
        return self.server.listens_on

    @property
    def place(self) -> dict[str, Any]:
        return {"host": self.host, "database": "crm", "tls": "off"}

    def spawn(self) -> None:
        with self.log.open("ab") as log:
            self.server.spawn(log)
        self.server.wait_ready()

    @contextmanager
    def admin(self) -> Iterator[psycopg.Connection[Any]]:
        with self.sign_in(ADMIN, self.admin_password) as session:
            yield session

    def sign_in(self, user: str, password: str) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=self.host, dbname="crm", user=user, password=password, autocommit=True,
            sslmode="disable",
        )  # fmt: skip

    def roles(self) -> list[str]:
        with self.server.connect() as superuser:
            found = superuser.execute(
                "SELECT rolname FROM pg_roles WHERE rolname LIKE 'unsprawl%lse%' ORDER BY 1"
            ).fetchall()
        return [str(row[0]) for row in found]

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def destroy(self) -> None:
        self.server.destroy()
        shutil.rmtree(self.server.sockets, ignore_errors=True)
