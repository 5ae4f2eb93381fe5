"""Which feeds there are, how far behind each is, and what comes next for one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import QuerySet

from outlets.errors import FeedNotFound
from outlets.feeds.events import Event
from outlets.models import Feed
from registry.actors import Actor
from registry.models import Role

SEEING: Final = (Role.SECURITY, Role.PLATFORM, Role.AUDITOR)
_NEXT: Final = """
    SELECT l.epoch, l.index, l.leaf_hash, e.header, octet_length(e.header)
    FROM ledger_leaf l LEFT JOIN ledger_entry e ON e.id = l.entry
    WHERE (l.epoch, l.index) > (%s, %s) ORDER BY l.epoch, l.index LIMIT %s
"""
_LAG: Final = """
    SELECT (SELECT coalesce(sum(last + 1), 0) FROM (
                SELECT max(l.index) AS last FROM ledger_leaf l WHERE l.epoch = e.number) ends
            ) - CASE WHEN e.number = %s THEN %s + 1 ELSE 0 END
    FROM ledger_epoch e WHERE e.number >= %s
"""
_OLDEST: Final = """
    SELECT e.recorded_at FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry
    WHERE (l.epoch, l.index) > (%s, %s) ORDER BY l.epoch, l.index LIMIT 1
"""
_END: Final = "SELECT epoch, index FROM ledger_leaf ORDER BY epoch DESC, index DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind a feed is."""

    entries: int
    oldest_at: datetime | None


def feeds_for(actor: Actor) -> QuerySet[Feed]:
    """Return the feeds, for those who oversee. Raises: RoleMissing."""
    actor.require(*SEEING)
    return Feed.objects.filter(removed_at__isnull=True)


def feed_for(actor: Actor, public_id: str) -> Feed:
    """Return one feed. Raises: RoleMissing, FeedNotFound."""
    found = feeds_for(actor).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise FeedNotFound
    return found


def lag_of(feed: Feed) -> Lag:
    """Return how much is sequenced and was not taken."""
    with connection.cursor() as cursor:
        cursor.execute(_LAG, [feed.epoch, feed.index, feed.epoch])
        behind = sum(int(row[0]) for row in cursor.fetchall())
        cursor.execute(_OLDEST, [feed.epoch, feed.index])
        oldest = cursor.fetchone()
    return Lag(behind, oldest[0] if oldest else None)


def next_events(feed: Feed, most: int) -> list[Event]:
    """Return what follows the cursor, in the order of the tree."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [feed.epoch, feed.index, most])
        return [
            # An entry that is gone has its place still: that is told as unreadable.
            Event.of(epoch, index, bytes(leaf), bytes(header or b""))
            for epoch, index, leaf, header, _ in cursor.fetchall()
        ]


def end_of_log() -> tuple[int, int]:
    """Return the newest place in the log, for a feed that begins now."""
    with connection.cursor() as cursor:
        cursor.execute(_END)
        row = cursor.fetchone()
    return (int(row[0]), int(row[1])) if row else (1, -1)


def wants(feed: Feed, event: Event) -> bool:
    """Say whether a feed's filters let an event through; what is altered or gone always."""
    if event.verb == "entry.unreadable":
        return True
    if feed.kinds and event.kind not in feed.kinds:
        return False
    if event.severity < feed.min_severity:
        return False
    return not feed.verbs or any(
        event.verb.startswith(verb) if verb.endswith(".") else event.verb == verb
        for verb in feed.verbs
    )
