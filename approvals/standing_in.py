"""By which rights somebody decides: their own, and those of people they stand in for.

A stand-in has what was put to the absent person by name, and the roles that were lent; only
while the absence lasts, by the database's clock, only in person (no token speaks for another),
and never what was lent to the absent one in turn: a chain is not followed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from approvals.audience import refs_of
from approvals.models import Absence, Review
from kernel import clock
from registry.actors import Actor
from registry.models import Person, Role


@dataclass(frozen=True, slots=True)
class Right:
    """Whose right it is, the references it answers to, and until when it is lent."""

    person: Person
    refs: list[str]
    until: datetime | None = None  # None: one's own

    @property
    def is_own(self) -> bool:
        return self.until is None

    def fits(self, audience: Iterable[str]) -> bool:
        return bool(set(self.refs) & set(audience))


def rights_of(actor: Actor) -> list[Right]:
    """Return the rights an actor decides by, their own first."""
    if actor.person is None:
        return []
    lent = [] if actor.token is not None or not actor.has(Role.EMPLOYEE) else _lent(actor.person)
    return [Right(actor.person, refs_of(actor)), *lent]


def absences_now() -> QuerySet[Absence]:
    """Return the absences in force at this moment, of people who still have an account."""
    return Absence.objects.filter(
        ended_at__isnull=True,
        starts_at__lte=Now(),
        ends_at__gt=Now(),
        person__deactivated_at__isnull=True,
    ).select_related("person")


def lent_for(review: Review, rights: list[Right]) -> Right | None:
    """Return the lent right by which a review would be decided; None when it is one's own."""
    is_due = review.escalates_at is not None and review.escalates_at <= clock.now()
    audience = [*review.audience, *(review.escalate_to if is_due else [])]
    fitting = next((right for right in rights if right.fits(audience)), None)
    return None if fitting is None or fitting.is_own else fitting


def upcoming_of(person: Person) -> QuerySet[Absence]:
    """Return the absences of somebody that are not over, the next first."""
    mine = Absence.objects.filter(person=person, ended_at__isnull=True, ends_at__gt=Now())
    return mine.select_related("stand_in").order_by("starts_at")


def stood_in_by(person: Person) -> QuerySet[Absence]:
    """Return the absences in which somebody decides for others, now or later."""
    there = Q(ended_at__isnull=True, ends_at__gt=Now(), person__deactivated_at__isnull=True)
    return (
        Absence.objects.filter(there, stand_in=person)
        .select_related("person")
        .order_by("starts_at")
    )


def _lent(stand_in: Person) -> list[Right]:
    return [
        Right(
            absence.person,
            [
                str(absence.person.ref),
                *(f"role:{role}" for role in absence.roles if role in absence.person.roles),
            ],
            absence.ends_at,
        )
        for absence in absences_now().filter(stand_in=stand_in).order_by("id")
    ]
