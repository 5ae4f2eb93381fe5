"""Adding, changing and deactivating people and teams.

Every change of rights needs the platform role and is recorded; a deactivated account
keeps nothing that still works: no session, no token, no link.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.utils.text import slugify

from kernel import clock
from kernel.db import refused_as
from kernel.refs import Ref, new_id
from ledger.record import record
from ledger.verbs import Verb
from registry.actions.naming import clean_email, clean_name, clean_roles, clean_time_zone
from registry.actions.signin import (
    IssuedLink,
    consume_sign_in_link,
    issue_sign_in_link,
    set_password,
    sign_in,
    sign_in_link_holder,
)
from registry.actions.tokens import (
    BOOTSTRAP_EMAIL,
    IssuedToken,
    ensure_bootstrap_token,
    issue_token,
    revoke_token,
    revoke_with_children,
    said_why,
)
from registry.actors import Actor
from registry.errors.people import (
    AccountDeactivated,
    AlreadyDeactivated,
    EmailTaken,
    LastPlatformAdmin,
    NameNotUsable,
    NotDeactivated,
    NothingToChange,
    OwnGain,
    TeamTaken,
)
from registry.models import Person, PersonToken, Role, SignInLink, Team
from registry.queries.people import team_for

__all__ = [
    "Deactivated",
    "IssuedLink",
    "IssuedToken",
    "add_person",
    "add_team",
    "change_person",
    "consume_sign_in_link",
    "deactivate_person",
    "ensure_bootstrap_token",
    "ensure_person",
    "issue_sign_in_link",
    "issue_token",
    "reactivate_person",
    "revoke_token",
    "set_password",
    "sign_in",
    "sign_in_link_holder",
]


@dataclass(frozen=True, slots=True)
class Deactivated:
    """A deactivated person and the agents they leave behind, by name."""

    person: Person
    owned_agents: list[str]


@transaction.atomic
def add_person(
    email: str,
    *,
    actor: Actor,
    name: str = "",
    team: Team | str | None = None,
    roles: Iterable[str] | None = None,
) -> Person:
    """Give somebody an account; they get in with a sign-in link.

    Records: person.added. Raises: RoleMissing, EmailTaken, EmailNotUsable, NameNotUsable,
    UnknownTeam, UnknownRole.
    """
    actor.require(Role.PLATFORM)
    person = Person(
        public_id=new_id("per"),
        email=clean_email(email),
        name=clean_name(name, may_be_empty=True),
        team=team_for(team) if isinstance(team, str) else team,
        roles=_with_employee(roles or ()),
        created_at=clock.now(),
    )
    person.set_unusable_password()
    taken = EmailTaken(f"{person.email} has an account already.")
    with refused_as({"registry_person_one_per_email": taken, "registry_person_email_key": taken}):
        person.save(force_insert=True)
    record(
        Verb.PERSON_ADDED,
        person.ref,
        actor=actor.ref,
        facts={"roles": list(person.roles), "team": person.team.slug if person.team else None},
    )
    return person


@transaction.atomic
def change_person(
    person: Person,
    *,
    actor: Actor,
    name: str | None = None,
    team: str | None = None,
    roles: Iterable[str] | None = None,
    time_zone: str | None = None,
) -> Person:
    """Change what is known of a person, and what they may do.

    None leaves a field as it is, and an empty team takes the team away. Own name and time
    zone are everybody's to change; team and roles take the platform role.
    Records: person.changed. Raises: RoleMissing, NothingToChange, UnknownTeam, UnknownRole,
    UnknownTimeZone, NameNotUsable, LastPlatformAdmin, OwnGain,
    AccountDeactivated.
    """
    if not actor.is_person(person) or team is not None or roles is not None:
        actor.require(Role.PLATFORM)
    person = _locked(person)
    given = {"name": name, "team": team, "roles": roles, "time_zone": time_zone}
    wanted = _wanted(person, given)
    if not wanted:
        raise NothingToChange
    if "roles" in wanted:
        if not person.is_active:
            raise AccountDeactivated("Reactivate the account first.")
        _refuse_own_gain(person, wanted["roles"], actor)
        if Role.PLATFORM.value not in wanted["roles"]:
            _keep_one_platform_admin(person)
    facts: dict[str, Any] = {"changed": sorted(wanted)}
    if "roles" in wanted:
        facts |= {"roles_before": list(person.roles), "roles_after": wanted["roles"]}
    for field, value in wanted.items():
        setattr(person, field, value)
    person.save(update_fields=sorted(wanted))
    record(Verb.PERSON_CHANGED, person.ref, actor=actor.ref, facts=facts)
    return person


def _refuse_own_gain(person: Person, roles: list[str], actor: Actor) -> None:
    gained = sorted(set(roles) - set(person.roles))
    if actor.is_person(person) and gained:
        raise OwnGain(f"Another platform administrator has to give you {', '.join(gained)}.")


@transaction.atomic
def deactivate_person(person: Person, *, actor: Actor, reason: str = "") -> Deactivated:
    """Close an account: its sessions, tokens and links end now, and its agents are named.

    Records: person.deactivated, token.revoked. Raises: RoleMissing, AlreadyDeactivated,
    LastPlatformAdmin.
    """
    actor.require(Role.PLATFORM)
    person = _locked(person)
    if not person.is_active:
        raise AlreadyDeactivated(f"{person.email} is deactivated already.")
    _keep_one_platform_admin(person)
    person.deactivated_at = clock.now()
    # A session carries a hash of the password's hash: a new one ends every session for
    # good, a later reactivation included.
    person.set_unusable_password()
    person.save(update_fields=["deactivated_at", "password"])
    live = PersonToken.objects.filter(person=person, revoked_at__isnull=True)
    why = said_why(reason)
    revoke_with_children(live.select_related("person").order_by("pk"), actor=actor, reason=why)
    SignInLink.objects.filter(person=person, used_at__isnull=True).delete()
    owned = list(
        person.owned_agents.filter(retired_at__isnull=True)
        .order_by("name")
        .values_list("name", flat=True)
    )
    facts: dict[str, Any] = {"owned_agents": len(owned)} | ({"reason": why} if why else {})
    record(Verb.PERSON_DEACTIVATED, person.ref, actor=actor.ref, facts=facts)
    return Deactivated(person, owned)


@transaction.atomic
def reactivate_person(person: Person, *, actor: Actor) -> Person:
    """Open a closed account again. Nothing old works: a new sign-in link lets them in.

    Records: person.reactivated. Raises: RoleMissing, NotDeactivated.
    """
    actor.require(Role.PLATFORM)
    person = _locked(person)
    if person.is_active:
        raise NotDeactivated(f"{person.email} is active.")
    person.deactivated_at = None
    person.save(update_fields=["deactivated_at"])
    record(
        Verb.PERSON_REACTIVATED, person.ref, actor=actor.ref, facts={"roles": list(person.roles)}
    )
    return person


@transaction.atomic
def add_team(name: str, *, actor: Actor) -> Team:
    """Add a team that people and agents can belong to.

    Records: team.added. Raises: RoleMissing, NameNotUsable, TeamTaken.
    """
    actor.require(Role.PLATFORM)
    shown = clean_name(name)
    slug = slugify(shown)[:64].strip("-")
    if not slug:
        raise NameNotUsable("The name needs at least one Latin letter or digit.")
    team = Team(public_id=new_id("team"), slug=slug, name=shown, created_at=clock.now())
    with refused_as({"registry_team_slug_key": TeamTaken(f"There is a team {slug} already.")}):
        team.save(force_insert=True)
    record(Verb.TEAM_ADDED, Ref("team", team.public_id), actor=actor.ref, facts={"slug": slug})
    return team


@transaction.atomic
def ensure_person(
    email: str, *, actor: Actor, roles: Iterable[str], team: str | None = None
) -> Person:
    """Find or add a person who holds at least these roles, in this team, made if new.

    Records: person.added or person.changed, team.added, as it applies.
    Raises: as `add_person`, and AccountDeactivated.
    """
    wanted = clean_roles(roles)
    home = None if team is None else _ensure_team(team, actor)
    person = Person.objects.filter(email=clean_email(email)).first()
    if person is None:
        return add_person(email, actor=actor, roles=wanted, team=home)
    if not person.is_active:
        raise AccountDeactivated(f"{person.email} is deactivated; reactivate the account first.")
    new_team = home.slug if home is not None and person.team_id != home.pk else None
    new_roles = [*person.roles, *wanted] if set(wanted) - set(person.roles) else None
    if new_team is None and new_roles is None:
        return person
    return change_person(person, actor=actor, team=new_team, roles=new_roles)


def _ensure_team(name: str, actor: Actor) -> Team:
    slug = slugify(name)[:64].strip("-")
    return Team.objects.filter(slug=slug).first() or add_team(name, actor=actor)


def _with_employee(roles: Iterable[str]) -> list[str]:
    return clean_roles([Role.EMPLOYEE.value, *roles])


_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "name": partial(clean_name, may_be_empty=True),
    "team": lambda team: team_for(team) if team else None,
    "roles": _with_employee,
    "time_zone": clean_time_zone,
}


def _wanted(person: Person, given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that would really change, by name."""
    read = {field: _READ[field](value) for field, value in given.items() if value is not None}
    return {field: value for field, value in read.items() if getattr(person, field) != value}


def _locked(person: Person) -> Person:
    # Administrators are locked together and in order: two who demote each other at the
    # same moment would otherwise both find the other one still there.
    admins = Person.objects.filter(roles__contains=[Role.PLATFORM.value])
    chosen = Person.objects.filter(pk=person.pk) | admins
    rows = {row.pk: row for row in chosen.select_for_update(no_key=True).order_by("pk")}
    return rows[person.pk]


def _keep_one_platform_admin(person: Person) -> None:
    """Refuse a change that leaves no human administrator; the automation does not count."""
    if Role.PLATFORM.value not in person.roles:
        return
    others = Person.objects.filter(
        roles__contains=[Role.PLATFORM.value], deactivated_at__isnull=True
    ).exclude(pk=person.pk)
    if not others.exclude(email=BOOTSTRAP_EMAIL).exists():
        raise LastPlatformAdmin("Give somebody else the platform role first.")
