"""Telling people and channels: rows in the transaction of what they tell of, sent later.

Nothing is sent here and nothing here can refuse: whoever tells waits for no receiver, and what is
rolled back was never told. A message is told once under its key: saying it again reaches those
only who were not told yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from django.conf import settings
from django.db.models import Q

from approvals.actions.announcing import next_digest
from approvals.channels import plain
from approvals.channels.filters import channels_telling
from approvals.models import NoticePreference
from fleet.telling.models import Copy, Message
from kernel import clock
from kernel.db import ring
from kernel.refs import Ref, new_id
from registry.models import Person, Role, Team

SWEEP: Final = "telling.send_copies"
_LONGEST_TITLE: Final = 200
_LONGEST_LINE: Final = 500
_MOST_LINES: Final = 40


def tell(  # noqa: PLR0913  one message, said in one call with named parts
    *,
    key: str,
    kind: str,
    subject: Ref,
    title: str,
    lines: Sequence[str],
    path: str,
    people: Iterable[Person] = (),
    teams: Iterable[Team] = (),
    roles: Iterable[Role] = (),
    urgent: bool = False,
) -> int:
    """Write a message and a copy for each receiver that has none; return how many were added.

    Call it in the transaction of what is told. Title and lines are of our own making: names and
    numbers, never a secret, never what an agent wrote. Channels are told of the kinds they chose.
    Records: nothing; what is told of is on record where it happened.
    """
    groups, asked = list(teams), [Role(role).value for role in roles]
    readers = _people(people, groups, asked)
    slugs = [team.slug for team in groups]
    channels = channels_telling(kind, subject=subject, teams=slugs, roles=asked)
    if not readers and not channels:
        return 0
    said = {
        "public_id": new_id("msg"),
        "kind": kind,
        "subject": str(subject),
        "title": plain.line(title, _LONGEST_TITLE),
        "lines": [plain.line(each, _LONGEST_LINE) for each in lines[:_MOST_LINES]],
        "path": path if path.startswith("/") else f"/{path}",
        "is_urgent": urgent,
        "created_at": clock.now(),
    }
    message, _ = Message.objects.get_or_create(key=key, defaults=said)
    told = Copy.objects.filter(message=message)
    people_told = set(told.values_list("person_id", flat=True))
    places_told = set(told.values_list("channel_id", flat=True))
    made = [_to_person(message, each) for each in readers if each.pk not in people_told]
    made += [
        _copy(message, channel=each, state=Copy.State.WAITING)
        for each in channels
        if each.pk not in places_told
    ]
    Copy.objects.bulk_create(made, ignore_conflicts=True)
    if any(copy.state == Copy.State.WAITING for copy in made):
        ring(SWEEP)
    return len(made)


def _people(people: Iterable[Person], teams: list[Team], roles: list[str]) -> list[Person]:
    named = {person.pk for person in people}
    whose = Q(pk__in=named) | Q(team__in=teams) | Q(roles__overlap=roles)
    active = Person.objects.filter(whose, deactivated_at__isnull=True)
    return list(active.select_related("notices").order_by("pk"))


def _to_person(message: Message, person: Person) -> Copy:
    preference: NoticePreference | None = getattr(person, "notices", None)
    mail = preference.mail if preference is not None else NoticePreference.Mail.NOW
    if not settings.EMAIL_HOST or mail == NoticePreference.Mail.OFF:
        return _copy(message, person=person, state=Copy.State.KEPT, ended_at=clock.now())
    copy = _copy(message, person=person, state=Copy.State.WAITING)
    copy.is_quiet = not message.is_urgent
    if copy.is_quiet and preference is not None and mail == NoticePreference.Mail.DIGEST:
        copy.again_at = next_digest(person, preference, clock.now())
    return copy


def _copy(message: Message, **given: object) -> Copy:
    now = clock.now()
    return Copy(public_id=new_id("cpy"), message=message, again_at=now, created_at=now, **given)
