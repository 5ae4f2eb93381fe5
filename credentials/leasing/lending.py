"""The one way to a tool's credential: lent for an action, by the process that opens the ring.

A lease is on record before its credential exists, and ends with the sending or on its time.
What is lent lives in the memory of the worker and on the wire, and is written nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final, NoReturn

from credentials.databases import DatabasePlace
from credentials.leasing import books
from credentials.leasing.books import Wanted
from credentials.leasing.ending import end_now
from credentials.leasing.oauth import OAuthTerms
from credentials.leasing.roles import RoleTerms, lent_role
from credentials.leasing.terms import Reader, StaticTerms, invalid
from credentials.leasing.tokens import lent_token
from credentials.models import Lease
from credentials.opening import open_tool_secret, require_opening
from kernel import clock
from kernel.refs import Ref

NONE: Final = "none"
LONGEST_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Lending:
    """What is lent: headers, or the user and password of a session. Shows neither."""

    lease_id: str = ""  # lse_…; empty where nothing had to be lent
    kind: str = NONE
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def is_live(self) -> bool:
        """Whether it may still be used: asked right before the bytes leave."""
        return not self.lease_id or books.is_live(self.lease_id)

    def __reduce__(self) -> NoReturn:
        raise TypeError("what is lent is not passed on")


@dataclass(frozen=True, slots=True)
class Asked:
    """How a credential is configured: its own settings, and those of the connection."""

    settings: Mapping[str, Any]
    place: Mapping[str, Any]
    allow_private: bool


Lend = Callable[[Wanted, Asked], AbstractContextManager[Lending]]
# A connection says it in PostgreSQL's words; no role is made where nobody checks the name.
_TLS: Final = {"verify-full": "verify", "disable": "off"}


@contextmanager
def lend(  # noqa: PLR0913  the seam to the executors, in one call with named parts
    *,
    connection_ref: Ref,
    kind: str,
    settings: Mapping[str, Any],
    holder_agent: str,
    proposal: str,
    seconds: float,
    place: Mapping[str, Any] | None = None,
    allow_private: bool = False,
) -> Iterator[Lending]:
    """Lend the credential of a connection for one sending, outside any transaction.

    ``place`` are the settings of the connection itself: where a database is, is said there.

    Records: lease.issued, and how it ended. Raises: SecretsClosed, LeaseRefused,
    SecretNotFound, CannotOpen, CredentialSettingsInvalid, NotLent, AddressRefused.
    """
    if kind == NONE:
        yield Lending()
        return
    require_opening()
    lender = _LENDERS.get(kind)
    if lender is None:
        raise invalid("credential", f"there is no kind {kind[:40]!r}.")
    until = clock.now() + timedelta(seconds=min(max(seconds, 1.0), LONGEST_SECONDS))
    wanted = Wanted(connection_ref, holder_agent, proposal, kind, until)
    with lender(wanted, Asked(settings, place or {}, allow_private)) as lent:
        yield lent


def check_credential(
    kind: str,
    settings: Mapping[str, Any],
    *,
    place: Mapping[str, Any] | None = None,
    allow_private: bool = False,
) -> None:
    """Read settings as lending would. Raises: CredentialSettingsInvalid, AddressRefused."""
    check = _CHECKS.get(kind)
    if check is None:
        raise invalid("credential", f"there is no kind {kind[:40]!r}.")
    check(Asked(settings, place or {}, allow_private))


@contextmanager
def _lend_static(wanted: Wanted, asked: Asked) -> Iterator[Lending]:
    terms = StaticTerms.read(asked.settings)
    secret_id, secret = open_tool_secret(wanted.connection)
    lease = books.issue(wanted, secret_id)
    try:
        text = secret.reveal()
        password = text if terms.place == "password" else ""
        yield Lending(lease.public_id, wanted.kind, terms.headers(text), terms.user, password)
    finally:
        # Nobody but this process held it: with the sending the lease is over. That the secret
        # itself opens as before, over there, is what makes it static.
        books.close(lease, otherwise=Lease.State.RETURNED, actor=books.EXECUTOR)


@contextmanager
def _lend_role(wanted: Wanted, asked: Asked) -> Iterator[Lending]:
    settings = role_settings(asked.settings, asked.place)
    made: Lease | None = None
    try:
        with lent_role(wanted, settings, allow_private=asked.allow_private) as (made, password):
            yield Lending(made.public_id, wanted.kind, user=made.handle, password=password.reveal())
    finally:
        if made is not None:
            end_now(made)


@contextmanager
def _lend_token(wanted: Wanted, asked: Asked) -> Iterator[Lending]:
    with lent_token(wanted, asked.settings, allow_private=asked.allow_private) as kept:
        headers = {"Authorization": f"Bearer {kept.token.reveal()}"}
        yield Lending(kept.lease.public_id, wanted.kind, headers)


def _check_token(asked: Asked, *, exchanges: bool) -> None:
    OAuthTerms.read(asked.settings, exchanges=exchanges, allow_private=asked.allow_private)


def role_settings(settings: Mapping[str, Any], place: Mapping[str, Any]) -> dict[str, Any]:
    """Return a role's settings with where the database is, as the connection says it."""
    said = {name: place[name] for name in DatabasePlace.MEMBERS if name in place}
    if (tls := said.get("tls")) in _TLS:
        said["tls"] = _TLS[tls]
    return said | dict(settings)


def _check_role(asked: Asked) -> None:
    RoleTerms.read(role_settings(asked.settings, asked.place), allow_private=asked.allow_private)


_LENDERS: Final[dict[str, Lend]] = {
    Lease.Kind.STATIC: _lend_static,
    Lease.Kind.POSTGRESQL_ROLE: _lend_role,
    Lease.Kind.OAUTH_CLIENT: _lend_token,
    Lease.Kind.TOKEN_EXCHANGE: _lend_token,
}
_CHECKS: Final[dict[str, Callable[[Asked], object]]] = {
    NONE: lambda asked: Reader(asked.settings).done(),
    Lease.Kind.STATIC: lambda asked: StaticTerms.read(asked.settings),
    Lease.Kind.POSTGRESQL_ROLE: _check_role,
    Lease.Kind.OAUTH_CLIENT: partial(_check_token, exchanges=False),
    Lease.Kind.TOKEN_EXCHANGE: partial(_check_token, exchanges=True),
}
