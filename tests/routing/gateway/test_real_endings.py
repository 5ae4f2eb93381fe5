"""What vendors have really answered around the end of a model, at the door of a real gateway."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import routing
from routing.gateway.vendor_words import CLOSED, NO_DEPLOYMENT, RETIRED, said_of_model
from tests.routing.gateway.conftest import Agent
from tests.routing.gateway.scripted import COMPLETION, answer
from tests.routing.gateway.shapes import MESSAGE
from tests.routing.gateway.test_vendor_words import (
    AZURE_GONE,
    AZURE_MISSING,
    BEDROCK_IDLE,
    BEDROCK_UNKNOWN,
    GEMINI_NEW_USERS,
    MISTRAL,
)

SHIPPED = json.loads((Path(routing.__file__).parent / "data/vendor_policies.json").read_text())
SAY = [{"role": "user", "content": "Hi"}]
UNSAMPLED = {
    "type": "error",
    "error": {
        "type": "invalid_request_error",
        "message": "`temperature` is deprecated for this model.",
    },
    "request_id": "req_011",
}


def bodies() -> list[tuple[int, Any]]:
    """Return every refusal that ships with the catalogue, as a vendor's body."""
    rows = [row for row in SHIPPED["retired_call_behaviour"] if row.get("http", 200) >= 400]
    said = [(row["http"], row.get("body") or {"message": row.get("message")}) for row in rows]
    return [(status, body) for status, body in said if body != {"message": None}]


@pytest.mark.parametrize(("status", "body"), bodies(), ids=lambda value: "")
def test_every_refusal_that_ships_with_the_catalogue_is_understood(status, body):
    assert said_of_model(status, body, has_end=True) in {RETIRED, CLOSED, NO_DEPLOYMENT}


@pytest.fixture
def make_ending(served, world, vendor, other):
    """Make an agent whose route has a model that ends, of some vendor, and one that stays."""

    def make(name: str, *, profile: str = "", dialect: str = "openai", lasts: bool = False) -> Any:
        scheme = "x-api-key" if dialect == "anthropic" else "bearer"
        first, first_id = world.add_vendor(vendor.base_url, dialect=dialect, auth_scheme=scheme)
        world.change("UPDATE routing_vendor SET profile = %s WHERE id = %s", profile, first)
        ends = {} if lasts else {"retires_on": date(2026, 12, 1)}
        models = [world.add_model(first, name, **ends)]
        if not lasts:
            models.append(world.add_model(world.add_vendor(other.base_url)[0], "stays-1"))
        route = f"route-{first_id}"
        world.add_route(route, *models)
        row = world.add_agent(routes=[route])
        agent = Agent(served.port, row.key)
        agent.world, agent.row, agent.route, agent.vendor_id = world, row, route, first_id
        agent.wait_until_known()
        return agent

    return make


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, BEDROCK_IDLE, CLOSED),
        (400, BEDROCK_UNKNOWN, RETIRED),
        (404, AZURE_MISSING, NO_DEPLOYMENT),
        (410, AZURE_GONE, RETIRED),
        (404, [GEMINI_NEW_USERS], CLOSED),
        (400, MISTRAL, RETIRED),
    ],
    ids=["bedrock idle", "bedrock region", "azure none", "azure gone", "gemini new", "mistral"],
)
def test_a_model_that_its_vendor_took_away_is_asked_once_and_another_serves(
    make_ending, vendor, other, world, status, body, said
):
    agent = make_ending("ended-1")
    vendor.script = answer(body, status)
    answers = [agent.chat() for _ in range(2)]
    assert [(got.status, got.json) for got in answers] == [(200, COMPLETION)] * 2
    assert answers[0].headers["x-unsprawl-fallback"] == f"1;reason={said}"
    results = [entry["facts"] for entry in agent.entries() if entry["kind"] == "result"]
    assert results[0]["said_of_model"] == said
    words = world.query(
        "SELECT w.said FROM routing_vendorword w JOIN routing_model m ON m.public_id = w.model_id"
        " JOIN routing_vendor v ON v.id = m.vendor_id WHERE v.public_id = %s",
        agent.vendor_id,
    )
    assert words == [(said,)]


def test_gemini_that_is_rerouted_at_http_200_is_told_and_on_record(make_ending, vendor):
    agent = make_ending("gemini-2.5-pro", lasts=True)
    vendor.script = answer(COMPLETION | {"model": "gemini-3.8-flash"})
    got = agent.chat()
    assert got.status == 200
    assert got.headers["x-unsprawl-model-reported"] == "gemini-3.8-flash"
    (call,) = agent.calls()
    assert (call["is_substituted"], call["reported_model"]) == (True, "gemini-3.8-flash")


def test_sampling_that_anthropic_rejects_is_left_out_and_said(make_ending, vendor):
    """Since API version 2026-10-21, and of newer models."""
    agent = make_ending("claude-sonnet-5-5", profile="anthropic", dialect="anthropic", lasts=True)
    vendor.script = answer(MESSAGE)
    asked = {"max_tokens": 50, "messages": SAY, "temperature": 0.3, "top_k": 4}
    got = agent.post("/v1/messages", asked)
    assert got.status == 200
    assert vendor.seen[0].json.keys() == {"model", "max_tokens", "messages"}
    assert agent.entries()[0]["facts"]["params_dropped"] == ["temperature", "top_k"]


def test_where_nobody_said_what_kind_of_vendor_it_is_its_rejection_passes_and_ends_no_model(
    make_ending, vendor
):
    agent = make_ending("claude-sonnet-5-5", dialect="anthropic", lasts=True)
    vendor.script = answer(UNSAMPLED, 400)
    got = agent.post("/v1/messages", {"max_tokens": 5, "messages": SAY, "temperature": 0.3})
    assert (got.status, got.json) == (400, UNSAMPLED)
    facts = agent.entries()[-1]["facts"]
    assert "said_of_model" not in facts
    assert said_of_model(400, UNSAMPLED, has_end=True) == ""
