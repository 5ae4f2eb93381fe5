"""The list of models, in the envelope of who asks; and what is said of a model's end."""

from __future__ import annotations

from typing import Any

import pytest

from routing.gateway.lifecycle import is_substituted
from routing.gateway.snapshot import Model, Target, Vendor
from tests.routing.gateway.conftest import eventually
from tests.routing.gateway.scripted import answer, stream

VERSION = {"anthropic_version": "2023-06-01"}
OF_VENDOR = "vendor_id = (SELECT id FROM routing_vendor WHERE public_id = %s)"


@pytest.fixture
def reader(make_agent, world):
    """An agent with three routes that speak Anthropic's dialect."""
    agent = make_agent(dialect="anthropic")
    ((model,),) = world.query(f"SELECT id FROM routing_model WHERE {OF_VENDOR}", agent.vendor_id)
    names = sorted([agent.route, f"{agent.route}-b", f"{agent.route}-c"])
    for name in names[1:]:
        world.add_route(name, model)
    world.change(
        "UPDATE registry_agent SET routes = %s WHERE public_id = %s", names, agent.row.public_id
    )
    eventually(lambda: len(agent.ask("GET", "/v1/models", **VERSION).json["data"]) == 3)
    return agent, names


def test_who_speaks_anthropic_gets_its_envelope(reader):
    agent, names = reader
    got = agent.ask("GET", "/v1/models?limit=1000", **VERSION).json
    assert [entry["id"] for entry in got["data"]] == names
    assert (got["has_more"], got["first_id"], got["last_id"]) == (False, names[0], names[-1])
    entry = got["data"][0]
    assert (entry["type"], entry["lifecycle"], entry["retires_at"]) == ("model", "active", None)
    one = agent.ask("GET", f"/v1/models/{names[0]}", **VERSION).json
    assert one == entry
    assert agent.ask("GET", "/v1/models").json["object"] == "list"


def test_pages_go_forward_and_back(reader):
    agent, names = reader

    def page(query: str) -> tuple[list[str], bool]:
        got = agent.ask("GET", f"/v1/models?{query}", **VERSION).json
        return [entry["id"] for entry in got["data"]], got["has_more"]

    assert page("limit=2") == (names[:2], True)
    assert page(f"limit=2&after_id={names[1]}") == (names[2:], False)
    assert page(f"limit=1&before_id={names[2]}") == ([names[1]], True)
    assert page(f"limit=9&before_id={names[2]}") == (names[:2], False)
    assert page(f"after_id={names[2]}") == ([], False)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=%C2%B2", "after_id=no"]
)
def test_a_page_that_is_none_is_refused(reader, query):
    got = reader[0].ask("GET", f"/v1/models?{query}", **VERSION)
    assert (got.status, got.json["error"]["type"]) == (400, "invalid_request_error")


def test_a_model_of_nobody_is_a_404_in_both_shapes(agent):
    got = agent.ask("GET", "/v1/models/none", **VERSION)
    assert (got.status, got.json["error"]["type"]) == (404, "not_found_error")
    assert agent.ask("GET", "/v1/models/none").code == "model_not_found"


def test_openais_list_leaves_no_route_out_and_names_the_dialect(reader):
    agent, names = reader
    data = agent.ask("GET", "/v1/models").json["data"]
    assert [entry["id"] for entry in data] == names
    assert data[0]["served_by"]["dialect"] == "anthropic"


@pytest.fixture
def ending(make_agent, world, request):
    agent = make_agent(dialect=request.param)
    world.change(
        "UPDATE routing_model SET retires_on = '2026-11-01', deprecated_on = '2026-08-01',"
        f" replacement = 'vendor/model 2' WHERE {OF_VENDOR}",
        agent.vendor_id,
    )
    eventually(lambda: "2026-11-01" in str(agent.ask("GET", "/v1/models").json))
    return agent


ASKED: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "openai": [("/v1/chat/completions", {"messages": []}), ("/v1/responses", {"input": "x"})],
    "anthropic": [("/v1/messages", {"messages": []})],
}


@pytest.mark.parametrize("ending", ["openai", "anthropic"], indirect=True)
def test_every_answer_says_when_its_model_ends_and_what_follows(ending, request):
    dialect = request.node.callspec.params["ending"]
    for path, document in ASKED[dialect]:
        headers = ending.post(path, document).headers
        assert headers["sunset"] == "Sun, 01 Nov 2026 00:00:00 GMT"
        assert headers["deprecation"] == "@1785542400"
        assert headers["link"] == '</v1/models/vendor%2Fmodel%202>; rel="successor-version"'


@pytest.mark.parametrize("ending", ["openai", "anthropic"], indirect=True)
def test_errors_and_streams_say_it_too(ending, vendor, request):
    path, document = ASKED[request.node.callspec.params["ending"]][0]
    vendor.script = answer(None, 429)
    assert ending.post(path, document).headers["sunset"] == "Sun, 01 Nov 2026 00:00:00 GMT"
    vendor.script = answer(raw=b"<html>")
    got = ending.post(path, document)
    assert (got.status, "sunset" in got.headers, "link" in got.headers) == (502, True, True)
    vendor.script = stream()
    assert "sunset" in ending.post(path, document | {"stream": True}).headers


@pytest.mark.parametrize("ending", ["openai", "anthropic"], indirect=True)
def test_the_link_to_the_successor_leads_somewhere(ending, make_agent, request):
    path, document = ASKED[request.node.callspec.params["ending"]][0]
    link = ending.post(path, document).headers["link"].partition(">")[0].removeprefix("<")
    for headers in ({}, VERSION):
        entry = ending.ask("GET", link, **headers)
        assert entry.status == 200
        assert entry.json["id"] == "vendor/model 2"
        assert (len(entry.json["successor_of"]), entry.json["routes"]) == (1, [])
    assert make_agent().ask("GET", link).status == 404


@pytest.mark.parametrize("ending", ["openai"], indirect=True)
def test_an_entry_shows_the_end_of_every_target(ending):
    entry = ending.ask("GET", f"/v1/models/{ending.route}").json
    assert entry["shutdown_date"] == "2026-11-01"
    assert [target["shutdown_date"] for target in entry["targets"]] == ["2026-11-01"]
    shown = ending.ask("GET", f"/v1/models/{ending.route}", **VERSION).json
    assert shown["targets"][0]["lifecycle"] == "deprecated"


@pytest.mark.parametrize("ending", ["openai", "anthropic"], indirect=True)
def test_a_model_that_was_retired_is_a_404_that_names_its_successor(ending, world, request):
    dialect = request.node.callspec.params["ending"]
    world.change(
        f"UPDATE routing_model SET disabled_at = now() WHERE {OF_VENDOR}", ending.vendor_id
    )
    path, document = ASKED[dialect][0]
    eventually(lambda: ending.post(path, document).status == 404)
    got = ending.post(path, document)
    error = got.json["error"]
    assert got.headers["x-unsprawl-error"] == "routing.model_retired"
    assert error["code"] == "model_not_found"
    assert "vendor/model 2" in error["message"]
    assert "has been deprecated" in error["message"]
    assert got.headers["sunset"] == "Sun, 01 Nov 2026 00:00:00 GMT"
    assert "link" in got.headers
    assert (
        error["type"]
        == {"openai": "invalid_request_error", "anthropic": "not_found_error"}[dialect]
    )


@pytest.mark.parametrize("ending", ["anthropic"], indirect=True)
def test_a_model_past_its_date_is_called_as_long_as_nobody_disabled_it(ending):
    entry = ending.ask("GET", "/v1/models", **VERSION).json["data"][0]
    assert entry["lifecycle"] == "deprecated"
    assert entry["retires_at"] == "2026-11-01T00:00:00+00:00"
    assert ending.post("/v1/messages", {"messages": []}).status == 200


SAME = [
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4", "gpt-4-0613"),
    ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
    ("claude-sonnet-4-5", "claude-sonnet-4-5@20250929"),
    ("gemini-2.5-pro", "models/gemini-2.5-pro"),
    ("gemini-1.5-pro", "gemini-1.5-pro-002"),
    ("openai/GPT-4o", "gpt-4o"),
    ("llama3:latest", "llama3"),
    ("m", "m"),
    ("m", ""),
]
OTHER = [
    ("gpt-4o", "gpt-4o-mini"),
    ("gemini-2.5-pro", "gemini-3.8-flash"),
    ("claude-sonnet-4-5", "claude-sonnet-5-5"),
    ("gpt-4", "gpt-4.1"),
    ("llama3:8b", "llama3:70b"),
]


def target(name: str, address: str = "https://api.example/v1") -> Target:
    vendor = Vendor("ven_1", "v", "openai", address, "none", True, (), None)
    model = Model("mod_1", name, "USD", 1, 1, None, None, None, "", True, 0.0)
    return Target(vendor, model, "", 1, 0)


def test_a_version_of_the_same_model_is_no_other_model():
    assert [pair for pair in SAME if is_substituted(target(pair[0]), pair[1])] == []


def test_another_model_is_another_model():
    assert [pair for pair in OTHER if not is_substituted(target(pair[0]), pair[1])] == []


def test_a_deployments_own_name_cannot_be_compared():
    azure = target("my-deployment", "https://acme.openai.azure.com/openai/v1")
    assert not is_substituted(azure, "gpt-4o")
