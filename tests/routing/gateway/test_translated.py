"""Calls that are served in the other dialect: what leaves, what comes back, what is on record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.routing.gateway.conftest import Client, eventually
from tests.routing.gateway.scripted import DONE, answer, chunk_event, stream
from tests.routing.gateway.shapes import MESSAGE, MESSAGE_STREAM, message_event

SAY = [{"role": "user", "content": "Hi"}]
ASK: dict[str, Any] = {"max_tokens": 9, "messages": SAY}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@pytest.fixture
def claude(make_agent, vendor):
    vendor.script = answer(MESSAGE, 200, ("request-id", "req_v"))
    return make_agent(dialect="anthropic")


def events_in(body: bytes) -> list[Any]:
    found = []
    for event in body.rstrip(b"\n").split(b"\n\n"):
        data = event.split(b"data: ", 1)[1] if b"data: " in event else b"null"
        found.append("[DONE]" if data == b"[DONE]" else json.loads(data))
    return [one for one in found if one is not None]


def allow(agent: Any, **options: Any) -> None:
    """Set the options of an agent's route, and wait until they hold."""
    agent.world.change(
        "UPDATE routing_route SET options = %s::jsonb WHERE name = %s",
        json.dumps(options),
        agent.route,
    )
    agent.catch_up()


def test_a_chat_call_is_served_by_messages_and_that_is_told(claude, vendor):
    asked = {"messages": [{"role": "system", "content": "Be brief."}, *SAY], "tools": [TOOL]}
    got = claude.post("/v1/chat/completions", asked | {"parallel_tool_calls": False})
    (seen,) = vendor.seen
    assert (seen.path, seen.header("anthropic-version")) == ("/v1/messages", "2023-06-01")
    assert seen.json == {
        "model": "vendor-model-1", "max_tokens": 8192, "system": "Be brief.", "messages": SAY,
        "tools": [{"name": "look", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    }  # fmt: skip
    choice = got.json["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Hello.", "stop")
    assert got.json["model"] == MESSAGE["model"]
    assert got.json["usage"]["prompt_tokens"] == 11
    assert got.headers["x-unsprawl-translated"] == "openai->anthropic"
    assert got.headers["x-request-id"] == "req_v"
    intent, result = claude.entries()
    assert intent["facts"]["translated"] == "openai→anthropic"
    assert (result["facts"]["input_tokens"], result["facts"]["cached_tokens"]) == (11, 4)
    assert result["facts"]["reported_model"] == MESSAGE["model"]


def test_a_chat_stream_is_told_as_it_comes(claude, vendor):
    vendor.script = stream(MESSAGE_STREAM)
    got = claude.post("/v1/chat/completions", {"messages": SAY, "stream": True})
    assert b": ping\n\n" in got.body
    *chunks, done = events_in(got.body)
    assert done == "[DONE]"
    said = "".join(one["choices"][0]["delta"].get("content", "") for one in chunks)
    assert (said, chunks[-1]["choices"][0]["finish_reason"]) == ("Hello.", "stop")
    assert {one["model"] for one in chunks} == {MESSAGE["model"]}
    (call,) = claude.calls()
    assert (call["input_tokens"], call["output_tokens"], call["status"]) == (11, 3, "ok")


def test_usage_ends_a_stream_where_it_was_asked_for(claude, vendor):
    vendor.script = stream(MESSAGE_STREAM)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    got = claude.post("/v1/chat/completions", {"messages": SAY} | options)
    *_, last, _done = events_in(got.body)
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 14)


def test_a_messages_call_is_served_by_chat(agent, vendor):
    got = agent.post("/v1/messages", ASK | {"system": "Be brief.", "metadata": {"user_id": "u"}})
    (seen,) = vendor.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.header("anthropic-version") is None
    assert seen.json == {
        "model": "vendor-model-1", "max_tokens": 9, "user": "u",
        "messages": [{"role": "system", "content": "Be brief."}, *SAY],
    }  # fmt: skip
    assert got.json["content"] == [{"type": "text", "text": "Hello."}]
    assert (got.json["stop_reason"], got.json["usage"]["input_tokens"]) == ("end_turn", 9)
    assert got.headers["x-unsprawl-translated"] == "anthropic->openai"
    assert got.headers["request-id"]


def test_a_streamed_messages_call_ends_with_its_usage(agent, vendor):
    vendor.script = stream()
    got = agent.post("/v1/messages", ASK | {"stream": True})
    assert vendor.seen[0].json["stream_options"] == {"include_usage": True}
    kinds = [one["type"] for one in events_in(got.body)]
    assert kinds == [
        "message_start", "content_block_start", "content_block_delta", "content_block_delta",
        "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    delta = events_in(got.body)[-2]
    assert (delta["usage"]["input_tokens"], delta["usage"]["output_tokens"]) == (9, 2)
    (call,) = agent.calls()
    assert (call["input_tokens"], call["output_tokens"]) == (9, 2)


def test_a_response_is_served_by_messages_and_kept_by_nobody(claude, vendor):
    vendor.script = stream(MESSAGE_STREAM)
    got = claude.post("/v1/responses", {"input": "Hi", "stream": True})
    events = events_in(got.body)
    assert [one["sequence_number"] for one in events] == list(range(len(events)))
    assert events[-1]["type"] == "response.completed"
    ended = events[-1]["response"]
    assert ended["output"][0]["content"][0]["text"] == "Hello."
    assert (ended["store"], ended["usage"]["total_tokens"]) == (False, 14)
    vendor.script = answer(MESSAGE)
    whole = claude.post("/v1/responses", {"input": "Hi"})
    assert whole.json["output"] == ended["output"]
    assert whole.headers["x-unsprawl-translated"] == "responses->anthropic"
    next_one = {"input": "More", "previous_response_id": ended["id"]}
    assert claude.post("/v1/responses", next_one).code == "previous_response_not_found"


@pytest.mark.parametrize(
    ("member", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"seed": 7}, "seed"),
        ({"temperature": 1.5}, "temperature"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"audio": {"voice": "a"}}, "audio"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools.custom"),
        ({"never_heard_of": 1}, "never_heard_of"),
        ({"messages": [*SAY, {"role": "assistant", "content": "So"}]}, "messages"),
    ],
)
def test_what_does_not_carry_over_is_refused_before_anything_leaves(claude, vendor, member, param):
    got = claude.post("/v1/chat/completions", {"messages": SAY} | member)
    error = got.json["error"]
    assert (got.status, error["code"], error["param"]) == (400, "cannot_translate", param)
    assert not vendor.seen
    assert claude.entries() == []


def test_the_other_dialect_is_refused_in_its_own_words(agent, vendor):
    got = agent.post("/v1/messages", ASK | {"top_k": 5})
    assert got.json["type"] == "error"
    assert (got.json["error"]["code"], got.json["error"]["param"]) == ("cannot_translate", "top_k")
    counted = agent.post("/v1/messages/count_tokens", ASK)
    assert counted.json["error"]["code"] == "dialect_mismatch"
    assert "No count_tokens can be translated" in counted.json["error"]["message"]
    assert not vendor.seen


def test_hints_are_left_out_where_the_route_says_so_and_that_is_told(claude, vendor):
    allow(claude, drop_hints=True)
    got = claude.post("/v1/chat/completions", {"messages": SAY, "seed": 7, "prompt_cache_key": "k"})
    assert got.headers["x-unsprawl-params-dropped"] == "seed, prompt_cache_key"
    assert claude.entries()[0]["facts"]["params_dropped"] == ["seed", "prompt_cache_key"]
    assert claude.post("/v1/chat/completions", {"messages": SAY, "n": 2}).code == "cannot_translate"
    assert len(vendor.seen) == 1


def test_a_route_may_refuse_to_translate(claude, agent, vendor):
    allow(claude, translate=False)
    got = claude.post("/v1/chat/completions", {"messages": SAY})
    assert (got.status, got.code) == (400, "dialect_mismatch")
    assert "This route does not translate" in got.json["error"]["message"]
    assert claude.post("/v1/embeddings", {"input": "Hi"}).code == "dialect_mismatch"
    assert not vendor.seen


def test_a_target_that_the_call_cannot_be_said_to_is_passed_over(claude, vendor, world, served):
    other, _other_id = world.add_vendor(vendor.base_url)
    route = f"both-{claude.route}"
    ((of_claude,),) = world.query(
        "SELECT m.id FROM routing_model m JOIN routing_vendor v ON v.id = m.vendor_id"
        " WHERE v.public_id = %s",
        claude.vendor_id,
    )
    world.add_route(route, of_claude, world.add_model(other))
    row = world.add_agent(routes=[route])
    client = Client(served.port, row.key)
    eventually(lambda: client.ask("GET", "/v1/models").status == 200)
    vendor.script = answer()
    raw = json.dumps({"model": route, "messages": SAY, "n": 2}).encode()
    assert client.ask("POST", "/v1/chat/completions", raw).status == 200
    (seen,) = vendor.seen
    assert seen.path == "/v1/chat/completions"
    ((header,),) = world.query(
        "SELECT header FROM ledger_entry WHERE agent_id = %s AND kind = 'intent'", row.public_id
    )
    (passed,) = json.loads(bytes(header))["facts"]["passed_over"]
    assert passed.endswith("/vendor-model-1: cannot_translate n")


def test_a_vendors_error_keeps_its_status_and_its_words(claude, agent, vendor):
    fault = {"type": "error", "error": {"type": "overloaded_error", "message": "Busy: try later"}}
    vendor.script = answer(fault, 529)
    got = claude.post("/v1/chat/completions", {"messages": SAY})
    assert got.status == 529
    assert got.json["error"] == {
        "message": "Busy: try later", "type": "overloaded_error", "param": None,
        "code": "overloaded_error",
    }  # fmt: skip
    assert "x-unsprawl-error" not in got.headers
    vendor.script = answer({"error": {"message": "Slow down", "type": "requests"}}, 429)
    got = agent.post("/v1/messages", ASK)
    assert (got.status, got.json["error"]["type"]) == (429, "rate_limit_error")
    assert got.json["error"]["message"] == "Slow down"


def test_an_error_inside_a_stream_is_one_in_the_agents_words(claude, agent, vendor):
    broken = message_event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    vendor.script = stream([*MESSAGE_STREAM[:4], broken])
    got = claude.post("/v1/chat/completions", {"messages": SAY, "stream": True})
    last = events_in(got.body)[-1]
    assert (last["error"]["message"], last["error"]["code"]) == ("Overloaded", "overloaded_error")
    assert claude.calls()[0]["status"] == "error"
    fault = b'data: {"error": {"message": "Out of memory", "type": "server_error"}}\n\n'
    vendor.script = stream([chunk_event("Hel"), fault])
    got = agent.post("/v1/messages", ASK | {"stream": True})
    last = events_in(got.body)[-1]
    assert (last["type"], last["error"]["message"]) == ("error", "Out of memory")


@pytest.mark.parametrize("at", range(1, len(MESSAGE_STREAM)))
def test_a_stream_that_is_cut_never_ends_well(claude, vendor, at):
    vendor.script = stream(MESSAGE_STREAM[:at], cut=True)
    got = claude.post("/v1/chat/completions", {"messages": SAY, "stream": True})
    if got.status == 200:
        *_, last = events_in(got.body)
        assert last["error"]["code"] == "upstream_cut"
    else:
        assert (got.status, got.code) == (502, "upstream_cut")
    assert claude.calls()[0]["status"] in ("incomplete", "error")


def test_a_cut_chat_stream_is_an_anthropic_error(agent, vendor):
    vendor.script = stream([chunk_event("Hel")], cut=True)
    got = agent.post("/v1/messages", ASK | {"stream": True})
    *_, last = events_in(got.body)
    assert (last["type"], last["error"]["code"]) == ("error", "upstream_cut")


def test_arguments_that_are_no_json_are_not_made_into_some(agent, vendor):
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{oh"}}
    said = {"role": "assistant", "content": None, "tool_calls": [call]}
    vendor.script = answer(
        {"id": "x", "model": "m", "choices": [{"message": said, "finish_reason": "tool_calls"}]}
    )
    got = agent.post("/v1/messages", ASK)
    assert (got.status, got.json["error"]["code"]) == (502, "vendor_garbage")


def test_an_events_bytes_may_come_one_by_one(claude, agent, vendor):
    raw = b"".join(MESSAGE_STREAM)
    vendor.script = stream([raw[at : at + 1] for at in range(len(raw))])
    got = claude.post("/v1/chat/completions", {"messages": SAY, "stream": True})
    vendor.script = stream([raw])
    again = claude.post("/v1/chat/completions", {"messages": SAY, "stream": True})

    def timeless(body: bytes) -> list[Any]:
        return [{**one, "created": 0} if isinstance(one, dict) else one for one in events_in(body)]

    assert timeless(got.body) == timeless(again.body)
    raw = b"".join([chunk_event("Hel"), chunk_event("lo"), DONE])
    vendor.script = stream([raw[at : at + 1] for at in range(len(raw))])
    got = agent.post("/v1/messages", ASK | {"stream": True})
    assert events_in(got.body)[-1] == {"type": "message_stop"}
