"""API tokens of people: issued once, narrowed, expiring, revocable with all they begot.

A token never carries more than its issuer holds at that moment, and one issued with
another token neither outlives it nor survives its revocation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from django.db import transaction

from kernel import clock, keys
from kernel.refs import new_id
from ledger.record import record
from ledger.verbs import Verb
from registry.actions.naming import clean_name, clean_roles
from registry.actors import Actor
from registry.errors.authentication import (
    BootstrapTokenTooShort,
    TokenLifetimeWrong,
    TokenNotFound,
    TokenTooWide,
)
from registry.errors.people import AccountDeactivated, NotYours
from registry.models import Person, PersonToken, Role
from registry.pepper import pepper_ring
from registry.queries.credentials import digests_of

LONGEST_DAYS: Final = 365
LONGEST_REASON: Final = 2000
RENEWED_BELOW: Final = timedelta(days=180)
SHORTEST_BOOTSTRAP: Final = 32
BOOTSTRAP_EMAIL: Final = "bootstrap@unsprawl.local"
BOOTSTRAP_ROLES: Final = [Role.EMPLOYEE.value, Role.PLATFORM.value]


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A fresh token and the one copy of its text."""

    row: PersonToken
    text: str = field(repr=False)


@transaction.atomic
def issue_token(
    person: Person, *, actor: Actor, name: str, roles: Iterable[str], expires_in_days: int
) -> IssuedToken:
    """Issue a token with some of a person's roles.

    People issue their own; the operator and the platform role issue anybody's, but never
    one with a role that they do not hold themselves.
    Records: token.issued. Raises: NotYours, TokenTooWide, TokenLifetimeWrong, UnknownRole,
    NameNotUsable, AccountDeactivated.
    """
    if not (actor.is_person(person) or actor.has(Role.PLATFORM)):
        raise NotYours("You can issue tokens for yourself only.")
    # Locked against a deactivation under way, which would not see this token.
    person = Person.objects.select_for_update(no_key=True).get(pk=person.pk)
    if not person.is_active:
        raise AccountDeactivated("Reactivate the account first.")
    wanted = clean_roles(roles)
    beyond = [role for role in wanted if role not in person.roles or role not in actor.roles]
    if beyond:
        raise TokenTooWide(f"The token cannot carry {', '.join(beyond)}.", beyond=beyond)
    if not 1 <= expires_in_days <= LONGEST_DAYS:
        raise TokenLifetimeWrong(f"Choose 1 to {LONGEST_DAYS} days.")
    now = clock.now()
    expires_at = now + timedelta(days=expires_in_days)
    if actor.token is not None:
        expires_at = min(expires_at, actor.token.expires_at)
    credential = keys.issue(keys.PERSON_PREFIX)
    ring = pepper_ring()
    row = PersonToken.objects.create(
        public_id=new_id("tok"),
        person=person,
        name=clean_name(name),
        pepper_id=ring.active,
        digest=ring.hash(credential.text),
        roles=wanted,
        parent=actor.token,
        created_at=now,
        expires_at=expires_at,
    )
    record(Verb.TOKEN_ISSUED, person.ref, actor=actor.ref, facts=_facts(row))
    return IssuedToken(row, credential.text)


@transaction.atomic
def revoke_token(
    person: Person, token_public_id: str, *, actor: Actor, reason: str = ""
) -> PersonToken:
    """Revoke a token, and every token issued with it; doing it twice changes nothing more.

    Records: token.revoked. Raises: NotYours, TokenNotFound.
    """
    if not (actor.is_person(person) or actor.has(Role.PLATFORM)):
        raise NotYours("You can revoke tokens of your own only.")
    row = (
        PersonToken.objects.select_for_update()
        .filter(person=person, public_id=token_public_id.replace("\x00", "\ufffd"))
        .first()
    )
    if row is None:
        raise TokenNotFound
    came_with = actor.token
    is_below = came_with is not None and came_with.pk in {row.pk, row.parent_id}
    if came_with is not None and not is_below and not actor.has(Role.PLATFORM):
        raise NotYours("A token revokes itself and what was issued with it, nothing beside it.")
    revoke_with_children([row], actor=actor, reason=said_why(reason))
    row.refresh_from_db()
    return row


def said_why(reason: str) -> str:
    """Return a reason as it is recorded: trimmed, in one piece, empty when none was given."""
    return reason.replace("\x00", "\ufffd").strip()[:LONGEST_REASON]


def revoke_with_children(rows: Iterable[PersonToken], *, actor: Actor, reason: str = "") -> None:
    """Revoke tokens and all that were issued with them, generation by generation.

    Records: token.revoked, once for each that was in force.
    """
    generation = list(rows)
    while generation:
        for row in generation:
            if PersonToken.objects.filter(pk=row.pk, revoked_at__isnull=True).update(
                revoked_at=clock.now()
            ):
                facts: dict[str, str | int | bool | list[str] | None] = {"token": row.public_id}
                if reason:
                    facts["reason"] = reason
                record(Verb.TOKEN_REVOKED, row.person.ref, actor=actor.ref, facts=facts)
        generation = list(
            PersonToken.objects.filter(parent__in=generation, revoked_at__isnull=True)
            .select_related("person")
            .order_by("pk")
        )


@transaction.atomic
def ensure_bootstrap_token(value: str) -> PersonToken | None:
    """Make the operator's value a token of the automation account, and the only one.

    Safe to repeat. Another value revokes the one before; an empty value revokes it too.
    Records: person.added, token.issued, token.revoked, as it applies.
    Raises: BootstrapTokenTooShort.
    """
    if value and len(value) < SHORTEST_BOOTSTRAP:
        raise BootstrapTokenTooShort
    actor = Actor.system("operator")
    if not value and not Person.objects.filter(email=BOOTSTRAP_EMAIL).exists():
        return None
    person = _bootstrap_person(actor)
    digests = digests_of(value) if value else []
    others = PersonToken.objects.filter(person=person, revoked_at__isnull=True)
    revoke_with_children(others.exclude(digest__in=digests).select_related("person"), actor=actor)
    return _live_bootstrap_token(person, value, digests, actor) if value else None


def _live_bootstrap_token(
    person: Person, value: str, digests: list[bytes], actor: Actor
) -> PersonToken:
    now = clock.now()
    row = PersonToken.objects.select_for_update().filter(digest__in=digests).first()
    if row is not None and row.revoked_at is None and row.expires_at > now + RENEWED_BELOW:
        return row
    is_new = row is None
    if row is None:
        ring = pepper_ring()
        row = PersonToken(
            public_id=new_id("tok"),
            person=person,
            name="UNSPRAWL_BOOTSTRAP_TOKEN",
            pepper_id=ring.active,
            digest=ring.hash(value),
            created_at=now,
        )
    row.roles = BOOTSTRAP_ROLES
    row.revoked_at = None
    row.expires_at = now + timedelta(days=LONGEST_DAYS)
    row.save(update_fields=None if is_new else ["roles", "revoked_at", "expires_at"])
    record(Verb.TOKEN_ISSUED, person.ref, actor=actor.ref, facts=_facts(row))
    return row


def _bootstrap_person(actor: Actor) -> Person:
    person = Person.objects.select_for_update().filter(email=BOOTSTRAP_EMAIL).first()
    if person is None:
        person = Person(
            public_id=new_id("per"),
            email=BOOTSTRAP_EMAIL,
            name="Bootstrap automation",
            roles=BOOTSTRAP_ROLES,
            created_at=clock.now(),
        )
        person.set_unusable_password()
        person.save(force_insert=True)
        record(
            Verb.PERSON_ADDED, person.ref, actor=actor.ref, facts={"roles": list(BOOTSTRAP_ROLES)}
        )
    return person


def _facts(row: PersonToken) -> dict[str, str | int | bool | list[str] | None]:
    return {
        "token": row.public_id,
        "roles": list(row.roles),
        "expires_at": clock.stamp(row.expires_at),
    }
