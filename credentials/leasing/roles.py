"""Dynamic PostgreSQL roles: made for one sending, with a time, and dropped after it.

The row of the lease is committed before the role exists and names it, so a role that a killed
worker left is found and dropped. The password is made here, and only what checks it (a SCRAM
verifier) is in the statement. A role is gone when its sessions, what it owned and itself are.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import psycopg
from django.conf import settings as service
from django.db import transaction
from psycopg import errors, sql

from credentials.broker import SecretText
from credentials.databases import DatabasePlace, fault_of
from credentials.errors import AddressRefused, FetchFailed, NotLent, SecretNotFound
from credentials.leasing import books
from credentials.leasing.books import LEASES, Wanted
from credentials.leasing.grants import Grant, member_of
from credentials.leasing.terms import Reader, invalid
from credentials.models import Lease
from credentials.opening import open_tool_secret
from kernel import clock
from kernel.refs import Ref, new_id
from kernel.sealing import CannotOpen
from ledger.record import record
from ledger.verbs import Verb

PREFIX: Final = "unsprawl_lse_"
_GOODBYE_SECONDS: Final = 3.0
_UNREACHED: Final = (psycopg.Error, AddressRefused, FetchFailed)


@dataclass(frozen=True, slots=True)
class RoleTerms:
    """Where roles are made, by whom, and what they may do."""

    place: DatabasePlace
    admin_user: str
    grants: tuple[Grant, ...]
    member_of: tuple[str, ...]
    connection_limit: int

    @classmethod
    def read(cls, settings: Mapping[str, Any], *, allow_private: bool = False) -> Self:
        """Raises: CredentialSettingsInvalid, AddressRefused."""
        reader = Reader(settings)
        place = DatabasePlace.taken_from(reader, allow_private=allow_private)
        admin = reader.text("admin_user", longest=63)
        grants = [
            Grant.read(given, f"grants/{at}") for at, given in enumerate(reader.items("grants"))
        ]
        roles = [
            member_of(given, f"member_of/{at}")
            for at, given in enumerate(reader.items("member_of"))
        ]
        limit = reader.number("connection_limit", default=1, least=1, most=20)
        reader.done()
        if not grants and not roles:
            raise invalid("grants", "say what a role may do: grants, or roles it is a member of.")
        return cls(place, admin, tuple(grants), tuple(roles), limit)


@dataclass(frozen=True, slots=True)
class Server:
    """Where roles are made and dropped, and who does it; kept with each lease."""

    place: DatabasePlace
    admin_user: str
    connection: Ref

    @classmethod
    def of(cls, lease: Lease) -> Self:
        terms = dict(lease.terms)
        return cls(
            DatabasePlace(**terms["place"]), terms["admin_user"], Ref.parse(lease.connection)
        )

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection[Any]]:
        """Raises: SecretNotFound, CannotOpen, AddressRefused, FetchFailed, psycopg.Error."""
        _, password = open_tool_secret(self.connection)
        with self.place.session(self.admin_user, password) as opened:
            yield opened


@contextmanager
def lent_role(
    wanted: Wanted, settings: Mapping[str, Any], *, allow_private: bool
) -> Iterator[tuple[Lease, SecretText]]:
    """Make a role, lend it, and drop it. Raises: NotLent, LeaseRefused."""
    terms = RoleTerms.read(settings, allow_private=allow_private)
    server = Server(terms.place, terms.admin_user, wanted.connection)
    open_tool_secret(wanted.connection)  # without it nothing is issued
    lease_id = new_id("lse")
    kept = {"place": asdict(terms.place), "admin_user": terms.admin_user}
    lease = books.issue(wanted, f"unsprawl_{lease_id}", terms=kept, lease_id=lease_id)
    password = SecretText(secrets.token_urlsafe(32))
    own_seconds = 0.0
    try:
        _make(server, terms, lease, password)
        own_seconds = 60.0  # dropped at once by whoever lent it; a sweep follows if it is killed
        yield lease, password
    finally:
        goal = Lease.State.RETURNED
        books.begin_ending(lease, goal, actor=books.EXECUTOR, own_seconds=own_seconds)


def _make(server: Server, terms: RoleTerms, lease: Lease, password: SecretText) -> None:
    try:
        with server.session() as session, session.transaction():
            for statement in _statements(terms, lease, _verifier(session, password, lease.handle)):
                session.execute(statement)
    except _UNREACHED as error:
        # Perhaps it was made all the same: the row names it, and it is dropped like any.
        raise NotLent(reason=str(fault_of(error))) from None


def _verifier(session: psycopg.Connection[Any], password: SecretText, role: str) -> str:
    made = session.pgconn.encrypt_password(
        password.reveal().encode(), role.encode(), b"scram-sha-256"
    )
    return made.decode()


def _statements(terms: RoleTerms, lease: Lease, verifier: str) -> Iterator[sql.Composed]:
    role = sql.Identifier(lease.handle)
    yield sql.SQL(
        "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
        " INHERIT CONNECTION LIMIT {} VALID UNTIL {} PASSWORD {}"
    ).format(
        role, sql.Literal(terms.connection_limit),
        sql.Literal(clock.stamp(lease.expires_at)), sql.Literal(verifier),
    )  # fmt: skip
    yield sql.SQL("COMMENT ON ROLE {} IS {}").format(role, sql.Literal(_mark()))
    for grant in terms.grants:
        yield grant.statement(lease.handle)
    for name in terms.member_of:
        yield sql.SQL("GRANT {} TO {}").format(sql.Identifier(name), role)


def _mark() -> str:
    # Two installations may share a server: each drops its own orphans only.
    digest = hashlib.sha256(service.PUBLIC_URL.encode()).hexdigest()
    return f"unsprawl lease of {digest[:16]}"


def end_role(lease: Lease) -> str | None:
    """Drop the role of a lease; None when it is gone, else why not."""
    try:
        with Server.of(lease).session() as session:
            _drop(session, lease.handle)
    except (SecretNotFound, CannotOpen):
        return "secret"
    except _UNREACHED as error:
        return str(fault_of(error))
    return None


def _drop(session: psycopg.Connection[Any], name: str) -> None:
    """Drop a role and everything of it. Raises: psycopg.Error."""
    role = sql.Identifier(name)
    if not _exists(session, name):
        return
    session.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(role))
    # A role's maker administers it and is not yet a member of it, which ending it takes.
    how = " WITH INHERIT TRUE, SET TRUE" if session.info.server_version >= 160000 else ""
    session.execute(sql.SQL("GRANT {} TO CURRENT_USER" + how).format(role))
    _say_goodbye(session, name)
    with session.transaction():
        session.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(role))
        session.execute(sql.SQL("DROP OWNED BY {}").format(role))
        session.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))


def _exists(session: psycopg.Connection[Any], name: str) -> bool:
    found = session.execute("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", [name])
    return found.fetchone() is not None


def _say_goodbye(session: psycopg.Connection[Any], name: str) -> None:
    """End a role's sessions and wait until they are gone. Raises: psycopg.Error."""
    deadline = time.monotonic() + _GOODBYE_SECONDS
    while session.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [name]
    ).fetchone():
        if time.monotonic() > deadline:
            raise errors.ObjectInUse
        time.sleep(0.05)


def drop_orphans(server: Server) -> list[str]:
    """Drop the roles that we made on a server and no open lease knows; return their names.

    After a restore of our own database there may be such. Roles of another installation carry
    another mark and are left alone.

    Records: lease.orphan_dropped for each. Raises: NotLent.
    """
    dropped = []
    try:
        with server.session() as session:
            for name in _orphans(session):
                _drop(session, name)
                _note_orphan(server, name)
                dropped.append(name)
    except _UNREACHED as error:
        raise NotLent(reason=str(fault_of(error))) from None
    return dropped


def _orphans(session: psycopg.Connection[Any]) -> list[str]:
    # Roles first, rows after: a role's row is older than the role.
    rows = session.execute(
        "SELECT rolname FROM pg_catalog.pg_roles WHERE starts_with(rolname, %s)"
        " AND shobj_description(oid, 'pg_authid') = %s ORDER BY 1",
        [PREFIX, _mark()],
    ).fetchall()
    names = [str(row[0]) for row in rows]
    open_leases = Lease.objects.filter(handle__in=names, state__in=Lease.OPEN)
    return sorted(set(names) - set(open_leases.values_list("handle", flat=True)))


@transaction.atomic
def _note_orphan(server: Server, name: str) -> None:
    record(
        Verb.LEASE_ORPHAN_DROPPED,
        Ref("lease", name.removeprefix("unsprawl_")),
        actor=LEASES,
        facts={"connection": str(server.connection), "handle": name},
    )
