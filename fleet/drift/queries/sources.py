"""Vendors' own lists, and feeds, that could not be read for longer than between two looks.

A list that failed a moment ago is no news: it is asked again sooner. One that could not be read
for more than its own time is, because from then on an announcement may go by unheard.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q
from django.db.models.functions import Coalesce

from kernel.refs import Ref
from routing.actions.listing import cadence
from routing.models import CatalogueFeed, VendorListing

GRACE: Final = timedelta(hours=2)  # vendors have bad hours
# A vendor that never gave a list and says that there is none has none: nothing fails.
NO_LIST: Final = ("http_404", "http_405", "http_501", "empty")


@dataclass(frozen=True, slots=True)
class Silent:
    """One list that could not be read for longer than its time."""

    key: str
    subject: Ref
    title: str
    code: str
    since: datetime  # what was read last, or when it was begun with


def silent_sources(now: datetime) -> list[Silent]:
    """Return the lists and feeds that failed for longer than the time between two looks."""
    return [*_lists(now), *_feeds(now)]


def _feeds(now: datetime) -> list[Silent]:
    # Looked at again within the hour whatever its turn, so one failure alone is not it.
    rows = CatalogueFeed.objects.filter(
        removed_at__isnull=True, failures__gt=1, failing_since__lt=now - GRACE
    )
    return [
        Silent(
            key=f"feed:{row.public_id}",
            subject=row.ref,
            title=f"The feed {row.title or row.public_id} cannot be read",
            code=row.code,
            since=row.failing_since or now,
        )
        for row in rows.order_by("id")
    ]


def _lists(now: datetime) -> list[Silent]:
    rows = (
        VendorListing.objects.filter(failures__gt=0, vendor__disabled_at__isnull=True)
        .exclude(Q(read_at__isnull=True) & Q(code__in=NO_LIST))
        .annotate(last=Coalesce("read_at", "vendor__created_at"))
        .filter(last__lt=now - cadence() - GRACE)
        .select_related("vendor")
        .order_by("id")
    )
    return [
        Silent(
            key=f"listing:{row.vendor.public_id}",
            subject=row.vendor.ref,
            title=f"The list of models of {row.vendor.name} cannot be read",
            code=row.code,
            since=row.last,
        )
        for row in rows
    ]
