"""A plain call: what the vendor gets, what the agent gets, what stays on record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from routing.gateway import exchange
from tests.routing.gateway.conftest import BODY, eventually
from tests.routing.gateway.scripted import (
    COMPLETION,
    DONE,
    SECRET,
    Seen,
    answer,
    chunk_event,
    stream,
)

OF_VENDOR = "vendor_id = (SELECT id FROM routing_vendor WHERE public_id = %s)"


def test_a_call_reaches_the_vendor_and_its_answer_the_agent(agent, vendor):
    got = agent.chat()
    assert (got.status, got.json) == (200, COMPLETION)
    (seen,) = vendor.seen
    assert (seen.method, seen.path) == ("POST", "/v1/chat/completions")
    assert seen.header("authorization") == f"Bearer {SECRET}"
    assert seen.json == BODY | {"model": "vendor-model-1"}


def test_the_answer_says_what_served_it(agent):
    headers = agent.chat().headers
    assert headers["x-unsprawl-run"].startswith("run_")
    assert headers["x-unsprawl-entry"].startswith("ent_")
    assert headers["x-unsprawl-route"] == agent.route
    assert headers["x-unsprawl-model"] == "vendor-model-1"
    assert headers["x-request-id"]
    assert "x-unsprawl-error" not in headers


def test_intent_and_result_are_one_chain_of_the_run(agent):
    got = agent.chat()
    intent, result = agent.entries()
    assert (intent["kind"], intent["verb"]) == ("intent", "call.intended")
    assert (result["kind"], result["verb"]) == ("result", "call.completed")
    assert intent["id"] == got.headers["x-unsprawl-entry"] == result["intent"]
    assert intent["stream"] == result["stream"] == got.headers["x-unsprawl-run"]
    assert (intent["seq"], result["seq"]) == (1, 2)
    assert intent["facts"]["rule"] == "calls.allowed"
    assert intent["facts"]["bundle"].startswith("sha256:")
    assert result["facts"]["reported_model"] == "vendor-model-1-2026-01-01"
    assert (result["facts"]["input_tokens"], result["facts"]["output_tokens"]) == (9, 3)


def test_the_call_is_metered_and_priced(agent):
    agent.chat()
    (call,) = agent.calls()
    assert (call["status"], call["http_status"], call["streamed"]) == ("ok", 200, False)
    assert call["cost_micros"] == 9 * 1 + 3 * 2
    assert not call["usage_estimated"]


def test_the_intent_is_committed_before_the_vendor_is_asked(agent, vendor, world):
    committed: list[Any] = []

    async def look(seen: Seen, writer: Any) -> None:
        committed.extend(
            world.query("SELECT kind FROM ledger_entry WHERE agent_id = %s", agent.row.public_id)
        )
        await answer()(seen, writer)

    vendor.script = look
    assert agent.chat().status == 200
    assert committed == [("intent",)]


def test_unknown_fields_and_number_texts_reach_the_vendor_untouched(agent, vendor):
    raw = (
        b'{ "temperature":1.0e-2,"big":12345678901234567890, "model":"%s", "x":{"model":"inner"},'
        b'"messages":[{"role":"user","content":"\\u00e9\xc3\xa9 \\"model\\""}] }'
        % agent.route.encode()
    )
    assert agent.chat(raw).status == 200
    assert vendor.seen[0].body == raw.replace(agent.route.encode(), b"vendor-model-1")


def test_only_allowed_headers_cross_in_either_direction(agent, vendor):
    vendor.script = answer(
        None, 200, ("set-cookie", "a=b"), ("x-request-id", "req-9"), ("server", "x"),
        ("x-ratelimit-limit-requests", "7"), ("x-unsprawl-run", "run_forged"),
    )  # fmt: skip
    got = agent.chat(
        cookie="secret=1", x_api_key=agent.key, openai_beta="b", x_forwarded_for="1.1.1.1"
    )
    assert got.headers["x-request-id"] == "req-9"
    assert got.headers["x-ratelimit-limit-requests"] == "7"
    assert got.headers["x-unsprawl-run"] != "run_forged"
    assert not {"set-cookie", "server"} & got.headers.keys()
    assert {name for name, _ in vendor.seen[0].headers} == {
        "host", "content-type", "accept", "accept-encoding", "user-agent", "authorization",
        "openai-beta", "content-length",
    }  # fmt: skip
    assert agent.key not in str(vendor.seen[0].headers)


@pytest.mark.parametrize("status", [400, 404, 422, 429, 500, 503])
def test_a_vendors_error_passes_unreworded(agent, vendor, status):
    said = b'{"error": {"message":"as the vendor says it","code":"context_length_exceeded"} }'
    vendor.script = answer(None, status, ("retry-after", "7"), raw=said)
    got = agent.chat()
    assert (got.status, got.body, got.headers["retry-after"]) == (status, said, "7")
    assert "x-unsprawl-error" not in got.headers
    (call,) = agent.calls()
    assert (call["status"], call["http_status"]) == ("error", status)
    assert call["error_code"] == "context_length_exceeded"
    assert (call["input_tokens"], call["cost_micros"]) == (0, 0)


@pytest.mark.parametrize("said", [b"<html>oops", b"", b"[1]", b"null", b'{"a":', b"\xff\xfe"])
def test_a_vendor_that_answers_garbage_is_named_and_its_bytes_are_kept(agent, vendor, said):
    vendor.script = answer(raw=said)
    got = agent.chat()
    assert (got.status, got.code) == (502, "vendor_garbage")
    assert got.headers["x-unsprawl-error"] == "routing.vendor_garbage"
    result = agent.entries()[-1]
    assert (result["verb"], result["facts"]["status"]) == ("call.failed", "error")
    assert result["payload"]["size"] == len(said)


def test_a_redirect_is_not_followed_and_not_passed_on(agent, vendor):
    vendor.script = answer(None, 307, ("location", "http://127.0.0.1:1/steal"))
    got = agent.chat()
    assert (got.status, got.code) == (502, "vendor_redirected")
    assert "location" not in got.headers
    assert len(vendor.seen) == 1


def test_a_vendor_that_cannot_be_reached_is_named_and_recorded(agent, world):
    world.change(
        "UPDATE routing_vendor SET base_url = 'http://127.0.0.1:1/v1' WHERE public_id = %s",
        agent.vendor_id,
    )
    got = _until(agent.chat, 502)
    assert got.code == "vendor_unreachable"
    assert agent.entries()[-1]["facts"]["error"] == "vendor_unreachable"


def test_an_answer_cut_in_its_middle_is_not_passed_off_as_whole(agent, vendor):
    async def cut(seen: Seen, writer: Any) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{"
        )
        await writer.drain()
        writer.transport.abort()

    vendor.script = cut
    got = agent.chat()
    assert (got.status, got.code) == (502, "upstream_cut")
    assert agent.calls()[-1]["status"] == "incomplete"


def test_an_answer_past_every_measure_is_given_up(agent, vendor, monkeypatch):
    monkeypatch.setattr(exchange, "ANSWER_LIMIT", 10_000)
    vendor.script = answer(COMPLETION | {"padding": "x" * 10_000})
    got = agent.chat()
    assert (got.status, got.code) == (502, "upstream_cut")


def test_usage_that_is_not_reported_is_estimated_and_marked(agent, vendor):
    vendor.script = answer({name: value for name, value in COMPLETION.items() if name != "usage"})
    agent.chat()
    (call,) = agent.calls()
    assert call["usage_estimated"]
    assert call["input_tokens"] > 0
    assert call["output_tokens"] == 2


def test_a_price_that_is_unknown_is_not_zero(agent, world):
    world.change(
        f"UPDATE routing_model SET input_micros_per_mtok = NULL WHERE {OF_VENDOR}",
        agent.vendor_id,
    )
    agent.chat()
    assert _until_row(agent, lambda call: call["cost_micros"] is None)


def test_hostile_text_of_a_vendor_does_not_keep_the_entry_from_being_written(agent, vendor):
    vendor.script = answer(
        COMPLETION
        | {
            "model": "m\u0000\ud800\x1b[31m",
            "usage": {"prompt_tokens": 2**63, "completion_tokens": -1},
        }
    )
    assert agent.chat().status == 200
    assert agent.entries()[-1]["facts"]["reported_model"] == "m[31m"
    assert agent.calls()[-1]["usage_estimated"]


def test_a_large_call_and_a_large_answer_pass_whole(agent, vendor):
    text = "0123456789" * 300_000
    vendor.script = answer(COMPLETION | {"padding": text})
    got = agent.chat(BODY | {"messages": [{"role": "user", "content": text}]})
    assert got.json["padding"] == text
    assert vendor.seen[0].json["messages"][0]["content"] == text
    assert agent.entries()[1]["payload"]["size"] > 3_000_000


def test_calls_of_one_label_are_one_run_and_the_servers_id_finds_it_too(agent):
    first = agent.chat(x_unsprawl_run="nightly 7").headers["x-unsprawl-run"]
    assert agent.chat(x_unsprawl_run="nightly 7").headers["x-unsprawl-run"] == first
    assert agent.chat(x_unsprawl_run=first).headers["x-unsprawl-run"] == first
    assert agent.chat().headers["x-unsprawl-run"] != first
    entries = [entry for entry in agent.entries() if entry["stream"] == first]
    assert [entry["seq"] for entry in entries] == [1, 2, 3, 4, 5, 6]
    rows = agent.world.query("SELECT label FROM routing_run WHERE run_id = %s", first)
    assert rows == [("nightly 7",)]


def test_a_trace_names_a_run(agent):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    got = agent.chat(traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    rows = agent.world.query(
        "SELECT label FROM routing_run WHERE run_id = %s", got.headers["x-unsprawl-run"]
    )
    assert rows == [(trace,)]


@pytest.mark.parametrize("label", ["", " ", "x" * 201, "a\tb"])
def test_a_label_that_cannot_be_used_is_refused(agent, vendor, label):
    got = agent.chat(x_unsprawl_run=label)
    assert (got.status, got.code) == (400, "run_label_unusable")
    assert not vendor.seen


def test_a_price_for_cached_tokens_counts(agent, vendor, world):
    world.change(
        "UPDATE routing_model SET input_micros_per_mtok = 4000000,"
        " cached_input_micros_per_mtok = 1000000,"
        f" retires_on = '2027-01-14', deprecated_on = '2026-10-14' WHERE {OF_VENDOR}",
        agent.vendor_id,
    )
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 6},
    }
    vendor.script = answer(COMPLETION | {"usage": usage})
    assert _until_row(agent, lambda call: call["cost_micros"] == 4 * 4 + 6 * 1 + 1 * 2)
    headers = agent.chat().headers
    assert headers["sunset"] == "Thu, 14 Jan 2027 00:00:00 GMT"
    assert headers["deprecation"] == "@1791936000"


def test_json_of_the_answer_is_the_vendors_bytes(agent, vendor):
    said = json.dumps(COMPLETION, indent=3).encode() + b"\n"
    vendor.script = answer(raw=said)
    assert agent.chat().body == said


def _until(ask: Any, status: int) -> Any:
    got: list[Any] = []

    def asked() -> bool:
        got.append(ask())
        return bool(got[-1].status == status)

    eventually(asked)
    return got[-1]


def _until_row(agent: Any, holds: Any) -> bool:
    def called() -> bool:
        agent.chat()
        return bool(holds(agent.calls()[-1]))

    eventually(called)
    return True


def test_a_vendor_that_repeats_the_secret_is_not_repeated(agent, vendor, world):
    refusal = {"error": {"message": f"Incorrect API key: {SECRET}.", "code": SECRET}}
    vendor.script = answer(refusal, 401, ("x-request-id", SECRET))
    got = agent.chat()
    assert got.status == 401
    assert got.json["error"]["message"] == "Incorrect API key: [secret removed]."
    said = chunk_event(f"I was given {SECRET}", model=SECRET)
    vendor.script = stream([said, DONE])
    streamed = agent.chat(BODY | {"stream": True})
    assert b"I was given [secret removed]" in streamed.body
    kept = f"{got.headers}{streamed.headers}{streamed.body!r}{agent.entries()}{agent.calls()}"
    assert SECRET not in kept
