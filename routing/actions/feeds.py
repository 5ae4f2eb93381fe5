"""Following catalogue documents that others publish, from an address and on a schedule.

An address on the outside is fetched through the guarded client, and only when it changed
(ETag). What cannot be fetched or read is said with the feed, with since when, and what it
brought before stays; it is looked at again within the hour, however seldom its turn comes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from credentials.egress import GuardedClient
from credentials.errors import AddressRefused, FetchFailed
from kernel import clock
from kernel.canonical import NotJSON
from kernel.db import refused_as, ring
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.actions.catalogue import Loaded, drop_document, load_document
from routing.catalogue.formats import MAX_BYTES, read_document
from routing.errors import CatalogueUnreadable, FeedExists, FeedInvalid, FeedNotFound
from routing.models import CatalogueFeed

SWEEP: Final = "routing.follow_feeds"
SECONDS: Final = 60.0
AGAIN: Final = timedelta(hours=1)  # at the latest, what could not be read
MOST_HOURS: Final = 720
_AT_A_SWEEP: Final = 20
_NOT_MODIFIED: Final = 304
_OUTCOME: Final = (
    "etag", "loaded_at", "rows", "code", "detail", "failures", "failing_since", "checked_at",
    "next_at",
)  # fmt: skip


@transaction.atomic
def add_feed(url: str, *, actor: Actor, title: str = "", every_hours: int = 1) -> CatalogueFeed:
    """Follow a catalogue document from now on.

    Records: catalogue.feed_added. Raises: RoleMissing, FeedInvalid, FeedExists.
    """
    actor.require(Role.PLATFORM)
    address = url.strip()
    try:
        target = GuardedClient().check(address)
    except AddressRefused as error:
        raise FeedInvalid(error.detail, field="url") from None
    if target.query is not None:
        # It would be in the record and on pages, and what stands there is often a key.
        raise FeedInvalid("A feed's address has no query.", field="url")
    if not 1 <= every_hours <= MOST_HOURS:
        raise FeedInvalid(f"Look every 1 to {MOST_HOURS} hours.", field="every_hours")
    now = clock.now()
    feed = CatalogueFeed(
        public_id=new_id("ctf"), url=address, title=title.strip()[:200], every_hours=every_hours,
        next_at=now, added_by=str(actor.ref), added_at=now,
    )  # fmt: skip
    exists = FeedExists("This address is followed already.")
    with refused_as({"routing_cataloguefeed_one_per_address": exists}):
        feed.save(force_insert=True)
    record(Verb.CATALOGUE_FEED_ADDED, feed.ref, actor=actor.ref, facts=_facts(feed))
    return feed


@transaction.atomic
def remove_feed(public_id: str, *, actor: Actor) -> None:
    """Stop following a document, and take what it brought out of the catalogue.

    Records: catalogue.feed_removed, and what `drop_document` records.
    Raises: RoleMissing, FeedNotFound.
    """
    actor.require(Role.PLATFORM)
    feed = feed_for(public_id)
    feed.removed_at = clock.now()
    feed.save(update_fields=["removed_at"])
    rows = drop_document(feed.document, actor=actor)
    facts = _facts(feed) | {"rows": rows}
    record(Verb.CATALOGUE_FEED_REMOVED, feed.ref, actor=actor.ref, facts=facts)


@transaction.atomic
def look_now(public_id: str, *, actor: Actor) -> CatalogueFeed:
    """Have a feed looked at now rather than when it is due.

    Records: nothing; what is loaded is. Raises: RoleMissing, FeedNotFound.
    """
    actor.require(Role.PLATFORM)
    feed = feed_for(public_id)
    feed.next_at = clock.now()
    feed.save(update_fields=["next_at"])
    ring(SWEEP)
    return feed


def follow_due_feeds(*, actor: Actor) -> int:
    """Look at the feeds that are due, each by one worker; return how many were."""
    now = clock.now()
    due = CatalogueFeed.objects.filter(removed_at__isnull=True, next_at__lte=now)
    found = list(due.order_by("next_at")[:_AT_A_SWEEP])
    return sum(_follow(feed, now, actor) for feed in found)


def _follow(feed: CatalogueFeed, now: datetime, actor: Actor) -> bool:
    # Whoever sets its next turn first looks at it; should they die, that turn comes.
    rows = CatalogueFeed.objects.filter(pk=feed.pk, next_at=feed.next_at)
    if not rows.update(next_at=now + AGAIN):
        return False
    follow_feed(feed, actor=actor)
    return True


def follow_feed(
    feed: CatalogueFeed, *, actor: Actor, client: GuardedClient | None = None
) -> Loaded | None:
    """Fetch a feed and load what it says, if it changed; what goes wrong is kept with it.

    Records: as load_catalogue.
    """
    headers = {"Accept": "application/json"} | ({"If-None-Match": feed.etag} if feed.etag else {})
    code, detail, loaded = "", "", None
    try:
        client = client or GuardedClient(max_bytes=MAX_BYTES, seconds=SECONDS)
        answer = client.get(feed.url, headers=headers)
        if answer.is_ok:
            loaded = _load(feed, answer.body, actor)
            if loaded is None:
                return None
            feed.etag = answer.headers.get("etag", "")[:200]
            feed.loaded_at, feed.rows = clock.now(), loaded.rows
        elif answer.status != _NOT_MODIFIED:
            code, detail = f"http_{answer.status}", f"The address answered {answer.status}."
    except (FetchFailed, AddressRefused) as error:
        code, detail = "unreachable", error.detail
    except (CatalogueUnreadable, NotJSON) as error:
        code, detail = "unreadable", error.detail
    feed.code, feed.detail = code, detail[:500]
    feed.checked_at = now = clock.now()
    turn = timedelta(hours=feed.every_hours)
    if code:
        feed.failures, feed.failing_since = feed.failures + 1, feed.failing_since or now
    else:
        feed.failures, feed.failing_since = 0, None
    feed.next_at = now + (min(turn, AGAIN) if code else turn)
    feed.save(update_fields=_OUTCOME)
    return loaded


@transaction.atomic
def _load(feed: CatalogueFeed, body: bytes, actor: Actor) -> Loaded | None:
    """Load what a feed answered, unless somebody removed the feed meanwhile.

    A feed says when models end. Prices are what budgets reserve by, so an address of somebody
    else's does not set them. Raises: CatalogueUnreadable, NotJSON.
    """
    locked = CatalogueFeed.objects.select_for_update().filter(pk=feed.pk, removed_at__isnull=True)
    if not locked.exists():
        return None
    document = read_document(body)
    if document.prices:
        raise CatalogueUnreadable(
            "This is a list of prices. A feed says when models end (model-eol/0.1); load prices"
            " with manage.py load_catalogue.",
            key="schema",
        )
    return load_document(document, actor=actor, came_from=feed.document, name=feed.document)


def feed_for(public_id: str) -> CatalogueFeed:
    """Return a feed that is followed. Raises: FeedNotFound."""
    said = "" if "\x00" in public_id else public_id
    feed = CatalogueFeed.objects.filter(public_id=said, removed_at__isnull=True).first()
    if feed is None:
        raise FeedNotFound(f"There is no feed {public_id[:80]!r}.")
    return feed


def _facts(feed: CatalogueFeed) -> dict[str, Fact]:
    return {"feed": feed.public_id, "url": feed.url, "every_hours": feed.every_hours}
