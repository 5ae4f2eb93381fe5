"""Sending what the outbox holds: claimed by lease and fence, tried again, given up in the end.

One receiver that is slow or hostile costs its own messages time and no other's: each channel has
one message on its way, several channels have theirs at once, and a channel that failed rests.
What is not known to have arrived is sent again under the same id: at least once.
"""

from __future__ import annotations

import logging
import random
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from approvals.channels.formats import prepare
from approvals.channels.sending import Outcome
from approvals.models import Channel, Notice, Review
from kernel import clock
from kernel.errors import DomainError
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor

logger = logging.getLogger("unsprawl.channels")

PART_SECONDS: Final = 20.0
LEASE: Final = timedelta(seconds=60)
WIDTH: Final = 8  # channels that have a message on its way at once
MOST_ATTEMPTS: Final = 12
FIRST_PAUSE_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 3600.0
LONGEST_REST_SECONDS: Final = 60.0
_NEEDS_AN_OPEN_REVIEW: Final = (
    Notice.Event.OPENED, Notice.Event.ESCALATED, Notice.Event.REMINDED
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Flight:
    notices: list[Notice]  # several in a digest, else one

    @property
    def first(self) -> Notice:
        return self.notices[0]


def send_notices(*, actor: Actor) -> int:
    """Send what is due for one part's time; return how many messages arrived.

    Records: notice.sent, notice.given_up.
    """
    until, sent = time.monotonic() + PART_SECONDS, 0
    flying: dict[Future[Outcome], _Flight] = {}
    with ThreadPoolExecutor(WIDTH, thread_name_prefix="notice") as pool:
        while True:
            while len(flying) < WIDTH and time.monotonic() < until and (flight := _claim()):
                if (outcome := _launch(flight, pool, flying)) is not None:
                    _conclude(flight, outcome, actor)
            if not flying:
                return sent
            # Not for long: what became due meanwhile for others does not wait for the slowest.
            landed, _ = wait(flying, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in landed:
                flight = flying.pop(future)
                sent += _conclude(flight, future.result(), actor)


def _launch(
    flight: _Flight, pool: ThreadPoolExecutor, flying: dict[Future[Outcome], _Flight]
) -> Outcome | None:
    """Start a message, or say why it cannot even be made. Threads get no row and no connection."""
    try:
        flying[pool.submit(prepare(flight.notices))] = flight
    except DomainError as error:
        return Outcome(is_sent=False, failure=error.detail)
    return None


def _due() -> QuerySet[Notice]:
    now = clock.now()
    under_way = Notice.objects.filter(
        channel=OuterRef("channel"), state=Notice.State.WAITING, leased_until__gte=now
    )
    return Notice.objects.filter(
        ~Exists(under_way),
        Q(channel__again_at__isnull=True) | Q(channel__again_at__lte=now) | Q(event="tested"),
        Q(channel__paused_at__isnull=True) | Q(event="tested"),
        state=Notice.State.WAITING,
        again_at__lte=now,
    )


@transaction.atomic
def _claim() -> _Flight | None:
    """Take the message that is due of the channel that was tried longest ago."""
    while True:
        rows = _due().select_for_update(of=("self",), skip_locked=True)
        found = rows.order_by(
            F("channel__tried_at").asc(nulls_first=True), "again_at", "pk"
        ).first()
        if found is None:
            return None
        taken = [found, *_companions(found)]
        moved = [each for each in taken if _is_wanted(each)]
        for each in moved:
            each.fence += 1
            each.leased_until = clock.now() + LEASE
            each.save(update_fields=["fence", "leased_until"])
        if moved:
            Channel.objects.filter(pk=found.channel_id).update(tried_at=clock.now())
            return _Flight(moved)


def _companions(first: Notice) -> list[Notice]:
    """The rest of one person's digest: what is due leaves in one mail."""
    if not first.is_digest:
        return []
    rest = Notice.objects.select_for_update(of=("self",), skip_locked=True).filter(
        channel=first.channel_id,
        person=first.person_id,
        is_digest=True,
        state=Notice.State.WAITING,
        again_at__lte=clock.now(),
    )
    return list(rest.exclude(pk=first.pk).order_by("pk")[:200])


def _is_wanted(notice: Notice) -> bool:
    """End a message that has no point any more; the claim goes on to the next."""
    review, channel = notice.review, notice.channel
    is_over = (
        review is not None
        and notice.event in _NEEDS_AN_OPEN_REVIEW
        and (review.state != Review.State.OPEN or review.expires_at <= clock.now())
    )
    if not (is_over or channel.removed_at or channel.gone_at):
        return True
    _end(notice, Notice.State.SKIPPED)
    return False


def _conclude(flight: _Flight, outcome: Outcome, actor: Actor) -> int:
    with transaction.atomic():
        channel = Channel.objects.select_for_update().get(pk=flight.first.channel_id)
        kept = [each for each in flight.notices if _hold(each)]
        if not kept:
            return 0  # somebody else has it now; what we sent, they send again
        if outcome.is_sent:
            for each in kept:
                _sent(each, channel, outcome, actor)
            recover_channel(channel)
            return 1
        logger.warning("channel %s: %s", channel.public_id, outcome.failure)
        for each in kept:
            _failed(each, channel, outcome, actor)
        rest_channel(channel, outcome)
        return 0


def _hold(notice: Notice) -> bool:
    rows = Notice.objects.select_for_update().filter(
        pk=notice.pk, fence=notice.fence, state=Notice.State.WAITING
    )
    return rows.exists()


def _sent(notice: Notice, channel: Channel, outcome: Outcome, actor: Actor) -> None:
    notice.place = dict(outcome.place)
    notice.attempts += 1
    notice.failure = ""
    _end(notice, Notice.State.SENT, "place", "attempts", "failure")
    facts: dict[str, Fact] = {
        "notice": notice.public_id,
        "channel": channel.public_id,
        "event": notice.event,
        "carries": channel.carries,
    }
    if notice.person_id is not None and notice.person is not None:
        facts["person"] = notice.person.public_id
    subject = notice.review.ref if notice.review is not None else channel.ref
    record(Verb.NOTICE_SENT, subject, actor=actor.ref, facts=facts)


def _failed(notice: Notice, channel: Channel, outcome: Outcome, actor: Actor) -> None:
    notice.attempts += 1
    notice.failure = outcome.failure[:300]
    is_last = notice.attempts >= MOST_ATTEMPTS or notice.event == Notice.Event.TESTED
    if is_last or outcome.is_gone:
        _end(notice, Notice.State.GIVEN_UP, "attempts", "failure")
        given_up: dict[str, Fact] = {"notice": notice.public_id, "attempts": notice.attempts}
        record(Verb.NOTICE_GIVEN_UP, channel.ref, actor=actor.ref, facts=given_up)
        return
    pause = max(pause_after(notice.attempts), float(outcome.wait_seconds))
    notice.again_at = clock.now() + timedelta(seconds=pause)
    notice.leased_until = None
    notice.save(update_fields=["attempts", "failure", "again_at", "leased_until"])


def pause_after(attempts: int) -> float:
    """Return the seconds until the next attempt: doubling, and never the same for two."""
    usual = min(FIRST_PAUSE_SECONDS * 2.0 ** min(attempts, 16), LONGEST_PAUSE_SECONDS)
    return usual * random.uniform(0.5, 1.5)  # noqa: S311  it only spreads the load


def rest_channel(channel: Channel, outcome: Outcome) -> None:
    """Leave a channel that failed alone for a while; call it under the lock of its row."""
    now = clock.now()
    channel.failures += 1
    channel.failure = outcome.failure[:300]
    channel.failing_since = channel.failing_since or now
    # A receiver that is down is asked by one message at a time, not by all that wait for it.
    rest = min(2.0 ** min(channel.failures, 10), LONGEST_REST_SECONDS)
    channel.again_at = now + timedelta(seconds=max(rest, float(outcome.wait_seconds)))
    channel.gone_at = channel.gone_at or (now if outcome.is_gone else None)
    channel.save(update_fields=["failures", "failure", "failing_since", "again_at", "gone_at"])


def recover_channel(channel: Channel) -> None:
    """Take a channel for well again; call it under the lock of its row."""
    channel.failures, channel.failure = 0, ""
    channel.failing_since = channel.again_at = None
    channel.last_sent_at = clock.now()
    channel.save(update_fields=["failures", "failure", "failing_since", "again_at", "last_sent_at"])


def _end(notice: Notice, state: Notice.State, *also: str) -> None:
    notice.state = state
    notice.ended_at = clock.now()
    notice.leased_until = None
    notice.save(update_fields=["state", "ended_at", "leased_until", *also])
