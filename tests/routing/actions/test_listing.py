"""Vendors are asked for their own lists: what they say counts, and what goes wrong is said."""

from __future__ import annotations

import json
import os
from datetime import date, timedelta
from typing import Any

import pytest

from kernel import clock
from ledger.models import Entry
from registry.actors import Actor, RoleMissing
from routing.actions.listing import ask_for_listing, read_due_listings, read_listing
from routing.errors import VendorDisabled
from routing.internal import HEADER, InternalKeys
from routing.models import LifecycleChange, ListedModel, Vendor, VendorListing
from routing.queries.fate import fate_of
from tests.factories import actor, make_model, make_person, make_vendor

pytestmark = pytest.mark.django_db
SWEEP = Actor.system("model-listing")
MANY = int(os.environ.get("LISTED_MODELS", "3000"))


@pytest.fixture
def pat(db):
    return actor(make_person("pat", "platform"))


@pytest.fixture
def gateway(httpserver, settings):
    settings.GATEWAY_INTERNAL_URL = httpserver.url_for("").rstrip("/")
    return httpserver


def said(document: Any, **over: Any) -> dict[str, Any]:
    body = document if isinstance(document, str) else json.dumps(document)
    return {"ok": True, "http_status": 200, "milliseconds": 3, "error": "", "body": body} | over


def answers(gateway: Any, vendor: Vendor, *documents: Any, status: int = 200, **more: Any) -> None:
    path = f"/internal/vendors/{vendor.public_id}/models"
    for document in documents:
        gateway.expect_ordered_request(path, method="POST").respond_with_json(
            document, status=status, **more
        )


def read(vendor: Vendor) -> VendorListing:
    listing, _ = VendorListing.objects.get_or_create(
        vendor=vendor, defaults={"next_at": vendor.created_at}
    )
    read_listing(listing, actor=SWEEP)
    listing.refresh_from_db()
    return listing


def openai(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": list(entries)}


def test_a_shutdown_date_of_the_vendor_counts_at_once(gateway, settings):
    vendor = make_vendor("openai", platform="openai")
    model = make_model(vendor, "gpt-5")
    entry = {"id": "gpt-5", "shutdown_date": "2026-12-11"}
    answers(gateway, vendor, said(openai(entry, {"id": "gpt-6"})))
    listing = read(vendor)
    assert (listing.state, listing.models_seen, listing.pages) == ("read", 2, 1)
    model.refresh_from_db()
    fate = fate_of(model)
    assert (fate.retires_on, fate.kind) == (date(2026, 12, 11), "vendor")
    assert LifecycleChange.objects.get(model=model).kind == "announced"
    facts = json.loads(bytes(Entry.objects.get(verb="listing.read").header))["facts"]
    assert (facts["models"], facts["with_an_end"]) == (2, 1)
    request, _ = gateway.log[0]
    keys = InternalKeys.load(settings.KEYS_DIR)
    assert keys.accepts(request.headers[HEADER], "POST", request.path, request.data)


def test_anthropics_pages_are_followed_to_the_last(gateway):
    vendor = make_vendor("anthropic", platform="anthropic", dialect="anthropic")
    answers(
        gateway,
        vendor,
        said({"data": [{"id": "a", "lifecycle": "active"}], "has_more": True, "last_id": "a"}),
        said({"data": [{"id": "b", "lifecycle": "retired"}], "has_more": False, "last_id": "b"}),
    )
    assert read(vendor).pages == 2
    asked = [json.loads(request.data)["query"] for request, _ in gateway.log]
    assert asked == [{"limit": "1000"}, {"limit": "1000", "after_id": "a"}]


def test_what_is_gone_from_a_list_is_a_finding_and_keeps_its_dates(gateway):
    vendor = make_vendor("openai", platform="openai")
    model = make_model(vendor, "gpt-5")
    dated = {"id": "gpt-5", "shutdown_date": "2026-12-11"}
    answers(gateway, vendor, said(openai(dated, {"id": "gpt-6"})), said(openai({"id": "gpt-6"})))
    read(vendor)
    read(vendor)
    row = ListedModel.objects.get(name="gpt-5")
    assert row.missing_since is not None
    model.refresh_from_db()
    assert model.retires_on == date(2026, 12, 11)
    facts = json.loads(bytes(Entry.objects.filter(verb="listing.read").latest("id").header))
    assert facts["facts"]["no_longer_listed"] == 1


def test_an_announcement_is_known_within_the_hour_and_only_news_goes_on_record(gateway):
    vendor = make_vendor("openai", platform="openai")
    make_model(vendor, "gpt-5")
    plain = said(openai({"id": "gpt-5"}))
    dated = said(openai({"id": "gpt-5", "shutdown_date": "2026-12-11"}))
    answers(gateway, vendor, plain, plain, dated)
    first = read(vendor)
    assert clock.now() < first.next_at < clock.now() + timedelta(minutes=40)
    read(vendor)
    recorded = Entry.objects.filter(verb="listing.read")
    assert recorded.count() == 1
    read(vendor)
    assert recorded.count() == 2


def test_a_date_that_the_vendor_takes_back_is_withdrawn(gateway):
    vendor = make_vendor("openai", platform="openai")
    model = make_model(vendor, "gpt-5")
    dated = {"id": "gpt-5", "shutdown_date": "2026-12-11"}
    answers(gateway, vendor, said(openai(dated)), said(openai(dated | {"shutdown_date": None})))
    read(vendor)
    read(vendor)
    model.refresh_from_db()
    assert model.retires_on is None
    kinds = LifecycleChange.objects.filter(model=model).order_by("id").values_list("kind")
    assert [kind for (kind,) in kinds] == ["announced", "withdrawn"]


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (said("", ok=False, http_status=401, error="bad key"), "http_401", "refused the secret"),
        (said("", ok=False, http_status=0, error="It did not answer."), "unreachable", "answer"),
        (said("<html>"), "unreadable", "not JSON"),
        (said({"models": []}), "unreadable", "'data'"),
        (said(openai()), "empty", "kept"),
        (said(openai({"object": "model"})), "empty", "kept"),
        ("nonsense", "gateway", "not the gateway"),
    ],
)
def test_what_goes_wrong_is_said_and_what_was_known_stays(gateway, answer, code, words):
    vendor = make_vendor("openai", platform="openai")
    model = make_model(vendor, "gpt-5")
    good = said(openai({"id": "gpt-5", "shutdown_date": "2026-12-11"}))
    answers(gateway, vendor, good, answer, answer)
    before = read(vendor).read_at
    after = read(vendor)
    assert (after.state, after.code, after.read_at) == ("failed", code, before)
    assert words in after.detail
    model.refresh_from_db()
    assert model.retires_on == date(2026, 12, 11)
    assert ListedModel.objects.get().missing_since is None
    # The same failure again is no news for the record, and the wait grows.
    again = read(vendor)
    assert again.failures == 2
    assert again.next_at > after.next_at
    assert Entry.objects.filter(verb="listing.failed").count() == 1


def test_pages_that_come_round_again_are_left(gateway):
    vendor = make_vendor("anthropic", platform="anthropic", dialect="anthropic")
    page = said({"data": [{"id": "a"}], "has_more": True, "last_id": "a"})
    answers(gateway, vendor, page, page)
    assert read(vendor).code == "goes_round"


def test_a_vendor_without_a_secret_says_so(gateway):
    vendor = make_vendor("openai", platform="openai")
    refusal = {"error": {"message": "The vendor has no secret.", "code": "vendor_not_ready"}}
    headers = {"x-unsprawl-error": "routing.vendor_not_ready"}
    answers(gateway, vendor, refusal, status=503, headers=headers)
    listing = read(vendor)
    assert (listing.code, listing.detail) == ("vendor_not_ready", "The vendor has no secret.")


def test_a_long_list_is_read_whole(gateway):
    vendor = make_vendor("openai", platform="openai")
    make_model(vendor, "model-7")
    entries = [{"id": f"model-{number}", "shutdown_date": None} for number in range(MANY)]
    answers(gateway, vendor, said(openai(*entries)))
    assert read(vendor).models_seen == MANY
    assert ListedModel.objects.count() == MANY


def test_the_sweep_gives_every_vendor_its_turn_and_the_button_asks_now(gateway, pat):
    vendor, other = make_vendor("openai"), make_vendor("other")
    assert read_due_listings(actor=SWEEP) == 0  # a place in the day, away from the others'
    assert VendorListing.objects.count() == 2
    answers(gateway, vendor, said(openai({"id": "a"})))
    ask_for_listing(vendor.name, actor=pat)
    assert read_due_listings(actor=SWEEP) == 1
    assert VendorListing.objects.get(vendor=other).state == "waiting"


def test_only_the_platform_asks_and_never_a_disabled_vendor(pat):
    vendor = make_vendor("openai")
    with pytest.raises(RoleMissing):
        ask_for_listing(vendor.name, actor=actor(make_person("sam", "security")))
    Vendor.objects.update(disabled_at=vendor.created_at)
    with pytest.raises(VendorDisabled):
        ask_for_listing(vendor.name, actor=pat)
