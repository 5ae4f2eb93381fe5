"""Saying that one is away and who decides meanwhile; and coming back sooner.

Nobody gives away more than they have: a role is lent only by who holds it, and every use of it
asks again. The reason is kept where payloads are, readable as long as its key lives.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models.functions import Now

from approvals.actions.texts import clean_text
from approvals.errors import AbsenceNotFound, AbsenceOverlaps, AbsenceUnusable, PeopleDecide
from approvals.humans import mailbox
from approvals.models import Absence
from kernel import clock
from kernel.canonical import canonical
from kernel.clock import stamp
from kernel.db import refused_as
from kernel.refs import new_id
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Person, Role

LONGEST: Final = timedelta(days=366)


@transaction.atomic
def set_absence(
    *,
    actor: Actor,
    stand_in: str,
    starts_at: datetime,
    ends_at: datetime,
    roles: Iterable[str] = (),
    reason: str = "",
) -> Absence:
    """Name who decides in one's place from a moment until another.

    Records: absence.set. Raises: PeopleDecide, AbsenceUnusable, AbsenceOverlaps, TextUnusable.
    """
    if actor.person is None:
        raise PeopleDecide
    said, lent = clean_text(reason, "reason"), sorted(set(roles))
    person = Person.objects.select_for_update(no_key=True).get(pk=actor.person.pk)
    other = _stand_in(person, stand_in)
    _check_time(starts_at, ends_at)
    _check_roles(actor, lent)
    taken = AbsenceOverlaps("You are away then already. End that absence, or choose other days.")
    with refused_as({"approvals_absence_one_at_a_time": taken}):
        absence = Absence.objects.create(
            public_id=new_id("abs"),
            person=person,
            stand_in=other,
            roles=lent,
            reason=said,
            starts_at=starts_at,
            ends_at=ends_at,
            created_at=Now(),
        )
    absence.refresh_from_db()
    record(
        Verb.ABSENCE_SET,
        absence.ref,
        actor=actor.ref,
        facts={
            "person": str(person.ref),
            "stand_in": str(other.ref),
            "roles": lent,
            "from": stamp(starts_at),
            "until": stamp(ends_at),
        },
        payload=canonical({"reason": said}) if said else None,
    )
    return absence


@transaction.atomic
def end_absence(public_id: str, *, actor: Actor) -> Absence:
    """Take a stand-in's rights back before their time; one's own, or the platform anybody's.

    Ending one that is over changes nothing. Records: absence.ended. Raises: AbsenceNotFound.
    """
    found = Absence.objects.select_for_update(of=("self",)).select_related("person")
    absence = found.filter(public_id=public_id.replace("\x00", "")).first()
    if absence is None or not (actor.is_person(absence.person) or actor.has(Role.PLATFORM)):
        raise AbsenceNotFound("There is no such absence.")
    if absence.ended_at is not None or absence.ends_at <= clock.now():
        return absence
    Absence.objects.filter(pk=absence.pk).update(ended_at=Now(), ended_by=str(actor.ref))
    absence.refresh_from_db()
    record(
        Verb.ABSENCE_ENDED,
        absence.ref,
        actor=actor.ref,
        facts={"person": str(absence.person.ref)},
    )
    return absence


def _stand_in(person: Person, email: str) -> Person:
    found = Person.objects.filter(email__iexact=email.strip(), deactivated_at__isnull=True).first()
    if found is None:
        raise AbsenceUnusable(
            f"Nobody with an account has the address {email.strip()[:120]}.", field="stand_in"
        )
    if mailbox(found.email) == mailbox(person.email):
        raise AbsenceUnusable("Somebody else stands in for you.", field="stand_in")
    return found


def _check_time(starts_at: datetime, ends_at: datetime) -> None:
    if ends_at <= starts_at:
        raise AbsenceUnusable("It ends after it begins.", field="ends_at")
    if ends_at <= clock.now():
        raise AbsenceUnusable("It is over already; choose a later end.", field="ends_at")
    if ends_at - starts_at > LONGEST:
        raise AbsenceUnusable("An absence lasts a year at most.", field="ends_at")


def _check_roles(actor: Actor, roles: list[str]) -> None:
    known = [role for role in roles if role in Role.values and role != Role.EMPLOYEE]
    if known != roles or not all(actor.has(Role(role)) for role in known):
        raise AbsenceUnusable("You can lend only roles that you hold.", field="roles")
