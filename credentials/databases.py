"""Sessions with PostgreSQL servers of others: a vetted address, one deadline, no weak sign-in.

The host is resolved once and every address of it vetted, as for every other door; the
connection goes to that address and the name stays in the certificate's check. The password
is proven by SCRAM or not at all: a server that asks for it in the clear is left.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

import psycopg
from psycopg import errors

from credentials.broker import SecretText
from credentials.dialling import Place
from credentials.errors import AddressRefused, FetchFailed
from credentials.leasing.terms import Reader, invalid

SECONDS: Final = 10.0
_TLS: Final = ("verify", "off")


class DatabaseFault(StrEnum):
    """Why a session did not come about, or broke off. A fixed list, in none of their words."""

    ADDRESS = "address"
    UNREACHABLE = "unreachable"
    SIGN_IN = "sign_in"
    PRIVILEGE = "privilege"
    MISSING = "missing"
    IN_USE = "in_use"
    TIMED_OUT = "timed_out"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class DatabasePlace:
    """One database of one server."""

    MEMBERS: ClassVar = ("host", "port", "database", "tls", "ca_pem")

    host: str
    port: int
    database: str
    tls: str
    ca_pem: str = field(default="", repr=False)
    allow_private: bool = False

    @classmethod
    def read(cls, settings: Mapping[str, Any], *, allow_private: bool = False) -> Self:
        """Raises: CredentialSettingsInvalid, AddressRefused."""
        reader = Reader(settings)
        found = cls.taken_from(reader, allow_private=allow_private)
        reader.done()
        return found

    @classmethod
    def taken_from(cls, reader: Reader, *, allow_private: bool = False) -> Self:
        """Take what names a server, and leave the rest. Raises: CredentialSettingsInvalid."""
        found = cls(
            host=reader.text("host"),
            port=reader.number("port", default=5432, least=1, most=65535),
            database=reader.text("database", longest=63),
            tls=reader.choice("tls", _TLS, default="verify"),
            ca_pem=reader.pem("ca_pem"),
            allow_private=allow_private,
        )
        if found.tls == "off" and not allow_private:
            raise invalid("tls", "only a server inside may be spoken to without TLS.")
        found.dialled()
        return found

    def dialled(self) -> Place:
        """Return the vetted way there. Raises: AddressRefused."""
        return Place.parse(f"{self.host}:{self.port}", allow_private=self.allow_private)

    @contextmanager
    def session(
        self, user: str, password: SecretText, *, seconds: float = 0.0
    ) -> Iterator[psycopg.Connection[Any]]:
        """Open a session that ends by its deadline, whatever the server does.

        Raises: AddressRefused, FetchFailed, psycopg.Error.
        """
        seconds = seconds or SECONDS
        address = self.dialled().addresses()[0]
        with _certificates(self.ca_pem, needed=self.tls == "verify") as root, _reaching():
            connection = psycopg.connect(
                host=self.host.strip("[]"), hostaddr=address, port=self.port,
                dbname=self.database, user=user, password=password.reveal(),
                sslmode="verify-full" if self.tls == "verify" else "disable",
                sslrootcert=root, sslcertmode="disable", gssencmode="disable",
                require_auth="scram-sha-256", passfile=os.devnull, application_name="unsprawl",
                connect_timeout=max(2, int(seconds)), client_encoding="utf8", autocommit=True,
            )  # fmt: skip
        watched = socket.socket(fileno=os.dup(connection.fileno()))
        timer = threading.Timer(seconds, _shut, [watched])
        timer.daemon = True
        timer.start()
        try:
            limit = str(int(seconds * 1000))
            connection.execute("SELECT set_config('statement_timeout', %s, false)", [limit])
            connection.execute("SELECT set_config('lock_timeout', '3000', false)")
            yield connection
        finally:
            timer.cancel()
            with suppress(psycopg.Error):
                connection.close()
            watched.close()


class NoSession(psycopg.OperationalError):
    """Raised when a server was not reached, or did not let us in; keeps none of its words."""

    def __init__(self, fault: DatabaseFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        # Before a session there is no code of an error, only whether it came to a password.
        came_far = error.pgconn is not None and error.pgconn.used_password
        fault = DatabaseFault.SIGN_IN if came_far else DatabaseFault.UNREACHABLE
        raise NoSession(fault) from None


def fault_of(error: Exception) -> DatabaseFault:
    """Say in a word what went wrong; what the server wrote stays unsaid."""
    if isinstance(error, NoSession):
        return error.fault
    for kinds, fault in _FAULTS:
        if isinstance(error, kinds):
            return fault
    return DatabaseFault.BROKEN


_FAULTS: Final[tuple[tuple[tuple[type[Exception], ...], DatabaseFault], ...]] = (
    ((AddressRefused,), DatabaseFault.ADDRESS),
    ((FetchFailed,), DatabaseFault.UNREACHABLE),
    ((errors.InsufficientPrivilege,), DatabaseFault.PRIVILEGE),
    (
        (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedObject,
         errors.UndefinedColumn, errors.UndefinedFunction, errors.InvalidCatalogName),
        DatabaseFault.MISSING,
    ),
    ((errors.DependentObjectsStillExist, errors.ObjectInUse), DatabaseFault.IN_USE),
    ((errors.QueryCanceled, errors.LockNotAvailable), DatabaseFault.TIMED_OUT),
)  # fmt: skip


def _shut(watched: socket.socket) -> None:
    with suppress(OSError):
        watched.shutdown(socket.SHUT_RDWR)


@contextmanager
def _certificates(pem: str, *, needed: bool) -> Iterator[str]:
    # The library reads certificates from a file only. They are public.
    if not pem or not needed:
        yield "system" if needed else ""
        return
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        yield file.name
