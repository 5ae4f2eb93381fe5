"""Sending feeds: in order, at least once, and no further ahead than what was taken.

The row holds the cursor; it moves when a batch was taken, and not before. Nothing is kept
for a receiver that is down but its place in the log, so no disk fills.
"""

from __future__ import annotations

import gzip
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import Q

from credentials.dialling import Place
from credentials.egress import GuardedClient
from kernel import clock
from kernel.db import ring
from kernel.errors import DomainError, Unavailable
from outlets.feeds import events, syslog
from outlets.feeds.events import Event
from outlets.models import Feed
from outlets.queries.feeds import next_events, wants
from outlets.queries.secrets import secret_of_holder
from registry.actors import Actor

logger = logging.getLogger("unsprawl.feeds")

PART_SECONDS: Final = 20.0
LEASE: Final = timedelta(seconds=120)
BATCH: Final = 500
BATCH_BYTES: Final = 1024 * 1024
LONGEST_PAUSE_SECONDS: Final = 300.0
VERSION: Final = "1"


class ReceiverRefused(Unavailable):
    """Raised when a receiver answers, and not with success; its words are not repeated."""

    code = "outlets.receiver_refused"
    title = "The receiver did not take the events"


def send_feeds(*, actor: Actor) -> int:
    """Send what is due, feed by feed, for one part's time; return how many events left.

    Records: nothing; what a feed was sent is what is on record already.
    """
    until, sent = time.monotonic() + PART_SECONDS, 0
    while time.monotonic() < until and (feed := _claim()) is not None:
        try:
            sent += _go_on(feed, until)
        except (DomainError, OperationalError, OSError) as error:
            _failed(feed, error)
    if Feed.objects.filter(_due()).filter(test_asked_at__isnull=False).exists():
        ring("outlets.send_feeds")
    return sent


def _due() -> Q:
    now = clock.now()
    return (
        Q(removed_at__isnull=True)
        & (Q(paused_at__isnull=True) | Q(test_asked_at__isnull=False))
        & (Q(leased_until__isnull=True) | Q(leased_until__lt=now))
        & (Q(again_at__isnull=True) | Q(again_at__lte=now) | Q(test_asked_at__isnull=False))
    )


@transaction.atomic
def _claim() -> Feed | None:
    found = (
        Feed.objects.select_for_update(skip_locked=True)
        .filter(_due())
        .order_by("again_at", "last_sent_at", "pk")
        .first()
    )
    if found is not None:
        found.leased_until = clock.now() + LEASE
        found.save(update_fields=["leased_until"])
    return found


def _go_on(feed: Feed, until: float) -> int:
    send, sent = _sender(feed), 0
    if feed.test_asked_at is not None:
        _test(feed, send)
    while feed.paused_at is None:
        taken = next_events(feed, BATCH)
        batch = _bounded(feed, taken)
        if batch.events:
            send(batch.events)
        if not _advance(feed, batch):
            return sent
        sent += len(batch.events)
        if len(taken) < BATCH or time.monotonic() >= until:
            break
    # Asked again in a moment: a feed that is up to date leaves its place to the next.
    pause = timedelta(seconds=1)
    _keep(feed, leased_until=None, again_at=clock.now() + pause)
    return sent


class _Batch:
    """What is sent at once, and where the cursor stands behind it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.passed = 0
        self.end: tuple[int, int] | None = None


def _bounded(feed: Feed, taken: list[Event]) -> _Batch:
    batch, weight = _Batch(), 0
    for event in taken:
        if wants(feed, event):
            weight += len(events.json_text(event, ""))
            if batch.events and weight > BATCH_BYTES:
                break
            batch.events.append(event)
        else:
            batch.passed += 1
        batch.end = (event.epoch, event.index)
    return batch


def _advance(feed: Feed, batch: _Batch) -> bool:
    changes: dict[str, Any] = {"failures": 0, "failure": "", "failing_since": None}
    if batch.end is not None:
        changes |= {"epoch": batch.end[0], "index": batch.end[1]}
        changes["passed"] = feed.passed + batch.passed
    if batch.events:
        changes |= {"sent": feed.sent + len(batch.events), "last_sent_at": clock.now()}
    return _keep(feed, leased_until=clock.now() + LEASE, **changes)


def _keep(feed: Feed, **changes: Any) -> bool:
    """Save, if this worker still has the feed and nobody changed or removed it meanwhile."""
    rows = Feed.objects.filter(pk=feed.pk, leased_until=feed.leased_until, removed_at__isnull=True)
    if not rows.update(**changes):
        return False
    for name, value in changes.items():
        setattr(feed, name, value)
    feed.refresh_from_db(fields=["paused_at"])
    return True


def _failed(feed: Feed, error: Exception) -> None:
    reason = str(getattr(error, "facts", {}).get("reason", ""))
    words = error.detail if isinstance(error, DomainError) else type(error).__name__
    logger.warning("feed %s: %s", feed.public_id, reason or type(error).__name__)
    feed.failures += 1
    pause = min(2.0 ** min(feed.failures, 10), LONGEST_PAUSE_SECONDS)
    Feed.objects.filter(pk=feed.pk, leased_until=feed.leased_until).update(
        failures=feed.failures,
        failure=words[:300],
        failing_since=feed.failing_since or clock.now(),
        again_at=clock.now() + timedelta(seconds=pause),
        leased_until=None,
    )


def _test(feed: Feed, send: Callable[[list[Event]], None]) -> None:
    try:
        send([Event(0, 0, "", None, is_test=True)])
        result = "ok"
    except DomainError as error:
        result = error.detail
    _keep(feed, test_asked_at=None, tested_at=clock.now(), test_result=result[:300])


def _sender(feed: Feed) -> Callable[[list[Event]], None]:
    if feed.kind == Feed.Kind.HTTP:
        return lambda batch: _post(feed, batch)
    place = Place.parse(feed.address, allow_private=feed.allow_private)
    if feed.kind == Feed.Kind.SYSLOG_UDP:
        return lambda batch: syslog.send_datagrams(place, _messages(feed, batch))
    tls = feed.kind == Feed.Kind.SYSLOG_TLS
    return lambda batch: syslog.send_stream(
        place, _messages(feed, batch), tls=tls, ca_pem=feed.ca_pem
    )


def _messages(feed: Feed, batch: list[Event]) -> list[bytes]:
    host = _host()
    return [
        syslog.message(
            _text(feed, event),
            severity=event.severity,
            at=events.moment_of(event, clock.now()),
            host=host,
            kind=event.kind,
        )
        for event in batch
    ]


def _text(feed: Feed, event: Event) -> str:
    if feed.format == Feed.Format.CEF:
        return events.cef_text(event, _host(), VERSION)
    return events.json_text(event, _host())


def _post(feed: Feed, batch: list[Event]) -> None:
    if feed.format == Feed.Format.HEC:
        body = "\n".join(events.hec_text(event, _host(), _host()) for event in batch)
    elif feed.format == Feed.Format.CEF:
        body = "\n".join(_text(feed, event) for event in batch)
    else:
        body = f"[{','.join(_text(feed, event) for event in batch)}]"
    headers = {
        "Content-Type": "text/plain" if feed.format == Feed.Format.CEF else "application/json",
        "Content-Encoding": "gzip",
    }
    if feed.auth_header:
        secret = secret_of_holder(feed.ref).reveal()
        headers[feed.auth_header] = f"{feed.auth_scheme} {secret}".strip()
    client = GuardedClient(allow_private=feed.allow_private, seconds=30.0)
    answer = client.post(feed.address, gzip.compress(body.encode(), 6), headers=headers)
    if not answer.is_ok:
        raise ReceiverRefused(f"It answered {answer.status}.")


def _host() -> str:
    return urlsplit(settings.PUBLIC_URL).netloc
