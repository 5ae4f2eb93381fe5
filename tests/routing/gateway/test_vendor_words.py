"""What vendors answer when a model is gone: told apart, asked once, and seen by whoever governs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from routing.gateway.breaker import Breakers, Name
from routing.gateway.vendor_words import (
    CLOSED,
    NO_DEPLOYMENT,
    RETIRED,
    UNKNOWN,
    said_of_model,
)
from tests.routing.gateway.scripted import COMPLETION, answer
from tests.routing.gateway.test_attempts import make_pair  # noqa: F401  the fixture

OPENAI = {
    "error": {
        "message": "The model `text-davinci-003` has been deprecated, learn more here:"
        " https://platform.openai.com/docs/deprecations",
        "type": "invalid_request_error",
        "param": None,
        "code": "model_not_found",
    }
}
OPENAI_RESPONSES = {
    "error": {
        "message": "The requested model 'codex-mini-latest' does not exist.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }
}
ANTHROPIC = {
    "type": "error",
    "error": {"type": "not_found_error", "message": "model: claude-sonnet-4-0"},
    "request_id": "req_011",
}
GEMINI = {
    "error": {
        "code": 404,
        "message": "models/gemini-1.5-flash is not found for API version v1beta, or is not"
        " supported for generateContent. Call ListModels to see the list of available models and"
        " their supported methods.",
        "status": "NOT_FOUND",
    }
}
GEMINI_NEW_USERS = {
    "error": {
        "code": 404,
        "message": "This model models/gemini-2.0-flash is no longer available to new users."
        " Please update your code to use a newer model for the latest features and improvements.",
        "status": "NOT_FOUND",
    }
}
AZURE_MISSING = {
    "error": {
        "code": "DeploymentNotFound",
        "message": "The API deployment for this resource does not exist. If you created the"
        " deployment within the last 5 minutes, please wait a moment and try again.",
    }
}
AZURE_GONE = {
    "error": {
        "code": "410",
        "message": "The model associated with the deployment is deprecated and no longer available"
        " for use. Please select another model.",
    }
}
AZURE_CREATING = {
    "error": {
        "code": "ServiceModelDeprecated",
        "message": "The model 'Format:OpenAI,Name:gpt-4o-mini,Version:2024-07-18' has been"
        " deprecated since 03/31/2026 00:00:00.",
    }
}
BEDROCK_ENDED = {
    "message": "This model version has reached the end of its life. Please refer to the AWS"
    " documentation for more details."
}
BEDROCK_IDLE = {
    "message": "Access denied. This Model is marked by provider as Legacy and you have not been"
    " actively using the model in the last 30 days. Please upgrade to an active model on Amazon"
    " Bedrock"
}
BEDROCK_UNKNOWN = {
    "__type": "com.amazon.coral.validate#ValidationException",
    "message": "The provided model identifier is invalid.",
}
MISTRAL = {"object": "error", "message": "Invalid model: mistral-large-2407", "code": "1500"}


@pytest.mark.parametrize(
    ("status", "body", "dated", "undated"),
    [
        (404, OPENAI, RETIRED, RETIRED),
        (400, OPENAI_RESPONSES, RETIRED, UNKNOWN),
        (404, ANTHROPIC, RETIRED, UNKNOWN),
        (404, GEMINI, RETIRED, UNKNOWN),
        (404, [GEMINI], RETIRED, UNKNOWN),
        (404, GEMINI_NEW_USERS, CLOSED, CLOSED),
        (404, AZURE_MISSING, NO_DEPLOYMENT, NO_DEPLOYMENT),
        (410, AZURE_GONE, RETIRED, RETIRED),
        (400, AZURE_CREATING, RETIRED, RETIRED),
        (404, BEDROCK_ENDED, RETIRED, RETIRED),
        (404, BEDROCK_IDLE, CLOSED, CLOSED),
        (400, BEDROCK_UNKNOWN, RETIRED, UNKNOWN),
        (400, MISTRAL, RETIRED, UNKNOWN),
    ],
    ids=lambda value: "",
)
def test_each_vendors_words_are_understood(status, body, dated, undated):
    """A model with an end is gone; without one its name was most likely never right."""
    assert said_of_model(status, body, has_end=True) == dated
    assert said_of_model(status, body, has_end=False) == undated


ECHO = "Invalid value: 'this model has been deprecated'. Supported values are: 'auto'."


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": ECHO, "type": "invalid_request_error", "code": None}}),
        (404, {"type": "error", "error": {"type": "not_found_error", "message": "file: f_1"}}),
        (429, OPENAI),
        (500, BEDROCK_ENDED),
        (404, "gone"),
        (404, None),
        (403, {"error": {"message": "Your key may not use this."}}),
    ],
    ids=lambda value: "",
)
def test_nothing_else_is_taken_for_it(status, body):
    assert said_of_model(status, body, has_end=True) == ""


@pytest.fixture
def dated_pair(make_pair, world):  # noqa: F811
    pair = make_pair(retries=3, fallback_on=["5xx"])
    world.change("UPDATE routing_model SET retires_on = '2026-12-11' WHERE id = %s", pair.models[0])
    return pair


def test_a_retired_model_is_asked_once_and_then_left_alone(dated_pair, vendor, other, world):
    """No try again, the next at once, whatever the route goes on after; and it is on record."""
    vendor.script = answer(OPENAI, 404)
    answers = [dated_pair.chat() for _ in range(3)]
    assert [(got.status, got.json) for got in answers] == [(200, COMPLETION)] * 3
    assert {got.headers["x-unsprawl-fallback"] for got in answers} == {f"1;reason={RETIRED}"}
    assert (len(vendor.seen), len(other.seen)) == (1, 3)
    assert dated_pair.facts("result")[0]["said_of_model"] == RETIRED
    assert dated_pair.facts("intent")[2]["passed_over"][0].endswith(f": {RETIRED}")
    rows = world.query(
        "SELECT w.said, w.http_status, w.error_code, w.agent_id FROM routing_vendorword w"
        " JOIN routing_model m ON m.public_id = w.model_id WHERE m.id = %s",
        dated_pair.models[0],
    )
    assert rows == [(RETIRED, 404, "model_not_found", dated_pair.row.public_id)]


def test_where_nothing_else_serves_the_vendors_own_answer_passes(make_agent, vendor):
    agent = make_agent()
    vendor.script = answer(ANTHROPIC, 404)
    for _ in range(3):
        got = agent.chat()
        assert (got.status, got.json) == (404, ANTHROPIC)
        assert "x-unsprawl-error" not in got.headers


def test_a_breaker_knows_that_it_is_open_for_good_reason():
    breakers, name = Breakers(), Name("mod_1", "")
    breakers.note(name, failed=True, begun=0.0, now=1.0, said=RETIRED)
    assert (breakers.takes(name, 50.0), breakers.why(name)) == (False, RETIRED)
    assert breakers.takes(name, 62.0)
    breakers.note(name, failed=False, begun=62.0, now=63.0)
    assert (breakers.takes(name, 64.0), breakers.why(name)) == (True, "")
    found: dict[str, Any] = json.loads(json.dumps(OPENAI))
    assert said_of_model(404, found, has_end=False) == RETIRED
