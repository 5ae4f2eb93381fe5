"""Trying a vendor: asked for by this installation only, recorded like any call."""

from __future__ import annotations

import json

import pytest

from routing.internal import HEADER, InternalKeys
from tests.routing.gateway.conftest import Client, eventually
from tests.routing.gateway.scripted import COMPLETION, SECRET, answer
from tests.routing.gateway.shapes import MESSAGE
from tests.routing.gateway.test_streams import open_payload

MODELS = {"object": "list", "data": [{"id": "vendor-model-1"}, {"id": "b"}, {}, 7]}


@pytest.fixture
def ask(rig, served):
    keys = InternalKeys.load(rig.keys_dir)

    def asked(vendor_id, document=None, token=None):
        path, body = f"/internal/vendors/{vendor_id}/test", json.dumps(document or {}).encode()
        signed = keys.token("POST", path, body) if token is None else token
        return Client(served.port, headers={HEADER: signed}).ask("POST", path, body)

    return asked


def both(seen, writer):
    script = answer(MODELS) if seen.path.endswith("/models") else answer(COMPLETION)
    return script(seen, writer)


def test_a_vendor_is_tried_with_its_own_secret(ask, agent, vendor):
    vendor.script = both
    got = ask(agent.vendor_id, {"model": "vendor-model-1"}).json
    assert (got["ok"], got["models"]) == (True, ["vendor-model-1", "b"])
    assert (got["list"]["http_status"], got["call"]["http_status"]) == (200, 200)
    assert [(seen.method, seen.path) for seen in vendor.seen] == [
        ("GET", "/v1/models"),
        ("POST", "/v1/chat/completions"),
    ]
    assert {seen.header("authorization") for seen in vendor.seen} == {f"Bearer {SECRET}"}


def test_every_try_is_on_the_vendors_record_under_an_automations_name(ask, agent, vendor):
    vendor.script = both
    got = ask(agent.vendor_id, {"model": "vendor-model-1"}).json
    rows = agent.world.query(
        "SELECT kind, actor, entry_id FROM ledger_entry WHERE stream = %s ORDER BY id",
        f"vendor:{agent.vendor_id}",
    )
    assert [row[:2] for row in rows] == [
        ("intent", "system:vendor-test"),
        ("result", "system:vendor-test"),
    ] * 2
    assert (rows[0][2], rows[2][2]) == (got["list"]["entry"], got["call"]["entry"])


def test_what_goes_wrong_is_said(ask, agent, vendor):
    vendor.script = answer({"error": {"code": "invalid_api_key"}}, 401)
    got = ask(agent.vendor_id).json
    assert not got["ok"]
    assert "invalid_api_key" in got["list"]["error"]
    vendor.script = answer(raw=b"<html>")
    assert "JSON" in ask(agent.vendor_id).json["list"]["error"]
    agent.world.change(
        "UPDATE routing_vendor SET base_url = 'http://127.0.0.1:1/v1' WHERE public_id = %s",
        agent.vendor_id,
    )
    eventually(lambda: "reached" in ask(agent.vendor_id).json["list"]["error"])


def test_nobody_else_may_ask(ask, agent, vendor):
    for token in ("", "1.ab", agent.key):
        got = ask(agent.vendor_id, token=token)
        assert (got.status, got.code) == (401, "not_internal")
    assert not vendor.seen


def test_an_unknown_vendor_is_not_found(ask):
    assert ask("ven_none").code == "no_such_vendor"


def test_a_vendor_of_the_other_dialect_is_tried_in_its_own(ask, make_agent, vendor):
    claude = make_agent(dialect="anthropic")

    def either(seen, writer):
        return answer(MODELS if seen.path.endswith("/models") else MESSAGE)(seen, writer)

    vendor.script = either
    got = ask(claude.vendor_id, {"model": "vendor-model-1"}).json
    assert (got["ok"], got["models"]) == (True, ["vendor-model-1", "b"])
    assert [seen.path for seen in vendor.seen] == ["/v1/models", "/v1/messages"]
    for seen in vendor.seen:
        assert seen.header("x-api-key") == SECRET
        assert seen.header("anthropic-version") == "2023-06-01"


def test_a_secret_that_a_vendor_repeats_is_neither_told_nor_recorded(ask, agent, vendor, rig):
    said = {"error": {"code": f"no {SECRET}", "message": f"{SECRET} is wrong"}}
    vendor.script = answer(said, 401)
    assert SECRET not in json.dumps(ask(agent.vendor_id).json)
    ((header,),) = agent.world.query(
        "SELECT header FROM ledger_entry WHERE stream = %s AND kind = 'result'",
        f"vendor:{agent.vendor_id}",
    )
    kept = open_payload(rig, agent.world, json.loads(bytes(header)))
    assert b"[secret removed]" in kept
    assert SECRET.encode() not in kept


def test_a_page_of_its_models_is_fetched_as_it_came_and_recorded(rig, served, agent, vendor):
    keys = InternalKeys.load(rig.keys_dir)
    path = f"/internal/vendors/{agent.vendor_id}/models"

    def page(query):
        body = json.dumps({"query": query}).encode()
        signed = keys.token("POST", path, body)
        return Client(served.port, headers={HEADER: signed}).ask("POST", path, body)

    vendor.script = answer(MODELS)
    got = page({"limit": "1000", "after_id": "a b", "url": "http://elsewhere"}).json
    assert (got["ok"], json.loads(got["body"])) == (True, MODELS)
    assert vendor.seen[0].path.split("?")[1] in {
        "limit=1000&after_id=a+b",
        "after_id=a+b&limit=1000",
    }
    assert vendor.seen[0].header("authorization") == f"Bearer {SECRET}"
    rows = agent.world.query(
        "SELECT kind, actor FROM ledger_entry WHERE stream = %s ORDER BY id",
        f"vendor:{agent.vendor_id}",
    )
    assert rows == [("intent", "system:model-listing"), ("result", "system:model-listing")]
    vendor.script = answer({"error": {"code": "invalid_api_key"}}, 401)
    refused = page({}).json
    assert (refused["ok"], refused["http_status"], refused["body"]) == (False, 401, "")
    assert Client(served.port).ask("POST", path, b"{}").status == 401
