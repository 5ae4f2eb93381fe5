"""One click: the gateway's answer in plain words, kept with the vendor and on the record."""

from __future__ import annotations

import json

import pytest

from ledger.models import Entry
from registry.actors import RoleMissing
from routing.actions import probing
from routing.errors import GatewayUnreachable, VendorDisabled, VendorNotFound
from routing.internal import HEADER, InternalKeys
from routing.queries.vendors import found_models
from tests.factories import actor, make_model, make_person, make_vendor

pytestmark = pytest.mark.django_db
GOOD = {"ok": True, "http_status": 200, "milliseconds": 12, "error": "", "entry": "ent_1"}


@pytest.fixture
def pat(db):
    return actor(make_person("pat", "platform"))


@pytest.fixture
def gateway(httpserver, settings):
    settings.GATEWAY_INTERNAL_URL = httpserver.url_for("").rstrip("/")
    return httpserver


def answers(gateway, vendor, *documents, status=200, **more):
    path = f"/internal/vendors/{vendor.public_id}/test"
    for document in documents:
        gateway.expect_ordered_request(path, method="POST").respond_with_json(
            document, status=status, **more
        )


def test_a_configured_model_is_called_and_the_result_is_kept(pat, gateway, settings):
    vendor = make_vendor()
    make_model(vendor, "acme-1")
    answers(gateway, vendor, {"ok": True, "models": ["acme-1", "b"], "list": GOOD, "call": GOOD})
    outcome = probing.test_vendor("acme-ai", actor=pat)
    assert (outcome.ok, outcome.model) == (True, "acme-1")
    assert [(step["name"], step["ok"], step["ms"]) for step in outcome.steps] == [
        ("list_models", True, 12),
        ("small_call", True, 12),
    ]
    vendor.refresh_from_db()
    assert vendor.last_test is not None
    assert vendor.last_test["ok"] is True
    assert vendor.last_tested_at is not None
    assert found_models(vendor) == ["b"]
    facts = json.loads(bytes(Entry.objects.get(verb="vendor.tested").header))["facts"]
    assert (facts["ok"], facts["models_found"]) == (True, 2)
    request, _ = gateway.log[0]
    keys = InternalKeys.load(settings.KEYS_DIR)
    assert keys.accepts(request.headers[HEADER], "POST", request.path, request.data)
    assert json.loads(request.data) == {"model": "acme-1"}


def test_without_a_configured_model_one_that_can_chat_is_chosen_from_those_found(pat, gateway):
    vendor = make_vendor()
    listed = {"ok": True, "models": ["text-embed-1", "chatty-1"], "list": GOOD}
    answers(gateway, vendor, listed, listed | {"call": GOOD})
    outcome = probing.test_vendor("acme-ai", actor=pat)
    assert (outcome.model, len(outcome.steps)) == ("chatty-1", 2)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "The vendor refused the secret: check it and enter it again."),
        (404, "Nothing is there: check the path of the address"),
        (429, "The vendor is throttling this account"),
        (0, "The vendor takes no connection."),
    ],
)
def test_what_went_wrong_is_said_in_plain_words(pat, gateway, status, says):
    vendor = make_vendor()
    bad = {"ok": False, "http_status": status, "milliseconds": 3, "entry": "ent_1"}
    bad["error"] = "The vendor takes no connection."
    answers(gateway, vendor, {"ok": False, "models": [], "list": bad})
    outcome = probing.test_vendor("acme-ai", actor=pat)
    assert not outcome.ok
    assert outcome.steps[0]["detail"].startswith(says)


def test_a_vendor_the_gateway_has_not_seen_yet_is_asked_for_again(pat, gateway):
    vendor = make_vendor()
    unseen = {"x-unsprawl-error": "routing.no_such_vendor"}
    refusal = {"error": {"message": "There is no such vendor"}}
    answers(gateway, vendor, refusal, status=404, headers=unseen)
    answers(gateway, vendor, {"ok": True, "models": ["m"], "list": GOOD})
    answers(gateway, vendor, {"ok": True, "models": ["m"], "list": GOOD, "call": GOOD})
    assert probing.test_vendor("acme-ai", actor=pat).ok


def test_a_refusal_of_the_gateway_is_a_failed_step(pat, gateway):
    vendor = make_vendor()
    answers(gateway, vendor, {"error": {"message": "The vendor has no secret."}}, status=503)
    outcome = probing.test_vendor("acme-ai", actor=pat)
    assert outcome.steps[0]["detail"] == "The vendor has no secret."
    assert Entry.objects.filter(verb="vendor.tested").count() == 1


def test_something_else_in_the_gateways_place_is_noticed(pat, gateway):
    make_vendor()
    gateway.expect_request("").respond_with_data("<html>")
    with pytest.raises(GatewayUnreachable):
        probing.test_vendor("acme-ai", actor=pat)


def test_a_gateway_that_is_not_there_is_said(pat, settings):
    settings.GATEWAY_INTERNAL_URL = "http://127.0.0.1:9"
    make_vendor()
    with pytest.raises(GatewayUnreachable, match="did not answer"):
        probing.test_vendor("acme-ai", actor=pat)


def test_only_the_platform_tests_what_is_there_and_running(pat):
    with pytest.raises(VendorNotFound):
        probing.test_vendor("acme-ai", actor=pat)
    vendor = make_vendor(disabled_at="2026-11-21T00:00:00Z")
    with pytest.raises(VendorDisabled):
        probing.test_vendor(vendor.name, actor=pat)
    with pytest.raises(RoleMissing):
        probing.test_vendor(vendor.name, actor=actor(make_person("alice")))
