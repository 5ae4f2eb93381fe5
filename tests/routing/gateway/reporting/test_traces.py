"""Traces in OTLP: what tells of an agent's work is on record once, the rest is passed over."""

from __future__ import annotations

import gzip
import json
import secrets
import time

import pytest

from routing.gateway.reporting.unpacking import LIMIT
from tests.routing.gateway.conftest import Client
from tests.routing.gateway.detectors.samples import ANTHROPIC
from tests.routing.gateway.reporting.conftest import (
    attributes,
    batch,
    export,
    export_json,
    in_protobuf,
    new_trace,
    partial,
    reports,
    span,
    steps,
)
from tests.routing.gateway.scripted import COMPLETION, answer
from tests.routing.gateway.test_streams import open_payload

TOOL = {
    "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "crm.lookup",
    "gen_ai.tool.call.id": "call_1", "gen_ai.tool.call.arguments": '{"id": 7}',
    "gen_ai.tool.call.result": "Ada", "more": [1, 2.5, True, {"deep": "er"}],
}  # fmt: skip


@pytest.mark.parametrize("send", [export, export_json])
def test_a_span_of_a_tool_is_a_reported_step(agent, rig, send):
    one = span("execute_tool crm.lookup", said=TOOL, parentSpanId="00f067aa0ba902b7")
    got = send(agent, batch(one))
    assert got.status == 200, got.body
    [entry] = reports(agent)
    facts = entry["facts"]
    assert (entry["kind"], entry["verb"]) == ("report", "tool.reported")
    ours = {"started_at", "ended_at", "key"}
    assert {name: facts[name] for name in facts if name not in ours} == {
        "reported": True, "type": "tool", "source": "otlp", "name": "crm.lookup",
        "operation": "execute_tool", "tool_call_id": "call_1", "service": "biller",
        "instrumentation": "test 1", "duration_ms": 250, "parent": "00f067aa0ba902b7",
        "trace_id": one["traceId"], "span_id": one["spanId"],
    }  # fmt: skip
    assert json.loads(open_payload(rig, agent.world, entry)) == {
        "arguments": '{"id": 7}', "output": "Ada",
        "attributes": {
            name: TOOL[name]
            for name in (
                "gen_ai.operation.name", "gen_ai.tool.name", "gen_ai.tool.call.id", "more",
            )
        },
    }  # fmt: skip


def test_the_answers_are_what_exporters_read(agent):
    assert export(agent, batch(span())).body == b""
    assert export_json(agent, batch(span())).json == {}
    assert export(agent, b"").status == 200
    assert export(agent, batch(span()), packed=True).headers["content-type"] == (
        "application/x-protobuf"
    )


def test_a_span_that_comes_again_is_the_same_entry(agent):
    first, second = batch(span()), batch(span())
    for _ in range(3):
        assert export(agent, first).status == 200
    assert export(agent, second, packed=True).status == 200
    assert export_json(agent, second).status == 200
    assert len(reports(agent)) == 2
    twice = span()
    export(agent, batch(twice, twice))
    assert len(reports(agent)) == 3


def test_what_says_nothing_of_an_agents_work_is_passed_over(agent):
    web = {"http.request.method": "GET", "url.full": "http://x", "db.system.name": "postgresql"}
    got = export(agent, batch(span(said=web), span(said={}), span()))
    assert partial(got) == (0, "")
    assert len(reports(agent)) == 1


def test_a_trace_is_a_run_and_a_session_is_one_of_many_traces(agent):
    trace, other = new_trace(), new_trace()
    export(agent, batch(span(trace=trace), span(trace=trace), span(trace=other)))
    assert len({one["stream"] for one in reports(agent)}) == 2
    called = agent.chat(traceparent=f"00-{trace}-{secrets.token_hex(8)}-01")
    assert called.headers["x-unsprawl-run"] == reports(agent)[0]["stream"]
    session = {"openinference.span.kind": "CHAIN", "session.id": "chat 12"}
    first, second = new_trace(), new_trace()
    export(agent, batch(span(trace=first), span(said=session, trace=first)))
    export(agent, batch(span(said=session, trace=second)))
    # One that comes late and names no session goes where its trace is.
    export(agent, batch(span(trace=second)))
    assert len({one["stream"] for one in reports(agent)[3:]}) == 1
    assert (
        reports(agent)[-1]["stream"]
        == agent.chat(x_unsprawl_run="chat 12").headers["x-unsprawl-run"]
    )


def test_a_header_may_name_the_run_of_all(agent):
    export(agent, batch(span(), span()), x_unsprawl_run="nightly")
    assert {one["stream"] for one in reports(agent)} == {
        agent.chat(x_unsprawl_run="nightly").headers["x-unsprawl-run"]
    }
    assert export(agent, batch(span()), x_unsprawl_run="").status == 400


def test_a_session_that_can_be_no_label_is_left_aside(agent):
    bad = {"openinference.span.kind": "LLM", "session.id": "\n" * 5 + "x" * 300}
    one = span(said=bad)
    assert export(agent, batch(one)).status == 200
    assert (
        reports(agent)[0]["stream"]
        == agent.chat(traceparent=f"00-{one['traceId']}-{one['spanId']}-01").headers[
            "x-unsprawl-run"
        ]
    )


MODEL = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5", "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 30,
}  # fmt: skip


def test_a_model_call_elsewhere_is_reported_use_and_in_no_sum_of_ours(agent):
    export(agent, batch(span("chat gpt-5", said=MODEL)))
    [entry] = reports(agent)
    assert (entry["verb"], entry["facts"]["input_tokens"]) == ("model_call.reported", 1200)
    [step] = steps(agent)
    assert (step["model"], step["provider"], step["input_tokens"]) == ("gpt-5", "openai", 1200)
    assert (step["observed"], agent.calls()) == ("", [])


def test_a_call_that_the_gateway_saw_is_tied_to_it_by_its_answer(agent, vendor):
    vendor.script = answer(COMPLETION | {"id": "chatcmpl-seen"})
    called = agent.chat()
    export(agent, batch(span(said=MODEL | {"gen_ai.response.id": "chatcmpl-seen"})))
    export(agent, batch(span(said=MODEL | {"gen_ai.response.id": "chatcmpl-other"})))
    tied, other = reports(agent)
    assert tied["facts"]["observed"] == called.headers["x-unsprawl-entry"]
    assert "observed" not in other["facts"]
    assert [one["observed"] for one in steps(agent)] == [called.headers["x-unsprawl-entry"], ""]
    # Its run works for the one that the step is in.
    links = agent.world.query(
        "SELECT child_run FROM routing_runlink WHERE parent_run = %s", tied["stream"]
    )
    assert links == [(called.headers["x-unsprawl-run"],)]


def test_a_call_that_the_gateway_saw_is_tied_to_it_by_its_span(agent):
    trace = new_trace()
    around = span("chat", said=MODEL, trace=trace)
    web = span("POST", said={"http.request.method": "POST"}, trace=trace, kind=3,
               parentSpanId=around["spanId"])  # fmt: skip
    called = agent.chat(traceparent=f"00-{trace}-{web['spanId']}-01")
    export(agent, batch(web, around))
    [entry] = reports(agent)
    assert entry["facts"]["observed"] == called.headers["x-unsprawl-entry"]
    assert entry["stream"] == called.headers["x-unsprawl-run"]


def test_another_agents_call_is_nobodys_to_be_tied_to(make_agent, vendor):
    one, other = make_agent(), make_agent()
    vendor.script = answer(COMPLETION | {"id": "chatcmpl-theirs"})
    other.chat()
    export(one, batch(span(said=MODEL | {"gen_ai.response.id": "chatcmpl-theirs"})))
    assert "observed" not in reports(one)[0]["facts"]


def test_times_that_cannot_be_are_no_times(agent):
    day = 86_400 * 10**9
    export(agent, batch(
        span(endTimeUnixNano="0"), span(startTimeUnixNano="0", endTimeUnixNano="0"),
        span(startTimeUnixNano=str(2**64 - 1), endTimeUnixNano=str(2**64 - 1)),
        span(endTimeUnixNano=str(time.time_ns() + day)),
    ))  # fmt: skip
    never, without, beyond, ahead = [one["facts"] for one in reports(agent)]
    assert ("ended_at" in never, "duration_ms" in never) == (False, False)
    assert "started_at" not in without
    assert (beyond["started_at"][:4], beyond["clock_doubtful"]) == ("2554", True)
    assert ahead["clock_doubtful"] is True


def test_spans_without_ids_are_counted_and_the_others_kept(agent):
    nameless = [span(traceId="00" * 16), span(spanId="ab"), span(spanId="00" * 8)]
    got = export(agent, batch(*nameless, span()))
    assert partial(got) == (3, "Some spans have no trace_id or no span_id.")
    told = export_json(agent, batch(span(traceId="x"))).json["partialSuccess"]
    assert told["rejectedSpans"] == "1"
    assert len(reports(agent)) == 1


def test_errors_have_their_type_and_its_words_are_payload(agent, rig):
    one = span(
        said=TOOL,
        status={"code": 2, "message": "the customer is unknown"},
        events=[
            {
                "name": "exception",
                "timeUnixNano": "1",
                "attributes": attributes({"exception.type": "KeyError"}),
            }
        ],
    )
    export(agent, batch(one))
    [entry] = reports(agent)
    assert (entry["facts"]["status"], entry["facts"]["error"]) == ("error", "KeyError")
    kept = json.loads(open_payload(rig, agent.world, entry))
    assert kept["status_message"] == "the customer is unknown"
    assert kept["events"][0]["attributes"] == {"exception.type": "KeyError"}


# --- hostile


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "text/plain"}, 415), ({"content_type": ""}, 415),
        ({"content_encoding": "zstd"}, 415), ({"content_encoding": "deflate"}, 415),
    ],
)  # fmt: skip
def test_other_encodings_are_not_taken(agent, headers, status):
    assert export(agent, batch(span()), **headers).status == status


@pytest.mark.parametrize("key", ["", "usp_no", "Basic x"])
def test_without_an_agents_key_no_span_is_taken(served, key):
    got = export(Client(served.port, key), batch(span()))
    assert (got.status, got.headers["content-type"]) == (401, "application/x-protobuf")
    assert b"routing.key_" in got.body


@pytest.mark.parametrize(
    "body",
    [
        b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05\x12", b"\x00\x00", b"\x0f", b"\x0c",
        b"\x0a" + b"\x80" * 11 + b"\x01", b"\x0b" * 100, b"garbage of any length",
    ],
)  # fmt: skip
def test_bytes_that_are_no_spans_are_refused_for_good(agent, body):
    assert export(agent, body).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[", b"[]", b"null", b"{", b'{"resourceSpans": 7}', b'{"resourceSpans": [7]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [7]}]}]}', b'{"a": 1} {}', b'{"a": 1,}',
        b'{"resourceSpans": [' + b"[" * 200_000, b'{"x": ' + b'{"a":' * 100_000,
    ],
)  # fmt: skip
def test_json_that_is_no_spans_is_refused_for_good(agent, body):
    got = export_json(agent, body)
    assert (got.status, got.json["code"]) == (400, 3)


def test_unknown_members_are_passed_over(agent):
    one = span() | {"flags": 1, "links": [{"traceId": "zz"}], "new": {"deep": [1]}}
    document = batch(one) | {"partial": None, "resource_logs": [1, {"x": "y"}]}
    document["resourceSpans"][0]["schemaUrl"] = "https://x"
    assert export_json(agent, document).json == {}
    # A field of each wire type that OTLP does not have, groups among them.
    unknown = b"\xf8\x07\x01" + b"\xf9\x07" + b"x" * 8 + b"\xfa\x07\x02xx" + b"\xfd\x07xxxx"
    group = b"\xfb\x07\x08\x01\x13\x14\xfc\x07"
    assert export(agent, unknown + group + in_protobuf(batch(span()))).status == 200
    assert len(reports(agent)) == 2


def test_a_zip_bomb_is_told_before_it_fills_anything(agent):
    bomb = gzip.compress(b"\0" * (200 * 1024 * 1024))
    got = export(agent, bomb, content_encoding="gzip")
    assert got.status == 413
    twice = gzip.compress(bomb)
    assert export(agent, twice, content_encoding="gzip").status == 400
    assert export(agent, bomb[:1000], content_encoding="gzip").status in {400, 413}
    assert export(agent, b"no gzip", content_encoding="gzip").status == 400
    assert export(agent, b"x" * (LIMIT + 1)).status == 413


def test_attributes_without_end_are_cut_and_say_so(agent, rig):
    many = {f"a{number}": "x" * 50 for number in range(50_000)} | TOOL
    assert export(agent, batch(span(said=TOOL | many))).status == 200
    deep: object = "x"
    for _ in range(90):
        deep = {"d": deep}
    got = export_json(agent, batch(span(said=TOOL | {"deep": deep})))
    assert got.status == 200, got.body
    long = span(said=TOOL | {"input.value": "word " * 1_000_000})
    assert export(agent, batch(long)).status == 200
    assert export(agent, batch(span(events=[{"name": "e"}] * 5000))).status == 200
    for entry in reports(agent):
        assert entry["facts"]["payload_cut"] is True
        assert entry["payload"]["size"] < 1_100_000
    assert len(reports(agent)) == 4


def test_text_that_is_no_utf8_and_signs_that_are_none_spoil_nothing(agent, rig):
    raw = in_protobuf(batch(span("bad-name-here", said=TOOL | {"x": "marker-x"})))
    raw = raw.replace(b"marker-x", b"\xff\xfe\x00\xc3arke").replace(b"Ada", b"\xff\x00a")
    assert export(agent, raw).status == 200
    named = TOOL | {"gen_ai.tool.name": "a\x00b\nc\u202ed", "gen_ai.response.id": "\x00"}
    assert export_json(agent, batch(span(said=named))).status == 200
    model = MODEL | {"gen_ai.response.id": "\x00", "session.id": "\x00"}
    assert export(agent, batch(span(said=model))).status == 200
    assert len(reports(agent)) == 3
    assert reports(agent)[1]["facts"]["name"] == "abcd"


def test_credentials_in_spans_are_recorded_nowhere(agent, rig):
    said = TOOL | {
        "gen_ai.tool.name": f"t {ANTHROPIC}", "gen_ai.tool.call.arguments": agent.key,
        "http.request.header.authorization": [f"Bearer {agent.key}"], "error.type": ANTHROPIC,
        "session.id": f"s {ANTHROPIC}",
    }  # fmt: skip
    export(agent, batch(span(said=said, status={"code": 2, "message": ANTHROPIC})))
    [entry] = reports(agent)
    rows = agent.world.query("SELECT label FROM routing_run WHERE run_id = %s", entry["stream"])
    kept = open_payload(rig, agent.world, entry).decode()
    for place in (json.dumps(entry), kept, json.dumps(steps(agent)), str(rows)):
        assert ANTHROPIC not in place
        assert agent.key not in place


def test_more_spans_than_a_request_may_have_are_counted(agent):
    web = {"http.request.method": "GET"}
    one = in_protobuf(batch(span(said=web)))
    got = export(agent, one * 20_100)
    assert (got.status, partial(got)[0]) == (200, 100)
