"""Reading people and teams.

Everybody who is signed in may look up a colleague by name, address and team: that is how
a backup owner is chosen. Roles and deactivated accounts are for those who govern.
"""

from __future__ import annotations

from django.db.models import QuerySet

from registry.actors import Actor
from registry.errors.people import PersonNotFound, UnknownTeam
from registry.models import Person, Role, Team

GOVERNING = (Role.PLATFORM, Role.SECURITY, Role.AUDITOR)


def sees_roles(actor: Actor, person: Person) -> bool:
    """Say whether this viewer may see what that person may do."""
    return actor.is_person(person) or actor.has(*GOVERNING)


def people_for(actor: Actor) -> QuerySet[Person]:
    """Return the people this viewer may see."""
    people = Person.objects.select_related("team")
    return people if actor.has(*GOVERNING) else people.filter(deactivated_at__isnull=True)


def person_for(public_id_or_email: str) -> Person:
    """Return a person by public id or e-mail address. Raises: PersonNotFound."""
    # PostgreSQL refuses NUL in text; nothing that holds one was ever stored.
    wanted = public_id_or_email.strip().replace("\x00", "\ufffd")
    people = Person.objects.select_related("team")
    # Addresses are stored in lower case, so equality is the case-insensitive look-up.
    person = (
        people.filter(email=wanted.lower()).first()
        if "@" in wanted
        else people.filter(public_id=wanted).first()
    )
    if person is None:
        raise PersonNotFound(f"There is no person {wanted[:80]!r}.")
    return person


def visible_person(actor: Actor, public_id_or_email: str) -> Person:
    """Return a person this viewer may see; invisible and absent are the same.

    Raises: PersonNotFound.
    """
    person = person_for(public_id_or_email)
    if not (person.is_active or sees_roles(actor, person)):
        raise PersonNotFound(f"There is no person {public_id_or_email[:80]!r}.")
    return person


def active_person(pk: int) -> Person | None:
    """Return an active person by primary key: the session's look-up on every request."""
    return Person.objects.filter(pk=pk, deactivated_at__isnull=True).first()


def teams_for(actor: Actor) -> QuerySet[Team]:
    """Return the teams this viewer may see."""
    return Team.objects.all()


def team_for(slug_or_public_id: str) -> Team:
    """Return a team by slug or public id. Raises: UnknownTeam, naming those that exist."""
    wanted = slug_or_public_id.strip().replace("\x00", "\ufffd")
    field = "public_id" if wanted.startswith("team_") else "slug"
    team = Team.objects.filter(**{field: wanted.lower()}).first()
    if team is None:
        known = list(Team.objects.order_by("slug").values_list("slug", flat=True)[:50])
        offer = f"Known teams: {', '.join(known)}." if known else "There are no teams yet."
        raise UnknownTeam(f"There is no team {wanted[:80]!r}. {offer}", team=wanted[:80])
    return team
