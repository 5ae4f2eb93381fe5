"""Asking vendors for their own lists of models, and keeping what they say of ends.

The row is the queue: a vendor is due every half hour (a setting), later after a failure, at once
when somebody asks. That it was read is recorded once a day, and whenever it said something new.
The gateway fetches each page with the vendor's secret, on the record; here it is read. What was
read before stays until a whole list is there, and a model that is missing from it is a finding,
never an end.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import connection, transaction

from credentials.egress import Answer, GuardedClient
from credentials.errors import AddressRefused, FetchFailed
from kernel import clock
from kernel.canonical import NotJSON
from kernel.db import ring
from kernel.errors import DomainError, Unavailable
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.actions.linking import relink
from routing.actions.probing import ADVICE
from routing.catalogue.readers.anthropic import read_anthropic
from routing.catalogue.readers.listed import Listed, ListPage
from routing.catalogue.readers.mistral import read_mistral
from routing.catalogue.readers.openai import read_openai
from routing.errors import GatewayUnreachable, VendorDisabled
from routing.internal import HEADER, InternalKeys
from routing.models import Model, Vendor, VendorListing
from routing.queries.vendors import vendor_for

logger = structlog.get_logger("unsprawl.listing")

SWEEP: Final = "routing.read_listings"
# What is announced is to be known within the hour, also after a vendor's own bad hours.
HOUR: Final = timedelta(hours=1)
MAX_MODELS: Final = 100_000
MAX_PAGES: Final = 400
MAX_BYTES: Final = 64 * 1024 * 1024
SECONDS: Final = 60.0
_AT_A_SWEEP: Final = 10
_OUTCOME: Final = ("state", "code", "detail", "read_at", "ended_at", "failures", "next_at")

_STORE: Final = """
INSERT INTO routing_listedmodel AS known
    (vendor_id, name, status, deprecated_on, retires_on, date_precision, replacement, has_spoken,
     first_listed_at, listed_at)
SELECT %(vendor)s, said.*, %(now)s, %(now)s
FROM unnest(%(names)s::text[], %(statuses)s::text[], %(deprecated)s::date[], %(ends)s::date[],
            %(precisions)s::text[], %(replacements)s::text[], %(spoken)s::boolean[]) AS said
ON CONFLICT (vendor_id, name) DO UPDATE SET
    status = excluded.status, deprecated_on = excluded.deprecated_on,
    retires_on = excluded.retires_on, date_precision = excluded.date_precision,
    replacement = excluded.replacement, has_spoken = known.has_spoken OR excluded.has_spoken,
    listed_at = excluded.listed_at, missing_since = NULL
"""
_MISSING: Final = """
UPDATE routing_listedmodel SET missing_since = %(now)s
WHERE vendor_id = %(vendor)s AND listed_at < %(now)s AND missing_since IS NULL
"""


class ListingFailed(Exception):
    """Why a vendor's list could not be read whole; never leaves this module."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code, self.detail = code, detail


@transaction.atomic
def ask_for_listing(vendor_name: str, *, actor: Actor) -> VendorListing:
    """Have a vendor asked for its models now rather than when it is due.

    Records: nothing; what is read is. Raises: RoleMissing, VendorNotFound, VendorDisabled.
    """
    actor.require(Role.PLATFORM)
    vendor = vendor_for(actor, vendor_name)
    if vendor.disabled_at is not None:
        raise VendorDisabled(f"{vendor.name} is disabled; enable it before asking it.")
    now = clock.now()
    waiting = {"state": VendorListing.State.WAITING, "asked_at": now, "next_at": now}
    made, _ = VendorListing.objects.update_or_create(vendor=vendor, defaults=waiting)
    ring(SWEEP)
    return made


def cadence() -> timedelta:
    """Return the time between two looks at one vendor's list."""
    return timedelta(minutes=settings.LISTING_MINUTES)


def read_due_listings(*, actor: Actor) -> int:
    """Read the lists of vendors that are due, one after the other; return how many were read."""
    _begin_new()
    due = VendorListing.objects.filter(next_at__lte=clock.now(), vendor__disabled_at__isnull=True)
    found = list(due.select_related("vendor").order_by("next_at")[:_AT_A_SWEEP])
    return sum(read_listing(listing, actor=actor) for listing in found)


def read_listing(listing: VendorListing, *, actor: Actor) -> bool:
    """Ask one vendor for its whole list and keep what it says; say whether it was read.

    Where somebody else asks it already, it is left to them.
    Records: listing.read or listing.failed, when that is new; model.changed, lifecycle.changed.
    """
    with _claim(listing) as is_ours:
        if not is_ours:
            return False
        listing.state, listing.began_at = VendorListing.State.ASKING, clock.now()
        listing.pages = listing.models_seen = 0
        listing.save(update_fields=["state", "began_at", "pages", "models_seen"])
        try:
            models, unread = _whole(listing)
        except ListingFailed as failure:
            _keep_failure(listing, failure, actor)
            return False
        _keep(listing, models, unread, actor)
        return True


def _begin_new() -> None:
    """Give every vendor that was never asked a place of its own, away from the others'."""
    now = clock.now()
    new = Vendor.objects.filter(listing__isnull=True, disabled_at__isnull=True)
    VendorListing.objects.bulk_create(
        [
            VendorListing(vendor=vendor, next_at=now + _jitter(cadence() / 4))
            for vendor in new[:200]
        ],
        ignore_conflicts=True,
    )


def _whole(listing: VendorListing) -> tuple[dict[str, Listed], int]:
    vendor, found, unread = listing.vendor, dict[str, Listed](), 0
    after, seen = "", {""}
    while True:
        page = _page(vendor, after)
        found |= {model.name: model for model in page.models}
        unread += page.unread
        listing.pages, listing.models_seen = listing.pages + 1, len(found)
        listing.save(update_fields=["pages", "models_seen"])
        if len(found) > MAX_MODELS or listing.pages >= MAX_PAGES:
            raise ListingFailed(
                "too_long", f"The list has more than {MAX_MODELS} models or {MAX_PAGES} pages."
            )
        if not page.after:
            break
        after = page.after
        if after in seen:
            raise ListingFailed("goes_round", "The list's pages come round again without an end.")
        seen.add(after)
    if not found:
        raise ListingFailed("empty", "The list is empty. What it said before is kept.")
    return found, unread


def _page(vendor: Vendor, after: str) -> ListPage:
    is_anthropic = vendor.dialect == Vendor.Dialect.ANTHROPIC
    query = {"limit": "1000"} if is_anthropic else {}
    if after:
        query["after_id" if is_anthropic else "after"] = after
    answer = _fetched(vendor, query)
    read = (
        read_anthropic if is_anthropic
        else read_mistral if vendor.platform == "mistral"
        else read_openai
    )  # fmt: skip
    try:
        return read(answer)
    except DomainError as error:
        raise ListingFailed("unreadable", error.detail) from None


def _fetched(vendor: Vendor, query: dict[str, str]) -> bytes:
    path = f"/internal/vendors/{vendor.public_id}/models"
    try:
        answer = _exchange(path, json.dumps({"query": query}).encode())
    except Unavailable as error:
        raise ListingFailed("gateway", error.detail) from None
    try:
        said = answer.json()
    except NotJSON:
        said = None
    if not isinstance(said, dict):
        raise ListingFailed("gateway", "What answered in the gateway's place is not the gateway.")
    if not answer.is_ok:
        refusal = said.get("error")
        message = refusal.get("message") if isinstance(refusal, dict) else said.get("detail")
        code = answer.headers.get("x-unsprawl-error", "gateway").removeprefix("routing.")
        raise ListingFailed(
            code[:60], str(message or f"The gateway answered {answer.status}.")[:500]
        )
    if said.get("ok") is not True:
        status = said.get("http_status") or 0
        advice = ADVICE.get(status, "")
        detail = f"{advice} {said.get('error') or ''}".strip()[:500]
        raise ListingFailed(f"http_{status}" if status else "unreachable", detail)
    return str(said.get("body") or "").encode()


def _exchange(path: str, body: bytes) -> Answer:
    try:
        token = InternalKeys.load(settings.KEYS_DIR).token("POST", path, body)
        # An address that the operator configured, so inside addresses are as good as any.
        client = GuardedClient(allow_private=True, max_bytes=MAX_BYTES, seconds=SECONDS)
        return client.post(
            settings.GATEWAY_INTERNAL_URL + path,
            body,
            headers={HEADER: token, "Content-Type": "application/json"},
        )
    except (FetchFailed, AddressRefused) as error:
        raise GatewayUnreachable(
            f"The gateway, which alone calls vendors, did not answer. {error.detail}"
        ) from None
    except (OSError, ValueError, KeyError):
        raise GatewayUnreachable("The key directory cannot be read here.") from None


@transaction.atomic
def _keep(listing: VendorListing, found: dict[str, Listed], unread: int, actor: Actor) -> None:
    now, vendor = clock.now(), listing.vendor
    models = list(found.values())
    values: dict[str, Any] = {
        "vendor": vendor.pk,
        "now": now,
        "names": [model.name for model in models],
        "statuses": [model.status for model in models],
        "deprecated": [model.deprecated_on for model in models],
        "ends": [model.retires_on for model in models],
        "precisions": [model.date_precision for model in models],
        "replacements": [model.replacement for model in models],
        "spoken": [model.speaks for model in models],
    }
    with connection.cursor() as cursor:
        cursor.execute(_STORE, values)
        cursor.execute(_MISSING, values)
        missing = cursor.rowcount
    rows = Model.objects.filter(vendor=vendor).select_related("vendor")
    changed = relink(rows.select_for_update(of=("self",)).order_by("id"), actor=actor.ref)
    is_news = bool(changed or missing or listing.code) or _last_day(listing) != now.date()
    listing.state, listing.code = VendorListing.State.READ, ""
    listing.detail = f"{unread} entries could not be read." if unread else ""
    listing.read_at = listing.ended_at = now
    listing.failures, listing.next_at = 0, now + cadence() * 0.9 + _jitter(cadence() / 5)
    listing.save(update_fields=_OUTCOME)
    facts: dict[str, Fact] = {
        "vendor": vendor.name,
        "models": len(models),
        "with_an_end": sum(model.retires_on is not None for model in models),
        "unread": unread,
        "no_longer_listed": missing,
        "models_changed": changed,
    }
    if is_news:
        record(Verb.LISTING_READ, vendor.ref, actor=actor.ref, facts=facts)


def _last_day(listing: VendorListing) -> date | None:
    return None if listing.read_at is None else listing.read_at.date()


@transaction.atomic
def _keep_failure(listing: VendorListing, failure: ListingFailed, actor: Actor) -> None:
    now = clock.now()
    is_new = listing.code != failure.code
    listing.state, listing.code = VendorListing.State.FAILED, failure.code
    listing.detail, listing.ended_at = failure.detail, now
    listing.failures += 1
    wait = min(cadence() / 2 * 2 ** min(listing.failures - 1, 10), max(HOUR, cadence()))
    listing.next_at = now + wait + _jitter(wait / 4)
    listing.save(update_fields=_OUTCOME)
    logger.warning("listing.failed", vendor=listing.vendor.name, code=failure.code)
    if is_new:
        facts: dict[str, Fact] = {"vendor": listing.vendor.name, "code": failure.code}
        record(Verb.LISTING_FAILED, listing.vendor.ref, actor=actor.ref, facts=facts)


def _jitter(most: timedelta) -> timedelta:
    return most * random.random()  # noqa: S311  spreads work; nothing is guessed from it


@contextmanager
def _claim(listing: VendorListing) -> Iterator[bool]:
    """Ask a vendor alone: a session's lock, which goes with the session if that dies."""
    place = ["unsprawl.listing", listing.vendor.public_id]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s), hashtext(%s))", place)
        row = cursor.fetchone()
    if not (row and row[0]):
        yield False
        return
    try:
        yield True
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtext(%s), hashtext(%s))", place)
