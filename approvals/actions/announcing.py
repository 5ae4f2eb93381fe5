"""Telling channels of a review: rows of the outbox, in the transaction of what they tell of.

Nothing is sent here and nothing here can refuse: whoever opens or settles a review waits for no
receiver, and a review that is rolled back was never announced.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from approvals.channels.filters import channels_for, readers_of
from approvals.models import Channel, Notice, NoticePreference, Review
from kernel import clock
from kernel.db import ring
from kernel.refs import new_id
from registry.actors import Actor
from registry.models import Person
from registry.portal import zone_of

Event = Notice.Event
SWEEP: Final = "approvals.send_notices"
MOST_REMINDED: Final = 200


def announce_review(review: Review, event: str) -> int:
    """Write a notice for every receiver that wants an event; saying it again adds none.

    Call it in the transaction of the event. Records: nothing; the sending is on record.
    """
    if event == Event.SETTLED:
        _withdraw(review)
    now = clock.now()
    made = [
        row for channel in channels_for(review, event) for row in _rows(channel, review, event, now)
    ]
    if made:
        Notice.objects.bulk_create(made, ignore_conflicts=True)
        ring(SWEEP)
    return len(made)


def remind_deciders(*, actor: Actor) -> int:
    """Announce what is still open when three quarters of its time are over; return how many.

    Records: nothing; the sending is on record.
    """
    if not Channel.objects.filter(removed_at__isnull=True).exists():
        return 0
    told = Notice.objects.filter(review=OuterRef("pk"), event=Event.REMINDED)
    late = Review.objects.filter(
        ~Exists(told),
        state=Review.State.OPEN,
        expires_at__gt=Now(),
        created_at__lte=Now() - (F("expires_at") - F("created_at")) * 0.75,
    )
    reminded = 0
    for review in late.select_related("requester").order_by("expires_at")[:MOST_REMINDED]:
        with transaction.atomic():
            reminded += bool(announce_review(review, Event.REMINDED))
    return reminded


def _rows(channel: Channel, review: Review, event: str, now: datetime) -> Iterator[Notice]:
    if channel.kind != Channel.Kind.MAIL:
        yield _notice(channel, review, event, now)
    elif event != Event.SETTLED and settings.EMAIL_HOST:
        for person, preference in readers_of(review):
            yield _mail(channel, review, event, now, person, preference)


def _notice(channel: Channel, review: Review, event: str, now: datetime) -> Notice:
    return Notice(
        public_id=new_id("ntc"),
        channel=channel,
        review=review,
        event=event,
        again_at=now,
        created_at=now,
    )


def _mail(
    channel: Channel,
    review: Review,
    event: str,
    now: datetime,
    person: Person,
    preference: NoticePreference | None,
) -> Notice:
    notice = _notice(channel, review, event, now)
    notice.person = person
    if preference is not None and preference.mail == NoticePreference.Mail.DIGEST:
        notice.is_digest = True
        notice.again_at = next_digest(person, preference, now)
    return notice


def next_digest(person: Person, preference: NoticePreference, now: datetime) -> datetime:
    """Return when the next mail of a day leaves, by the person's own clock."""
    here = now.astimezone(zone_of(person))
    today = here.replace(hour=preference.digest_hour, minute=0, second=0, microsecond=0)
    return today if today > here else today + timedelta(days=1)


def _withdraw(review: Review) -> None:
    # What has not left yet would ask for an answer that nobody needs any more.
    Notice.objects.filter(review=review, state=Notice.State.WAITING).filter(
        ~Q(event=Event.SETTLED), Q(leased_until__isnull=True) | Q(leased_until__lt=Now())
    ).update(state=Notice.State.SKIPPED, ended_at=Now(), fence=F("fence") + 1)
