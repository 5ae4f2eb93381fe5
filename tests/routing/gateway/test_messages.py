"""Anthropic's dialect: what a client sends and gets, what is counted, how refusals look."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from tests.routing.gateway.conftest import Client
from tests.routing.gateway.scripted import SECRET, answer, stream
from tests.routing.gateway.shapes import MESSAGE, MESSAGE_STREAM, PING, message_event

VERSION = {"anthropic_version": "2026-10-21"}
ASK: dict[str, Any] = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def claude(make_agent, vendor):
    vendor.script = answer(MESSAGE, 200, ("request-id", "req_v"))
    return make_agent(dialect="anthropic")


def messages(agent: Any, path: str = "/v1/messages", **over: Any) -> Any:
    return agent.post(path, ASK | over, **VERSION)


def last_event(body: bytes) -> Any:
    *_, event = body.rstrip(b"\n").split(b"\n\n")
    name, data = event.split(b"\n")
    assert name == b"event: error"
    return json.loads(data.removeprefix(b"data: "))


def test_a_message_passes_untouched_and_is_metered_with_its_cache(claude, vendor, world):
    world.change(
        "UPDATE routing_model SET cached_input_micros_per_mtok = 500000"
        " WHERE vendor_id = (SELECT id FROM routing_vendor WHERE public_id = %s)",
        claude.vendor_id,
    )
    claude.catch_up()
    system = [{"type": "text", "text": "b"}, {"type": "text", "text": "a"}]
    got = messages(claude, system=system, thinking={"type": "adaptive"})
    assert (got.status, got.json) == (200, MESSAGE)
    (seen,) = vendor.seen
    assert seen.json == ASK | {
        "model": "vendor-model-1", "system": system, "thinking": {"type": "adaptive"},
    }  # fmt: skip
    assert (seen.method, seen.path) == ("POST", "/v1/messages")
    (call,) = claude.calls()
    assert (call["input_tokens"], call["cached_tokens"], call["output_tokens"]) == (11, 4, 3)
    assert call["cost_micros"] == 7 + 2 + 6
    assert claude.entries()[0]["facts"]["operation"] == "messages"


def test_its_headers_pass_and_the_key_does_not(claude, vendor):
    got = claude.post(
        "/v1/messages?beta=true&debug=1",
        ASK,
        anthropic_version="2026-10-21",
        anthropic_beta="context-1,tools-2",
        anthropic_future="x",
        openai_beta="no",
        x_stainless_lang="python",
    )
    seen = vendor.seen[0]
    assert seen.path == "/v1/messages?beta=true"
    assert {name: value for name, value in seen.headers if name.startswith("anthropic-")} == {
        "anthropic-version": "2026-10-21",
        "anthropic-beta": "context-1,tools-2",
        "anthropic-future": "x",
    }
    assert seen.header("x-api-key") == SECRET
    assert seen.header("authorization") is None
    assert seen.header("openai-beta") is None
    assert seen.header("x-stainless-lang") is None
    assert claude.key not in str(seen.headers)
    assert got.headers["request-id"] == "req_v"
    assert got.headers["x-unsprawl-model"] == "vendor-model-1"


def test_a_key_may_come_in_either_header(claude):
    raw = json.dumps(ASK | {"model": claude.route}).encode()
    for given in ({"x-api-key": claude.key}, {"authorization": f"Bearer {claude.key}"}):
        client = Client(claude.port, headers=given)
        assert client.ask("POST", "/v1/messages", raw).status == 200
    client = Client(claude.port, headers={"x-api-key": "usp_x", "authorization": "Bearer usp_y"})
    got = client.ask("POST", "/v1/messages", raw)
    assert (got.status, got.json["error"]["type"]) == (400, "invalid_request_error")


def test_a_streamed_message_is_relayed_with_its_pings(claude, vendor):
    vendor.script = stream(MESSAGE_STREAM)
    got = messages(claude, stream=True)
    assert got.body == b"".join(MESSAGE_STREAM)
    assert PING in got.body
    assert got.headers["request-id"].startswith("ent_")
    (call,) = claude.calls()
    assert (call["input_tokens"], call["cached_tokens"], call["output_tokens"]) == (11, 4, 3)
    assert (call["status"], call["usage_estimated"]) == ("ok", False)
    assert call["reported_model"] == MESSAGE["model"]
    assert "model_substituted" not in claude.entries()[-1]["facts"]


def test_split_at_every_byte_it_is_the_same_message(claude, vendor):
    whole = b"".join(MESSAGE_STREAM)
    vendor.script = stream([bytes([byte]) for byte in whole])
    assert messages(claude, stream=True).body == whole


def test_an_input_that_the_last_count_repeats_is_counted_once(claude, vendor):
    delta = message_event("message_delta", delta={}, usage=MESSAGE["usage"] | {"output_tokens": 8})
    vendor.script = stream([MESSAGE_STREAM[0], delta, MESSAGE_STREAM[-1]])
    messages(claude, stream=True)
    (call,) = claude.calls()
    assert (call["input_tokens"], call["output_tokens"]) == (11, 8)


def test_message_stop_is_held_until_the_result_is_on_record(claude, vendor):
    vendor.script = stream(MESSAGE_STREAM, linger=0.5)
    line = http.client.HTTPConnection("127.0.0.1", claude.port, timeout=30)
    raw = json.dumps(ASK | {"model": claude.route, "stream": True}).encode()
    line.request("POST", "/v1/messages", raw, claude._headers(VERSION))
    reply, got = line.getresponse(), b""
    while b"event: message_stop" not in got:
        got += reply.read1()
    assert [entry["kind"] for entry in claude.entries()] == ["intent", "result"]
    line.close()


@pytest.mark.parametrize("kept", range(1, len(MESSAGE_STREAM)))
def test_a_message_cut_anywhere_ends_in_an_error_event(claude, vendor, kept):
    whole = b"".join(MESSAGE_STREAM)
    offset = len(b"".join(MESSAGE_STREAM[:kept])) + 9
    vendor.script = stream([whole[:offset]], cut=True)
    got = messages(claude, stream=True)
    assert b"event: message_stop" not in got.body
    said = last_event(got.body)
    assert (said["type"], said["error"]["type"]) == ("error", "api_error")
    assert said["error"]["code"] == "upstream_cut"
    (call,) = claude.calls()
    assert said["request_id"] == call["intent_id"]
    assert (call["status"], call["input_tokens"]) == ("incomplete", 11)
    assert call["usage_estimated"] is (kept < len(MESSAGE_STREAM) - 1)


def test_a_vendors_error_event_passes_and_is_the_end(claude, vendor):
    said = message_event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    vendor.script = stream([*MESSAGE_STREAM[:3], said])
    assert messages(claude, stream=True).body == b"".join(MESSAGE_STREAM[:3]) + said
    (call,) = claude.calls()
    assert (call["status"], call["error_code"]) == ("error", "overloaded_error")


def test_text_of_a_model_cannot_forge_message_stop(claude, vendor):
    text = 'x"}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
    forged = message_event(
        "content_block_delta", index=0, delta={"type": "text_delta", "text": text}
    )
    vendor.script = stream([MESSAGE_STREAM[0], forged, *MESSAGE_STREAM[-2:]])
    got = messages(claude, stream=True)
    assert got.body == MESSAGE_STREAM[0] + forged + b"".join(MESSAGE_STREAM[-2:])
    assert claude.calls()[0]["output_tokens"] == 3


@pytest.mark.parametrize("status", [400, 404, 413, 429, 500, 529])
def test_a_vendors_error_passes_unreworded(claude, vendor, status):
    said = b'{"type":"error", "error":{"type":"not_found_error","message":"model: x"}}'
    vendor.script = answer(
        None, status, ("request-id", "req_9"), ("retry-after", "3"),
        ("anthropic-ratelimit-requests-remaining", "0"), raw=said,
    )  # fmt: skip
    got = messages(claude)
    assert (got.status, got.body, got.headers["request-id"]) == (status, said, "req_9")
    assert got.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert "x-unsprawl-error" not in got.headers
    assert claude.calls()[0]["error_code"] == "not_found_error"


def test_counting_tokens_costs_nothing_and_is_on_record(claude, vendor):
    vendor.script = answer({"input_tokens": 14})
    got = messages(claude, "/v1/messages/count_tokens?beta=true")
    assert got.json == {"input_tokens": 14}
    assert vendor.seen[0].path == "/v1/messages/count_tokens?beta=true"
    (call,) = claude.calls()
    assert (call["cost_micros"], call["usage_estimated"]) == (0, False)
    assert claude.entries()[0]["facts"]["operation"] == "count_tokens"


REFUSED: dict[str, tuple[dict[str, Any], dict[str, str], int, str]] = {
    "a wrong key": ({}, {"authorization": "Bearer usp_wrong"}, 401, "authentication_error"),
    "no such model": ({"model": "gone"}, {}, 404, "not_found_error"),
    "no model": ({"model": None}, {}, 400, "invalid_request_error"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_our_refusals_have_anthropics_shape(claude, vendor, case):
    document, headers, status, kind = REFUSED[case]
    got = claude.post("/v1/messages", ASK | document, **headers)
    assert (got.status, got.json["type"], got.json["error"]["type"]) == (status, "error", kind)
    assert got.json["request_id"] == got.headers["request-id"]
    assert got.headers["x-unsprawl-error"].startswith("routing.")
    assert not vendor.seen


def test_a_path_that_is_not_served_is_a_404_in_the_shape_of_who_asks(claude):
    got = claude.ask("POST", "/v1/complete", b"{}", **VERSION)
    assert (got.status, got.json["error"]["type"]) == (404, "not_found_error")
    assert claude.ask("POST", "/v1/messages/batches", b"{}").json["type"] == "error"
