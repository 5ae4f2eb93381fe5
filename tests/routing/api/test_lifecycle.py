"""Ends over REST: what holds, overrides, changes; documents in and model-eol out."""

from __future__ import annotations

import gzip
import json
from datetime import date
from typing import Any

import pytest

from routing.actions.catalogue import load_shipped_catalogue
from routing.models import LifecycleRow
from routing.queries.catalogue import lifecycle_for
from tests.factories import Cast, client_of, make_cast, make_model, make_vendor, operator

pytestmark = pytest.mark.django_db
FEED = {
    "spec": "model-eol/0.1",
    "publisher": "openai",
    "generated": "2026-11-20T00:00:00Z",
    "models": [{"id": "gpt-5", "shutdown": "2026-12-11", "replacement_options": ["gpt-6", "o4"]}],
}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def brought(client: Any, document: Any, query: str = "", **more: Any) -> Any:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return client.post(
        f"/api/v1/catalogue/imports{query}", raw, content_type="application/json", **more
    )


def test_a_feed_is_imported_and_tells_what_holds_and_what_changed(cast):
    model = make_model(make_vendor("openai", platform="openai"), "gpt-5")
    pat = client_of(cast.pat)
    got = brought(pat, gzip.compress(json.dumps(FEED).encode()))
    assert (got.status_code, got.json()["models_changed"]) == (201, 1)
    assert brought(pat, FEED).json()["unchanged"] is True
    fate = client_of(cast.alice).get(f"/api/v1/models/{model.public_id}/fate").json()
    assert (fate["retires_on"], fate["source_kind"]) == ("2026-12-11", "feed")
    assert fate["replacements"] == ["gpt-6", "o4"]
    changes = client_of(cast.alice).get(f"/api/v1/lifecycle-changes?model={model.public_id}").json()
    assert [(one["kind"], one["after"]["retires_on"]) for one in changes["results"]] == [
        ("announced", "2026-12-11")
    ]


def test_saved_lists_are_known_by_what_they_hold(cast):
    pat = client_of(cast.pat)
    azure = {"value": [{"kind": "OpenAI", "model": {
        "format": "OpenAI", "name": "gpt-4o", "version": "2024-08-06",
        "lifecycleStatus": "GenerallyAvailable",
        "deprecation": {"inference": "2027-04-14T00:00:00Z"}}}]}  # fmt: skip
    assert brought(pat, azure, "?region=swedencentral&as_of=2026-11-20").status_code == 201
    row = LifecycleRow.objects.get()
    assert (row.model_version, row.retires_on, row.as_of) == (
        "2024-08-06",
        date(2027, 4, 14),
        "2026-11-20",
    )
    assert "swedencentral" in row.obtained_via


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b'{"spec": "model-eol/9"}', b"\x1f\x8bxx"])
def test_what_is_no_document_is_refused_whole(cast, raw):
    got = brought(client_of(cast.pat), raw)
    assert got.status_code == 400
    assert not LifecycleRow.objects.exists()


def test_what_is_exported_says_the_same_when_it_is_read_back(cast):
    load_shipped_catalogue(actor=operator())
    pat = client_of(cast.pat)
    document = client_of(cast.alice).get("/api/v1/catalogue/model-eol.json").json()
    assert document["spec"] == "model-eol/0.1"
    assert client_of(cast.alice).get("/.well-known/model-eol.json").status_code == 200
    assert client_of().get("/.well-known/model-eol.json").status_code == 401
    keys = [
        ("openai", "gpt-5"), ("anthropic", "claude-sonnet-4-5"), ("gemini", "gemini-2.5-pro"),
        ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"), ("azure", "gpt-4o-2024-08-06"),
    ]  # fmt: skip
    before = {key: known.retires_on for key, known in lifecycle_for(keys).items()}
    assert len(before) == 5
    LifecycleRow.objects.all().delete()
    assert brought(pat, document).status_code == 201
    assert {key: known.retires_on for key, known in lifecycle_for(keys).items()} == before
    one = client_of(cast.alice).get("/api/v1/catalogue/model-eol.json?platform=gemini").json()
    places = {place["via"] for model in one["models"] for place in model["distributions"]}
    assert places == {"gemini"}


def test_an_override_is_put_and_lifted_by_those_who_may(cast):
    model = make_model()
    url = f"/api/v1/models/{model.public_id}/override"
    body = {"retires_on": "2027-03-01", "reason": "a letter", "date_precision": "earliest"}
    for person in (cast.alice, cast.ann, cast.mallory):
        assert client_of(person).put(url, body, format="json").status_code == 403
    sam = client_of(cast.sam)
    assert sam.put(url, {"retires_on": "2027-03-01"}, format="json").status_code == 422
    fate = sam.put(url, body, format="json").json()
    assert (fate["is_overridden"], fate["date_precision"]) == (True, "earliest")
    back = client_of(cast.pat).delete(url, {"reason": "wrong"}, format="json").json()
    assert (back["is_overridden"], back["retires_on"]) == (False, None)
    assert sam.delete(url, {"reason": "wrong"}, format="json").status_code == 409


def test_an_address_that_changes_is_told_to_those_who_see_addresses(cast):
    make_vendor("openai", base_url="https://api.openai.com/v1")
    pat = client_of(cast.pat)
    moved = {"base_url": "https://api.openai.com/v2"}
    assert pat.patch("/api/v1/vendors/openai", moved, format="json").status_code == 200
    notice = {
        "kind": "api_version",
        "before": "2023-06-01",
        "after": "2026-10-21",
        "source": "docs",
    }
    assert pat.post("/api/v1/vendors/openai/changes", notice, format="json").status_code == 201
    assert (
        client_of(cast.sam)
        .post("/api/v1/vendors/openai/changes", notice, format="json")
        .status_code
        == 403
    )
    seen = client_of(cast.ann).get("/api/v1/lifecycle-changes?kind=api_version").json()["results"]
    assert [one["after"]["value"] for one in seen] == ["2026-10-21", "https://api.openai.com/v2"]
    masked = client_of(cast.alice).get("/api/v1/lifecycle-changes").json()["results"]
    assert [(one["vendor"], one["after"]) for one in masked] == [("openai", {}), ("openai", {})]


def test_feeds_and_listings_are_for_the_platform_to_change(cast):
    make_vendor("openai")
    pat, alice = client_of(cast.pat), client_of(cast.alice)
    body = {"url": "https://feeds.example.com/eol.json"}
    assert alice.post("/api/v1/catalogue/feeds", body, format="json").status_code == 403
    made = pat.post("/api/v1/catalogue/feeds", body, format="json").json()
    assert pat.post("/api/v1/catalogue/feeds", body, format="json").status_code == 409
    assert [one["id"] for one in alice.get("/api/v1/catalogue/feeds").json()["results"]] == [
        made["id"]
    ]
    assert alice.delete(f"/api/v1/catalogue/feeds/{made['id']}").status_code == 403
    assert pat.delete(f"/api/v1/catalogue/feeds/{made['id']}").status_code == 204
    assert pat.get("/api/v1/vendors/openai/listing").status_code == 404
    assert alice.post("/api/v1/vendors/openai/listing", {}, format="json").status_code == 403
    assert pat.post("/api/v1/vendors/openai/listing", {}, format="json").status_code == 202
    assert alice.get("/api/v1/vendors/openai/listing").json()["state"] == "waiting"
