"""Short tokens of other systems, kept in this process's memory and nowhere else.

One for each connection, setting and agent; fetched by one thread while others wait, replaced
before its end. A token of another process cannot be given back here: its keeper does that, and
if it is gone, the lease says until when the token may still open.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from credentials.broker import SecretText
from credentials.errors import LeaseRefused, NotLent, SecretNotFound
from credentials.leasing import books
from credentials.leasing.books import Wanted
from credentials.leasing.oauth import OAuthTerms, Token, fetch_token, revoke_token
from credentials.models import Lease
from credentials.opening import open_tool_secret
from credentials.ports import holders
from kernel import clock
from kernel.canonical import canonical, digest_bytes
from kernel.refs import Ref
from kernel.sealing import CannotOpen

ELSEWHERE: Final = "kept_elsewhere"
LOST: Final = "memory_lost"
NO_REVOCATION: Final = "no_revocation"
# While its answer is awaited, nobody knows how long a token will live.
_AWAITED: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Kept:
    """A token with the lease it is on record as."""

    lease: Lease
    terms: OAuthTerms
    token: SecretText = field(repr=False)
    fresh_until: datetime


class Keeper:
    """What one process keeps. Never written, never passed on."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Keep nothing, under a name that no other process has."""
        self.name = f"mem_{secrets.token_hex(8)}"
        self._kept: dict[str, Kept] = {}
        self._replaced: dict[str, Kept] = {}  # by lease: not lent any more, and not dead
        self._turns: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Keeper({self.name}, {len(self._kept)} tokens)"

    def token(self, wanted: Wanted, terms: OAuthTerms) -> Kept:
        """Return a live token, fetching one where there is none.

        Raises: NotLent, LeaseRefused, SecretNotFound, CannotOpen.
        """
        place = _place(wanted, terms)
        with self._lock:
            turn = self._turns.setdefault(place, threading.Lock())
        with turn:
            kept = self._kept.get(place)
            if kept is not None and _is_usable(kept):
                return kept
            fresh = self._fetched(wanted, terms)
            with self._lock:
                old = self._kept.pop(place, None)
                if old is not None:
                    self._replaced[old.lease.public_id] = old
                self._kept[place] = fresh
                self._drop_dead()
            return fresh

    @property
    def is_empty(self) -> bool:
        return not (self._kept or self._replaced)

    def _drop_dead(self) -> None:
        now = clock.now()
        for lease_id, kept in list(self._replaced.items()):
            if kept.lease.expires_at <= now:
                del self._replaced[lease_id]

    def of(self, lease_id: str) -> Kept | None:
        with self._lock:
            kept = (one for one in self._kept.values() if one.lease.public_id == lease_id)
            return self._replaced.get(lease_id) or next(kept, None)

    def forget(self, lease_id: str) -> None:
        with self._lock:
            self._replaced.pop(lease_id, None)
            for place, kept in list(self._kept.items()):
                if kept.lease.public_id == lease_id:
                    del self._kept[place]

    def _fetched(self, wanted: Wanted, terms: OAuthTerms) -> Kept:
        _, secret = open_tool_secret(wanted.connection)
        began = clock.now()
        waiting = Wanted(
            wanted.connection, wanted.agent_id, wanted.proposal_id, wanted.kind, began + _AWAITED
        )
        shown = {"revocable": bool(terms.revocation_url), "client": terms.client_id}
        lease = books.issue(waiting, _handle(terms), terms=shown, kept_by=self.name)
        try:
            token = fetch_token(terms, secret, agent_id=wanted.agent_id)
        except NotLent:
            books.close(lease, otherwise=Lease.State.RETURNED)  # nobody holds anything
            raise
        # Its life began over there at some moment between: lent by the earlier, dead by the later.
        books.prolong(lease, clock.now() + timedelta(seconds=token.seconds))
        return Kept(lease, terms, token.text, _fresh_until(began, token))


KEEPER: Final = Keeper()
# A worker's processes are forked from one that has made its keeper: with its name, each would
# take the others' tokens for its own, and call them lost because it has not got them.
os.register_at_fork(after_in_child=KEEPER.begin_anew)


@contextmanager
def lent_token(
    wanted: Wanted, settings: Mapping[str, Any], *, allow_private: bool
) -> Iterator[Kept]:
    """Lend a token; it stays for the next sending of the same agent.

    Raises: CredentialSettingsInvalid, AddressRefused, NotLent, LeaseRefused.
    """
    exchanges = wanted.kind == Lease.Kind.TOKEN_EXCHANGE
    terms = OAuthTerms.read(settings, exchanges=exchanges, allow_private=allow_private)
    if not holders().may_hold(wanted.agent_id):
        raise LeaseRefused(agent=wanted.agent_id)
    kept = KEEPER.token(wanted, terms)
    if not books.is_live(kept.lease.public_id):  # recalled while its answer was awaited
        raise LeaseRefused(agent=wanted.agent_id)
    yield kept


def end_token(lease: Lease) -> str | None:
    """Give a token back; None when it is dead, else why not."""
    if lease.expires_at <= clock.now():
        KEEPER.forget(lease.public_id)
        return None
    kept = KEEPER.of(lease.public_id)
    if kept is None:
        return LOST if lease.kept_by == KEEPER.name else ELSEWHERE
    if not kept.terms.revocation_url:
        KEEPER.forget(lease.public_id)
        return NO_REVOCATION
    try:
        _, secret = open_tool_secret(Ref.parse(lease.connection))
    except (SecretNotFound, CannotOpen):
        return "secret"
    fault = revoke_token(kept.terms, secret, kept.token)
    if fault is None:
        KEEPER.forget(lease.public_id)
    return fault


def _place(wanted: Wanted, terms: OAuthTerms) -> str:
    parts = [str(wanted.connection), wanted.agent_id, wanted.kind, asdict(terms)]
    return digest_bytes(canonical(parts))


def _is_usable(kept: Kept) -> bool:
    return kept.fresh_until > clock.now() and books.is_live(kept.lease.public_id)


def _fresh_until(began: datetime, token: Token) -> datetime:
    # Not all at one moment: a tenth of its life is left to chance.
    spare = min(token.seconds * 0.2, 60.0) + token.seconds * 0.1 * secrets.randbelow(1000) / 1000
    return began + timedelta(seconds=token.seconds - spare)


def _handle(terms: OAuthTerms) -> str:
    asked = terms.scope or terms.audience or terms.resource
    return f"{terms.client_id} {asked}".strip()[:300]
