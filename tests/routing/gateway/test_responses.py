"""OpenAI's responses and embeddings: relayed, metered, and kept for who made them."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import unquote

import pytest

from tests.routing.gateway.conftest import Client
from tests.routing.gateway.scripted import Seen, answer, stream
from tests.routing.gateway.shapes import (
    BEGUN,
    EMBEDDINGS,
    RESPONSE,
    RESPONSE_STREAM,
    response_delta,
    response_event,
)

END = RESPONSE_STREAM[-1]


@pytest.fixture
def made(agent, vendor):
    """An agent that has made the response resp_1; what it asked is not among what was seen."""
    vendor.script = answer(RESPONSE)
    assert agent.post("/v1/responses", {"input": "Hi"}).status == 200
    vendor.seen.clear()
    return agent


def last_event(body: bytes) -> Any:
    *_, event = body.rstrip(b"\n").split(b"\n\n")
    name, data = event.split(b"\n")
    assert name == b"event: error"
    return json.loads(data.removeprefix(b"data: "))


def test_a_response_passes_untouched_and_is_metered(agent, vendor):
    vendor.script = answer(RESPONSE)
    asked = {"input": "Hi", "store": False, "reasoning": {"effort": "low"}, "unheard_of": 1.50}
    got = agent.post("/v1/responses", asked)
    assert (got.status, got.json) == (200, RESPONSE)
    (seen,) = vendor.seen
    assert (seen.path, seen.json) == ("/v1/responses", asked | {"model": "vendor-model-1"})
    (call,) = agent.calls()
    assert (call["input_tokens"], call["output_tokens"], call["cached_tokens"]) == (9, 3, 4)
    assert call["reported_model"] == RESPONSE["model"]
    intent, result = agent.entries()
    assert intent["facts"]["operation"] == "responses"
    assert result["facts"]["response_id"] == "resp_1"


def test_a_streamed_response_is_relayed_to_its_terminal_event(agent, vendor):
    vendor.script = stream(RESPONSE_STREAM)
    got = agent.post("/v1/responses", {"input": "Hi", "stream": True})
    assert got.body == b"".join(RESPONSE_STREAM)
    assert "stream_options" not in vendor.seen[0].json
    (call,) = agent.calls()
    assert (call["status"], call["input_tokens"], call["output_tokens"]) == ("ok", 9, 3)


def test_split_at_every_byte_it_is_the_same_response(agent, vendor):
    whole = b"".join(RESPONSE_STREAM)
    vendor.script = stream([bytes([byte]) for byte in whole])
    assert agent.post("/v1/responses", {"input": "Hi", "stream": True}).body == whole


@pytest.mark.parametrize("end", ["completed", "incomplete", "failed"])
def test_the_terminal_event_comes_after_the_result_is_committed(agent, vendor, world, end):
    last = response_event(6, f"response.{end}", response=RESPONSE | {"status": end})
    vendor.script = stream([*RESPONSE_STREAM[:-1], last], linger=0.5)
    raw = json.dumps({"model": agent.route, "input": "Hi", "stream": True}).encode()
    line = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=30)
    line.request("POST", "/v1/responses", raw, agent._headers({}))
    reply, got = line.getresponse(), b""
    while b"event: response." + end.encode() not in got:
        got += reply.read1()
    assert [entry["kind"] for entry in agent.entries()] == ["intent", "result"]
    line.close()
    assert agent.calls()[0]["status"] == ("error" if end == "failed" else "ok")


@pytest.mark.parametrize("kept", range(len(RESPONSE_STREAM)))
def test_a_response_cut_anywhere_ends_in_a_typed_error(agent, vendor, kept):
    whole = b"".join(RESPONSE_STREAM)
    offset = len(b"".join(RESPONSE_STREAM[:kept])) + 9
    vendor.script = stream([whole[:offset]], cut=True)
    got = agent.post("/v1/responses", {"input": "Hi", "stream": True})
    if kept:
        said = last_event(got.body)
        assert (said["type"], said["code"], said["error"]["code"]) == (
            "error", "upstream_cut", "upstream_cut",
        )  # fmt: skip
        assert said["sequence_number"] == kept
        assert b"event: response.completed" not in got.body
    else:
        assert (got.status, got.code) == (502, "upstream_cut")
    (call,) = agent.calls()
    assert (call["status"], call["usage_estimated"]) == ("incomplete", True)


def test_an_error_event_of_the_vendor_is_the_end_and_passes(agent, vendor):
    said = response_event(1, "error", code="server_error", message="m", param=None)
    vendor.script = stream([RESPONSE_STREAM[0], said])
    got = agent.post("/v1/responses", {"input": "Hi", "stream": True})
    assert got.body == RESPONSE_STREAM[0] + said
    assert agent.calls()[0]["error_code"] == "server_error"


def test_text_of_a_model_cannot_forge_an_end_of_a_response(agent, vendor):
    forged = response_delta(1, 'event: response.completed\n\ndata: {"type":"response.completed"}')
    vendor.script = stream([RESPONSE_STREAM[0], forged], cut=True)
    got = agent.post("/v1/responses", {"input": "Hi", "stream": True})
    assert got.body.startswith(RESPONSE_STREAM[0] + forged)
    assert last_event(got.body)["code"] == "upstream_cut"


def test_a_terminal_event_of_megabytes_is_still_read(agent, vendor):
    big = RESPONSE | {"instructions": "x" * 3_000_000}
    last = response_event(6, "response.completed", response=big)
    pieces = [last[start : start + 50_000] for start in range(0, len(last), 50_000)]
    vendor.script = stream([RESPONSE_STREAM[0], *pieces])
    got = agent.post("/v1/responses", {"input": "Hi", "stream": True})
    assert got.body == RESPONSE_STREAM[0] + last
    assert agent.calls()[0]["input_tokens"] == 9


def test_a_failed_response_is_recorded_as_failed(agent, vendor):
    vendor.script = answer(
        RESPONSE | {"status": "failed", "error": {"code": "server_error", "message": "m"}}
    )
    assert agent.post("/v1/responses", {"input": "Hi"}).json["status"] == "failed"
    (call,) = agent.calls()
    assert (call["status"], call["error_code"]) == ("error", "server_error")


@pytest.mark.parametrize(
    ("method", "suffix", "operation"),
    [
        ("GET", "", "response_read"),
        ("DELETE", "", "response_delete"),
        ("POST", "/cancel", "response_cancel"),
        ("GET", "/input_items", "response_input"),
    ],
)
def test_a_kept_response_is_asked_for_where_it_is_kept(made, vendor, method, suffix, operation):
    got = made.ask(method, f"/v1/responses/resp_1{suffix}?include[]=a&api_key=x&limit=2")
    assert (got.status, got.json) == (200, RESPONSE)
    (seen,) = vendor.seen
    assert (seen.method, seen.body) == (method, b"")
    assert unquote(seen.path) == f"/v1/responses/resp_1{suffix}?include[]=a&limit=2"
    assert [entry["kind"] for entry in made.entries()] == ["intent", "result"] * 2
    assert made.entries()[2]["facts"]["operation"] == operation
    last = made.calls()[-1]
    assert (last["input_tokens"], last["cost_micros"]) == (0, 0)


def test_a_response_is_nobody_elses(made, make_agent, vendor):
    mallory = make_agent(routes=[made.route])
    for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")]:
        got = mallory.ask(method, f"/v1/responses/resp_1{path}")
        unknown = mallory.ask(method, f"/v1/responses/resp_0{path}")
        assert (got.status, got.code) == (unknown.status, unknown.code) == (
            404, "response_not_found",
        )  # fmt: skip
        assert got.body.replace(b"resp_1", b"resp_0") == unknown.body
    built = {"model": made.route, "input": "Hi", "previous_response_id": "resp_1"}
    got = mallory.post("/v1/responses", built)
    assert (got.status, got.code) == (400, "previous_response_not_found")
    assert not vendor.seen


def test_an_agent_may_build_on_its_own_response_at_the_vendor_that_keeps_it(made, vendor, world):
    other, _ = world.add_vendor("http://127.0.0.1:1/v1")
    ((route,),) = world.query("SELECT id FROM routing_route WHERE name = %s", made.route)
    world.insert(
        "routing_routetarget", route_id=route, model_id=world.add_model(other), region="",
        weight=10_000, priority=0,
    )  # fmt: skip
    world.change(
        "UPDATE routing_routetarget SET priority = 9 WHERE route_id = %s AND weight = 100", route
    )
    asked = {"input": "And?", "previous_response_id": "resp_1"}
    for _ in range(5):
        assert made.post("/v1/responses", asked).status == 200
    assert vendor.seen[-1].json["previous_response_id"] == "resp_1"


def test_a_streamed_response_is_remembered_too(agent, vendor):
    vendor.script = stream(RESPONSE_STREAM)
    agent.post("/v1/responses", {"input": "Hi", "stream": True})
    vendor.script = stream(RESPONSE_STREAM)
    got = agent.ask("GET", "/v1/responses/resp_1?stream=true&starting_after=3")
    assert got.body == b"".join(RESPONSE_STREAM)


def test_a_response_that_is_not_stored_is_not_remembered(agent, vendor):
    vendor.script = answer(RESPONSE | {"store": False})
    agent.post("/v1/responses", {"input": "Hi", "store": False})
    assert agent.ask("GET", "/v1/responses/resp_1").status == 404


def test_a_response_still_under_way_is_estimated_and_can_be_asked_for(agent, vendor):
    vendor.script = answer(BEGUN | {"status": "queued", "background": True})
    agent.post("/v1/responses", {"input": "Hi", "background": True})
    assert agent.calls()[0]["usage_estimated"]
    assert agent.ask("GET", "/v1/responses/resp_1").status == 200


def test_a_conversation_kept_at_the_vendor_is_refused(agent, vendor):
    got = agent.post("/v1/responses", {"input": "Hi", "conversation": "conv_1"})
    assert (got.status, got.code) == (400, "conversation_not_served")
    assert not vendor.seen


@pytest.mark.parametrize(
    "document", [{"stream": 1}, {"model": 7}, {"model": ""}, {"previous_response_id": 7}]
)
def test_a_response_call_that_cannot_be_read_is_refused(agent, vendor, document):
    got = agent.post("/v1/responses", {"input": "Hi"} | document)
    assert (got.status, got.code) == (400, "call_unreadable")
    assert got.json["error"]["param"] == next(iter(document))
    assert not vendor.seen


def test_kept_responses_need_a_key(made):
    assert Client(made.port).ask("GET", "/v1/responses/resp_1").status == 401
    assert made.ask("PUT", "/v1/responses/resp_1").status == 405
    assert made.ask("GET", "/v1/responses/resp_1/cancel").status == 405


def test_a_killed_database_does_not_turn_into_a_404(made, world):
    world.change(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE query LIKE '%%routing_storedresponse%%' AND pid <> pg_backend_pid()"
    )
    assert made.ask("GET", "/v1/responses/resp_1").status == 200


def test_embeddings_cost_their_input(agent, vendor, world):
    def embed(seen: Seen, writer: Any) -> Any:
        return answer(EMBEDDINGS)(seen, writer)

    vendor.script = embed
    asked = {"input": ["a", "b"], "encoding_format": "base64", "dimensions": 2}
    got = agent.post("/v1/embeddings", asked)
    assert (got.status, got.json) == (200, EMBEDDINGS)
    assert vendor.seen[0].path == "/v1/embeddings"
    assert vendor.seen[0].json == asked | {"model": "vendor-model-1"}
    (call,) = agent.calls()
    assert (call["input_tokens"], call["output_tokens"], call["cost_micros"]) == (7, 0, 7)
    assert agent.entries()[0]["facts"]["operation"] == "embeddings"


def test_embeddings_without_a_report_are_estimated(agent, vendor):
    vendor.script = answer({"object": "list", "data": []})
    agent.post("/v1/embeddings", {"input": "x" * 400})
    (call,) = agent.calls()
    assert (call["usage_estimated"], call["input_tokens"] > 90) == (True, True)


@pytest.mark.parametrize(
    ("reported", "is_another"),
    [("vendor-model-1", False), ("vendor-model-1-2026-01-01", False), ("other-model", True)],
)
@pytest.mark.parametrize("streams", [False, True])
def test_another_model_than_asked_for_is_named(agent, vendor, reported, is_another, streams):
    begun = response_event(0, "response.created", response=BEGUN | {"model": reported})
    vendor.script = stream([begun, END]) if streams else answer(RESPONSE | {"model": reported})
    got = agent.post("/v1/responses", {"input": "Hi", "stream": streams})
    assert got.headers.get("x-unsprawl-model-reported") == (reported if is_another else None)
    assert got.headers["x-unsprawl-model"] == "vendor-model-1"
    assert agent.entries()[-1]["facts"].get("model_substituted", False) is is_another
