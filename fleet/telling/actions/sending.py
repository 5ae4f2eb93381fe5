"""Sending the copies that are due: claimed by lease and fence, tried again, given up in the end.

The channels' own rest holds here too: one that failed with a review is left alone with this. A
person's quiet mails leave together, one mail in a quarter of an hour. What is not known to have
arrived is sent again under the same id: at least once.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from approvals.actions.sending import pause_after, recover_channel, rest_channel
from approvals.channels.sending import Outcome, Send
from approvals.channels.told import Told, prepare_mail, prepare_told
from approvals.models import Channel, NoticePreference
from fleet.telling.models import Copy
from kernel import clock
from kernel.errors import DomainError
from registry.actors import Actor
from registry.models import Role

logger = logging.getLogger("unsprawl.telling")

PART_SECONDS: Final = 20.0
LEASE: Final = timedelta(seconds=60)
QUIET: Final = timedelta(minutes=15)  # between two quiet mails to one person
WIDTH: Final = 8
MOST_ATTEMPTS: Final = 12
MOST_TOGETHER: Final = 100
State = Copy.State


def send_copies(*, actor: Actor) -> int:
    """Send what is due for one part's time; return how many messages arrived.

    Records: nothing; a copy says itself what became of it, and whoever receives it sees it.
    Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    until, sent = time.monotonic() + PART_SECONDS, 0
    flying: dict[Future[Outcome], list[Copy]] = {}
    with ThreadPoolExecutor(WIDTH, thread_name_prefix="telling") as pool:
        while True:
            while len(flying) < WIDTH and time.monotonic() < until and (taken := _claim()):
                try:
                    flying[pool.submit(_prepared(taken))] = taken
                except DomainError as error:
                    _conclude(taken, Outcome(is_sent=False, failure=error.detail))
            if not flying:
                return sent
            landed, _ = wait(flying, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in landed:
                sent += _conclude(flying.pop(future), future.result())


def _prepared(copies: list[Copy]) -> Send:
    """Make the message; threads get no row and no connection."""
    first = copies[0]
    if first.channel is not None:
        return prepare_told(first.channel, _told(first, _thread_of(first)))
    if first.person is None:
        raise ValueError("a copy has a receiver")
    return prepare_mail(first.person, [_told(each) for each in copies])


def _told(copy: Copy, thread: str = "") -> Told:
    said = copy.message
    return Told(
        copy.public_id, said.kind, said.subject, said.title, tuple(said.lines), said.path,
        said.created_at, thread,
    )  # fmt: skip


def _thread_of(copy: Copy) -> str:
    """Return Slack's name of the first message there about the same thing."""
    first = Copy.objects.filter(
        channel=copy.channel_id, message__subject=copy.message.subject, state=State.SENT
    ).order_by("pk")
    place = first.values_list("place", flat=True).first() or {}
    return str(place.get("ts", ""))


def _due() -> QuerySet[Copy]:
    now = clock.now()
    on_its_way = Copy.objects.filter(state=State.WAITING, leased_until__gte=now)
    lately = Copy.objects.filter(
        person=OuterRef("person"), state=State.SENT, is_quiet=True, ended_at__gt=now - QUIET
    )
    busy = Exists(on_its_way.filter(channel=OuterRef("channel")))
    told = Exists(on_its_way.filter(person=OuterRef("person"), is_quiet=True)) | Exists(lately)
    well = Q(channel__again_at__isnull=True) | Q(channel__again_at__lte=now)
    return Copy.objects.filter(
        Q(channel__isnull=True) | (Q(channel__paused_at__isnull=True) & well & ~busy),
        Q(is_quiet=False) | ~told,
        Q(leased_until__isnull=True) | Q(leased_until__lt=now),
        state=State.WAITING,
        again_at__lte=now,
    )


@transaction.atomic
def _claim() -> list[Copy]:
    """Take the message that is due first, and with a quiet mail the rest of its person's."""
    while True:
        rows = _due().select_for_update(of=("self",), skip_locked=True)
        found = rows.select_related("message", "channel", "person").order_by("again_at", "pk")
        first = found.first()
        if first is None:
            return []
        taken = [each for each in (first, *_companions(first)) if _is_wanted(each)]
        for each in taken:
            each.fence += 1
            each.leased_until = clock.now() + LEASE
            each.save(update_fields=["fence", "leased_until"])
        if taken:
            return taken


def _companions(first: Copy) -> list[Copy]:
    if not first.is_quiet:
        return []
    rest = Copy.objects.select_for_update(of=("self",), skip_locked=True).filter(
        Q(leased_until__isnull=True) | Q(leased_until__lt=clock.now()),
        person=first.person_id, is_quiet=True, state=State.WAITING,
    )  # fmt: skip
    others = rest.exclude(pk=first.pk).select_related("message", "person")
    return list(others.order_by("pk")[:MOST_TOGETHER])


def _is_wanted(copy: Copy) -> bool:
    """End a copy that nobody needs any more; what was read in the list needs no quiet mail."""
    person, channel = copy.person, copy.channel
    if channel is not None:
        is_over = bool(channel.removed_at or channel.gone_at)
    else:
        off = NoticePreference.objects.filter(person=person, mail=NoticePreference.Mail.OFF)
        has_read = copy.is_quiet and copy.read_at is not None
        is_over = has_read or person is None or not person.is_active or off.exists()
    if is_over:
        _end(copy, State.SKIPPED)
    return not is_over


def _conclude(copies: list[Copy], outcome: Outcome) -> int:
    with transaction.atomic():
        channel = None
        if copies[0].channel_id is not None:
            channel = Channel.objects.select_for_update().get(pk=copies[0].channel_id)
        kept = [each for each in copies if _hold(each)]
        for each in kept:
            each.attempts += 1
            each.failure = outcome.failure[:300]
            if outcome.is_sent:
                each.place = dict(outcome.place)
                _end(each, State.SENT, "attempts", "failure", "place")
            else:
                _put_off(each, outcome)
        if channel is not None and kept:
            (recover_channel(channel) if outcome.is_sent else rest_channel(channel, outcome))
    if kept and not outcome.is_sent:
        logger.warning("telling %s: %s", kept[0].public_id, outcome.failure)
    return int(bool(kept) and outcome.is_sent)


def _hold(copy: Copy) -> bool:
    rows = Copy.objects.select_for_update().filter(
        pk=copy.pk, fence=copy.fence, state=State.WAITING
    )
    return rows.exists()


def _put_off(copy: Copy, outcome: Outcome) -> None:
    if copy.attempts >= MOST_ATTEMPTS or outcome.is_gone:
        _end(copy, State.GIVEN_UP, "attempts", "failure")
        return
    pause = max(pause_after(copy.attempts), float(outcome.wait_seconds))
    copy.again_at = clock.now() + timedelta(seconds=pause)
    copy.leased_until = None
    copy.save(update_fields=["attempts", "failure", "again_at", "leased_until"])


def _end(copy: Copy, state: Copy.State, *also: str) -> None:
    copy.state = state
    copy.ended_at = clock.now()
    copy.leased_until = None
    copy.save(update_fields=["state", "ended_at", "leased_until", *also])
