"""Ends in the portal: set by hand, vendors asked, sources followed and documents brought."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from kernel import clock
from routing.models import CatalogueFeed, LifecycleRow, ListedModel, VendorListing
from tests.factories import Cast, make_agent, make_cast, make_model, make_route, make_vendor

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def browser(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    return client


def test_security_sets_an_end_by_hand_having_seen_whom_it_concerns(cast):
    model = make_model(make_vendor("openai", platform="openai"), "gpt-5")
    make_route("answers", model)
    make_agent("of-alice", owner=cast.alice, routes=["answers"])
    sam = browser(cast.sam)
    url = f"/models/{model.public_id}/end/"
    assert "of-alice" in sam.get(url).content.decode()
    empty = sam.post(url, {"retires_on": "2027-01-14", "date_precision": "earliest"})
    assert empty.status_code == 422
    said = {"retires_on": "2027-01-14", "date_precision": "earliest", "reason": "their letter"}
    assert sam.post(url, said).status_code == 302
    page = sam.get(f"/models/{model.public_id}/").content.decode()
    assert "set by hand" in page
    assert "their letter" in page
    assert "An end was announced" in page
    assert "earliest, may move later" in page
    # What people typed is for those who may act on it.
    assert (
        "their letter"
        not in browser(cast.alice).get(f"/models/{model.public_id}/").content.decode()
    )
    assert browser(cast.alice).get(url).status_code == 403
    assert browser(cast.alice).post(f"{url}lift/", {"reason": "x"}).status_code == 403
    sam.post(f"{url}lift/", {"reason": "the page says otherwise"})
    assert "Its end was taken back" in sam.get(f"/models/{model.public_id}/").content.decode()


def test_an_end_that_cannot_be_is_refused_in_the_form(cast):
    model = make_model()
    said = {"retires_on": "2027-01-14", "deprecated_on": "2027-02-01", "reason": "x"}
    got = browser(cast.pat).post(f"/models/{model.public_id}/end/", said)
    assert got.status_code == 422
    assert "A model is deprecated before it is retired." in got.content.decode()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"state": "read", "read_at": True, "models_seen": 1234}, "1,234 models"),
        ({"state": "asking", "models_seen": 7, "pages": 2}, "7 models on 2 pages so far"),
        ({"state": "failed", "detail": "The vendor refused the secret."}, "refused the secret"),
        ({"state": "waiting", "asked_at": True}, "Waiting to be asked"),
    ],
)
def test_a_vendors_page_says_how_its_own_list_stands(cast, state, words):
    vendor, now = make_vendor("openai"), clock.now()
    given = {name: now if value is True else value for name, value in state.items()}
    VendorListing.objects.create(vendor=vendor, next_at=now, ended_at=now, **given)
    page = browser(cast.pat).get("/vendors/openai/").content.decode()
    assert words in page
    assert ("every 2s" in page) is (state["state"] in {"asking", "waiting"})


def test_what_is_no_longer_listed_is_a_finding(cast):
    vendor, now = make_vendor("openai"), clock.now()
    model = make_model(vendor, "gpt-5")
    ListedModel.objects.create(
        vendor=vendor, name="gpt-5", first_listed_at=now, listed_at=now, missing_since=now
    )
    assert "That is no retirement" in browser(cast.pat).get("/vendors/openai/").content.decode()
    page = browser(cast.alice).get(f"/models/{model.public_id}/").content.decode()
    assert "no longer listed" in page


def test_the_button_asks_the_vendor_now(cast):
    make_vendor("openai")
    assert browser(cast.pat).post("/vendors/openai/listing/").status_code == 302
    assert VendorListing.objects.get().asked_at is not None
    assert browser(cast.sam).post("/vendors/openai/listing/").status_code == 403


def test_sources_are_listed_followed_brought_and_removed(cast):
    pat = browser(cast.pat)
    assert "No feed is followed" in pat.get("/models/sources/").content.decode()
    said = {"url": "https://feeds.example.com/eol.json", "title": "A feed", "every_hours": "12"}
    pat.post("/models/sources/feeds/", said)
    feed = CatalogueFeed.objects.get()
    later = clock.now() + timedelta(hours=9)
    CatalogueFeed.objects.update(failures=2, failing_since=later, code="x", next_at=later)
    assert "failing since" in browser(cast.alice).get("/models/sources/").content.decode()
    pat.post(f"/models/sources/feeds/{feed.public_id}/look/")
    feed.refresh_from_db()
    assert feed.next_at < later
    assert "A feed" in browser(cast.alice).get("/models/sources/").content.decode()
    wrong = pat.post("/models/sources/feeds/", said | {"url": "http://10.0.0.1/"}, follow=True)
    assert "cannot be" in wrong.content.decode() or "not" in wrong.content.decode()
    life = {"status": "LEGACY", "endOfLifeTime": "2027-01-08T00:00:00Z"}
    saved = {"modelSummaries": [{"modelId": "anthropic.claude-opus-4-1", "modelLifecycle": life}]}
    file = SimpleUploadedFile("bedrock.json", json.dumps(saved).encode())
    got = pat.post(
        "/models/sources/import/", {"document": file, "region": "eu-west-1"}, follow=True
    )
    assert "1 rows are loaded" in got.content.decode()
    row = LifecycleRow.objects.get()
    assert (row.platform, row.retires_on, row.is_shipped) == ("bedrock", date(2027, 1, 8), False)
    broken = SimpleUploadedFile("x.json", b"<html>")
    got = pat.post("/models/sources/import/", {"document": broken}, follow=True)
    assert got.status_code == 200
    pat.post(f"/models/sources/feeds/{feed.public_id}/remove/")
    feed.refresh_from_db()
    assert feed.removed_at is not None
    alice = browser(cast.alice)
    asked = (f"feeds/{feed.public_id}/look/", f"feeds/{feed.public_id}/remove/")
    for path in ("feeds/", "import/", *asked):
        assert alice.post(f"/models/sources/{path}", said).status_code in {403, 404}
