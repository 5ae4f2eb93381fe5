"""Who is on call for a team: now, next, and over the weeks to come.

Whoever cannot be called is passed over, with why: a deactivated account, somebody who left the
team or is away, and somebody to whom no mail goes where mail is how people are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db.models import QuerySet

from approvals.models import Absence, NoticePreference
from fleet.health.errors import CoverNotFound, RotaNotFound
from fleet.health.models import Cover, Rota
from fleet.health.rota import Held, drawn, held_by, planned_at
from kernel import clock
from registry.actors import Actor
from registry.models import Person, Role, Team
from registry.queries import teams_for

MOST_PEOPLE: Final = 50


@dataclass(frozen=True, slots=True)
class Duty:
    """Who is called for a team at a moment: first the person, then those after."""

    team: Team
    minutes: int
    planned: Person | None  # by the rota and its covers, whether they can be called or not
    order: tuple[Person, ...]  # all that can be called, the first one first
    passed_over: tuple[tuple[str, str], ...]  # whom not, and why

    @property
    def person(self) -> Person | None:
        return self.order[0] if self.order else None

    def after(self, person: Person | None) -> Person | None:
        """Return who is called when that person did not answer."""
        return next((each for each in self.order if each != person), None)

    def __str__(self) -> str:
        first = f"{self.person} is on call" if self.person else "Nobody of the rota can be called"
        said = [f"{first} ({self.team})."]
        said += [f"{name} was passed over: {why}." for name, why in self.passed_over]
        return " ".join(said)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the weeks ahead, with people as people."""

    person: Person | None
    planned: Person | None
    begins: datetime
    ends: datetime
    is_cover: bool


def team_of_rota(actor: Actor, slug: str) -> Team:
    """Return the team that an address names. Raises: RotaNotFound."""
    found = teams_for(actor).filter(slug=slug.replace("\x00", "")).first()
    if found is None:
        raise RotaNotFound
    return found


def rotas_of(team: Team) -> list[Rota]:
    """Return the rotas of a team that hold or will hold, in order."""
    return list(Rota.objects.filter(team=team, replaced_at__isnull=True).order_by("starts_at"))


def rota_now(rotas: Sequence[Rota], at: datetime) -> Rota | None:
    """Return the rota in force at a moment; None before the first, and where it was ended."""
    begun = [each for each in rotas if each.starts_at <= at]
    return begun[-1] if begun and begun[-1].people else None


def covers_of(team: Team, *, until: datetime | None = None) -> QuerySet[Cover]:
    """Return a team's covers that hold or are ahead, in the order in which they were set."""
    rows = Cover.objects.filter(team=team, ended_at__isnull=True, ends_at__gt=until or clock.now())
    return rows.select_related("person", "instead_of", "team").order_by("set_at", "pk")


def cover_for(team: Team, public_id: str) -> Cover:
    """Return one cover of a team. Raises: CoverNotFound."""
    found = covers_of(team).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise CoverNotFound
    return found


def members_of(team: Team) -> list[Person]:
    """Return the people of a team, whom a rota can name."""
    people = Person.objects.filter(team=team, deactivated_at__isnull=True)
    return list(people.order_by("name", "email"))


def may_set(actor: Actor, team: Team) -> bool:
    """Say whether somebody sets a team's rota: its own people, and the platform."""
    if actor.has(Role.PLATFORM):
        return True
    person = actor.person
    return person is not None and person.team_id == team.pk and actor.has(Role.EMPLOYEE)


def duty_of(team: Team, at: datetime | None = None) -> Duty | None:
    """Return who is called for a team; None where it has no rota in force."""
    moment = at or clock.now()
    rotas = rotas_of(team)
    rota = rota_now(rotas, moment)
    planned = planned_at([each.pattern for each in rotas], moment)
    if rota is None or planned is None:
        return None
    pattern, turn = planned
    covers = [each for each in covers_of(team, until=moment) if each.starts_at <= moment]
    first = held_by(pattern.has(turn), [each.stand for each in covers], moment)
    named = list(dict.fromkeys([first, *pattern.after(turn)]))
    people = people_by_id(named)
    listed = [people[each] for each in named if each in people]
    whys = why_not(team, listed, moment)
    return Duty(
        team,
        rota.minutes,
        people.get(first),
        tuple(each for each in listed if each.pk not in whys),
        tuple((str(each), whys[each.pk]) for each in listed if each.pk in whys),
    )


def weeks_of(team: Team, since: datetime, until: datetime) -> list[Stretch]:
    """Return who has the duty for a team from one moment to another."""
    patterns = [each.pattern for each in rotas_of(team)]
    stands = [each.stand for each in covers_of(team, until=since)]
    held = drawn(patterns, stands, since, until)
    people = people_by_id({each.person for each in held} | {each.planned for each in held})
    return [_stretch(each, people) for each in held]


def people_by_id(public_ids: Iterable[str]) -> dict[str, Person]:
    """Return people by their public ids."""
    rows = Person.objects.filter(public_id__in=set(public_ids)).select_related("team")
    return {person.public_id: person for person in rows}


def why_not(team: Team, people: Iterable[Person], at: datetime) -> dict[int, str]:
    """Return who of some people cannot be called for a team, and why, by their keys."""
    listed = list(people)
    away = Absence.objects.filter(
        person__in=listed, starts_at__lte=at, ends_at__gt=at, ended_at__isnull=True
    ).values_list("person_id", flat=True)
    silent = NoticePreference.objects.filter(
        person__in=listed, mail=NoticePreference.Mail.OFF
    ).values_list("person_id", flat=True)
    # Without mail, all are told in their list and none is harder to reach than another.
    absent, deaf = set(away), set(silent) if settings.EMAIL_HOST else set()
    found: dict[int, str] = {}
    for person in listed:
        if not person.is_active:
            found[person.pk] = "the account is deactivated"
        elif person.team_id != team.pk:
            found[person.pk] = "not in the team any more"
        elif person.pk in absent:
            found[person.pk] = "away"
        elif person.pk in deaf:
            found[person.pk] = "takes no mails"
    return found


def _stretch(held: Held, people: dict[str, Person]) -> Stretch:
    return Stretch(
        people.get(held.person), people.get(held.planned), held.begins, held.ends, held.is_cover
    )
