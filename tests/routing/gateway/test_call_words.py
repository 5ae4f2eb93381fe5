"""What a vendor says of the call and what of its model, and which of the two is asked again."""

from __future__ import annotations

from typing import Any

import pytest

from routing.gateway.call_words import blames_call
from tests.routing.gateway.scripted import COMPLETION, answer
from tests.routing.gateway.test_shifts import make_moved

__all__ = ["make_moved"]


def said(message: str, code: str | None = None, kind: str = "invalid_request_error") -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def said_by_anthropic(message: str) -> Any:
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


OF_CALL = [
    said("We could not parse the JSON body of your request. (HINT: This likely means...)"),
    said("Missing required parameter: 'messages'.", "missing_required_parameter"),
    said("Invalid type for 'messages[0].content': expected a string, but got an integer.",
         "invalid_type"),
    said("[] is too short - 'messages'"),
    said("An assistant message with 'tool_calls' must be followed by tool messages."),
    said("messages with role 'tool' must be a response to a preceeding message."),
    said_by_anthropic("messages: at least one message is required"),
    said_by_anthropic("messages.0.content: Field required"),
    said_by_anthropic("messages.2: `tool_use` ids were found without `tool_result` blocks"
                      " immediately after: toolu_1."),
]  # fmt: skip
OF_TARGET = [
    said("Unsupported parameter: 'max_tokens' is not supported with this model.",
         "unsupported_parameter"),
    said("Unsupported value: 'temperature' does not support 0.2 with this model.",
         "unsupported_value"),
    said("This model's maximum context length is 8192 tokens.", "context_length_exceeded"),
    said("Unknown parameter: 'seed'.", "unknown_parameter"),
    said_by_anthropic("`temperature` and `top_p` cannot both be specified for this model."),
    said_by_anthropic("max_tokens: 64000 > 8192, which is the maximum allowed number of tokens"),
    said_by_anthropic("Your credit balance is too low to access the API."),
    said("The response was filtered due to the prompt.", "content_filter"),
    said("no"),
    {"message": "Field required"},
    None,
    [],
    "gone",
]  # fmt: skip


@pytest.mark.parametrize("body", OF_CALL)
def test_a_call_that_is_wrong_in_itself_is_known_by_its_vendors_words(body):
    assert blames_call(400, body)
    assert blames_call(422, body)
    assert not any(blames_call(status, body) for status in (401, 404, 409, 413, 429, 500))


@pytest.mark.parametrize("body", OF_TARGET, ids=lambda _: "")
def test_what_speaks_of_the_model_or_of_nothing_known_does_not_blame_the_call(body):
    assert not blames_call(400, body)


def test_of_a_moved_agent_what_is_wrong_in_itself_is_sent_once(make_moved, vendor, other):
    agent = make_moved()
    agent.move(100)
    other.script = answer(OF_CALL[1], 400)
    got = agent.chat()
    assert (got.status, got.json) == (400, OF_CALL[1])
    assert (got.headers["x-unsprawl-model"], len(vendor.seen)) == ("new-1", 0)
    assert "x-unsprawl-fallback" not in got.headers
    (call,) = agent.calls()
    assert (call["arm"], call["status"]) == ("target", "error")
    other.script = answer(OF_TARGET[0], 400)
    got = agent.chat()
    assert (got.status, got.json, len(vendor.seen)) == (200, COMPLETION, 1)


def test_of_a_call_that_was_translated_the_source_has_the_last_word(make_moved, vendor, other):
    agent = make_moved(dialect="anthropic")
    agent.move(100)
    other.script = answer(OF_CALL[6], 400)
    got = agent.chat()
    assert (got.status, got.json, len(vendor.seen)) == (200, COMPLETION, 1)
