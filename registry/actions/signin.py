"""Getting in: one-time links, passwords, and the brake on guessing.

A guess is counted before it is checked, in a transaction of its own, so a hundred guesses
at once are a hundred guesses; and it is counted against the account *from this address*,
so nobody can lock somebody else out from afar.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.hashers import check_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from kernel import clock
from kernel.refs import Ref, system
from ledger.record import record
from ledger.verbs import Verb
from registry.actions import brake
from registry.actors import Actor
from registry.errors.authentication import (
    NotByToken,
    PasswordNotAcceptable,
    SignInLinkSpent,
    SignInRefused,
)
from registry.errors.people import AccountDeactivated, NotYours
from registry.models import Person, Role, SignInLink

LINK_LIVES: Final = timedelta(hours=24)
MAX_PASSWORD: Final = 1024
DOOR: Final = system("sign-in")


@dataclass(frozen=True, slots=True)
class IssuedLink:
    """A fresh link and the one copy of its address."""

    row: SignInLink
    url_path: str = field(repr=False)

    @property
    def expires_at(self) -> datetime:
        return self.row.expires_at


@transaction.atomic
def issue_sign_in_link(person: Person, *, actor: Actor) -> IssuedLink:
    """Make a link that signs the person in once, within a day.

    Records: person.sign_in_link_issued. Raises: RoleMissing, AccountDeactivated.
    """
    actor.require(Role.PLATFORM)
    # Locked against a deactivation under way, which would not see this link.
    person = Person.objects.select_for_update(no_key=True).get(pk=person.pk)
    if not person.is_active:
        raise AccountDeactivated("Reactivate the account first.")
    secret = secrets.token_urlsafe(32)
    now = clock.now()
    row = SignInLink.objects.create(
        person=person, digest=_digest(secret), created_at=now, expires_at=now + LINK_LIVES
    )
    record(Verb.SIGN_IN_LINK_ISSUED, person.ref, actor=actor.ref)
    return IssuedLink(row, f"/enter/{secret}/")


def sign_in_link_holder(secret: str) -> Person:
    """Say whom a link would sign in, without using it up: link scanners only ever look.

    Raises: SignInLinkSpent.
    """
    link = _open_links(secret).select_related("person").first()
    if link is None:
        raise SignInLinkSpent
    return link.person


@transaction.atomic
def consume_sign_in_link(secret: str) -> Person:
    """Use a link up and return whom it signs in; of two racing callers one wins.

    Records: person.signed_in. Raises: SignInLinkSpent.
    """
    if not _open_links(secret).update(used_at=Now()):
        raise SignInLinkSpent
    person = Person.objects.get(sign_in_links__digest=_digest(secret))
    record(Verb.PERSON_SIGNED_IN, person.ref, actor=person.ref, facts={"by": "link"})
    return person


def sign_in(email: str, password: str, *, address: str) -> Person:
    """Check e-mail and password and return the person; takes as long for unknown people.

    Records: person.signed_in, person.sign_in_refused. Raises: SignInRefused, SignInBraked.
    """
    account = email.strip().lower()[:254].replace("\x00", "\ufffd")
    charge = brake.charge(account, address)
    person = Person.objects.filter(email=account, deactivated_at__isnull=True).first()
    short_enough = len(password) <= MAX_PASSWORD
    # An account without a usable password costs the same hashing as a wrong password.
    matched = (
        person.check_password(password)
        if person is not None and short_enough
        else check_password(password[:MAX_PASSWORD], "!")
    )
    if person is None or not matched:
        _record_refusal(person, address)
        raise SignInRefused
    with transaction.atomic():
        brake.release(charge)
        record(
            Verb.PERSON_SIGNED_IN,
            person.ref,
            actor=person.ref,
            facts={"by": "password", "network": brake.network_of(address)},
        )
    return person


@transaction.atomic
def _record_refusal(person: Person | None, address: str) -> None:
    # One stream for strangers: what they typed may be a password and is not kept.
    subject = person.ref if person is not None else Ref("person", "unknown")
    record(
        Verb.PERSON_SIGN_IN_REFUSED,
        subject,
        actor=DOOR,
        facts={"by": "password", "network": brake.network_of(address)},
    )


def set_password(
    person: Person, password: str, *, actor: Actor, current: str = "", entered_by_link: bool = False
) -> None:
    """Set one's own password; every other session of the account ends.

    The current one is asked for, unless there is none or a one-time link let the person in.
    Records: person.password_changed. Raises: NotYours, NotByToken, PasswordNotAcceptable,
    SignInBraked, AccountDeactivated.
    """
    if not actor.is_person(person):
        raise NotYours("Only the person sets their password; issue a sign-in link instead.")
    if actor.token is not None:
        raise NotByToken
    if person.has_usable_password() and not entered_by_link:
        charge = brake.charge(person.email, "own session")
        if not person.check_password(current[:MAX_PASSWORD]):
            raise PasswordNotAcceptable("The current password is not right.", field="current")
        brake.release(charge)
    if len(password) > MAX_PASSWORD:
        raise PasswordNotAcceptable("A password has at most 1024 characters.", field="password")
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise PasswordNotAcceptable(" ".join(error.messages), field="password") from None
    with transaction.atomic():
        # A deactivation under way took the password away; it must not come back.
        row = Person.objects.select_for_update(no_key=True).get(pk=person.pk)
        if not row.is_active:
            raise AccountDeactivated
        person.set_password(password)
        person.save(update_fields=["password"])
        SignInLink.objects.filter(person=person, used_at__isnull=True).delete()
        record(Verb.PASSWORD_CHANGED, person.ref, actor=actor.ref)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _open_links(secret: str) -> QuerySet[SignInLink]:
    return SignInLink.objects.filter(
        digest=_digest(secret),
        used_at__isnull=True,
        expires_at__gt=Now(),
        # No join: a joined update compares in a sub-query, which PostgreSQL does not ask
        # again after waiting for the lock, and then every racing caller wins.
        person__in=Person.objects.filter(deactivated_at__isnull=True),
    )
