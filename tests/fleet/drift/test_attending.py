"""A vendor's list that stays silent is an incident, and one that is read again is none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fleet.drift.actions.attending import attend_sources
from fleet.health.models import Incident
from fleet.telling.models import Copy
from kernel import clock
from registry.actors import Actor
from routing.models import CatalogueFeed, Vendor, VendorListing
from tests.factories import Cast, make_vendor

SWEEP = Actor.system("drift-watch")
DAY = timedelta(days=1)


def failing(vendor: Vendor, **over: Any) -> VendorListing:
    now = clock.now()
    stands = {"state": "failed", "code": "http_401", "failures": 4, "read_at": now - 2 * DAY}
    given = stands | {"ended_at": now, "next_at": now, **over}
    return VendorListing.objects.create(vendor=vendor, **given)


def test_a_list_that_is_silent_for_more_than_its_time_opens_one_incident_until_it_is_read(
    cast: Cast,
) -> None:
    vendor = make_vendor("openai", platform="openai")
    listing = failing(vendor)
    for _ in range(2):
        assert attend_sources(actor=SWEEP) == 1
    incident = Incident.objects.get()
    assert (incident.kind, incident.severity) == ("sync", "degraded")
    assert incident.key == f"listing:{vendor.public_id}"
    assert "http_401" in incident.facts["reason"]
    told = Copy.objects.filter(message__kind="incident.opened").values_list("person", flat=True)
    assert list(told) == [cast.pat.pk]
    listing.failures, listing.read_at = 0, clock.now()
    listing.save(update_fields=["failures", "read_at"])
    assert attend_sources(actor=SWEEP) == 0
    incident.refresh_from_db()
    assert incident.resolved_at is not None


@pytest.mark.parametrize(
    "stands",
    [
        {"read_at": clock.now() - timedelta(hours=1)},  # within its time: it is asked again soon
        {"failures": 0, "state": "waiting"},
        {"read_at": None, "code": "http_404"},  # it never had a list
    ],
)
def test_a_failure_within_its_time_or_of_a_vendor_without_a_list_is_no_incident(
    cast: Cast, stands: dict[str, Any]
) -> None:
    vendor = make_vendor("openai", platform="openai")
    Vendor.objects.update(created_at=clock.now() - 9 * DAY)
    failing(vendor, **stands)
    assert attend_sources(actor=SWEEP) == 0


def test_a_vendor_that_is_disabled_is_asked_nothing_and_its_incident_ends(cast: Cast) -> None:
    vendor = make_vendor("openai", platform="openai")
    failing(vendor)
    attend_sources(actor=SWEEP)
    Vendor.objects.filter(pk=vendor.pk).update(disabled_at=clock.now())
    assert attend_sources(actor=SWEEP) == 0
    assert Incident.objects.filter(resolved_at__isnull=True).count() == 0


def feed_that_fails(**over: Any) -> CatalogueFeed:
    now = clock.now()
    stands = {"code": "http_500", "failures": 3, "failing_since": now - timedelta(hours=3)}
    return CatalogueFeed.objects.create(
        public_id="ctf_1", title="A feed", url="https://f.test/eol.json", next_at=now,
        added_by="x:y", added_at=now - DAY, **stands | over,
    )  # fmt: skip


def test_a_feed_that_fails_for_hours_opens_one_incident_until_it_is_read(cast: Cast) -> None:
    feed = feed_that_fails()
    for _ in range(2):
        assert attend_sources(actor=SWEEP) == 1
    incident = Incident.objects.get()
    assert (incident.kind, incident.key) == ("sync", "feed:ctf_1")
    assert incident.title == "The feed A feed cannot be read"
    assert feed.failing_since is not None
    assert f"{feed.failing_since:%Y-%m-%d %H:%M}" in incident.facts["reason"]
    feed.failures, feed.failing_since, feed.code = 0, None, ""
    feed.save(update_fields=["failures", "failing_since", "code"])
    assert attend_sources(actor=SWEEP) == 0
    incident.refresh_from_db()
    assert incident.resolved_at is not None


@pytest.mark.parametrize(
    "stands",
    [
        {"failing_since": clock.now() - timedelta(hours=1)},
        {"failures": 1},  # looked at once: its next look may find it well
        {"removed_at": clock.now()},
    ],
)
def test_a_feed_that_just_failed_or_is_removed_is_no_incident(
    cast: Cast, stands: dict[str, Any]
) -> None:
    feed_that_fails(**stands)
    assert attend_sources(actor=SWEEP) == 0
