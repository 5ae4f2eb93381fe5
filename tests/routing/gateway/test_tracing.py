"""Traces: one span for a call, one for each attempt, and never a call that waits for them."""

from __future__ import annotations

import re
import time

import pytest
from psycopg.types.json import Jsonb

from bench.gateway.rig import GatewayChild
from tests.ports import free_port
from tests.routing.gateway.collector import collecting
from tests.routing.gateway.conftest import BODY, Client, eventually
from tests.routing.gateway.scripted import SECRET, answer, stream

pytestmark = pytest.mark.slow

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
CANARY = "canary-words-of-a-prompt-7c1f"


@pytest.fixture(scope="module")
def collector():
    with collecting() as made:
        yield made


@pytest.fixture(scope="module")
def traced(rig, collector, tmp_path_factory):
    """Yield a gateway in a process of its own that sends its spans to the collector."""
    child = GatewayChild(
        rig,
        free_port(),
        tmp_path_factory.mktemp("traced") / "log",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.port}",
        OTEL_EXPORTER_OTLP_HEADERS="x-collector-key=very%20secret",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
        OTEL_BSP_SCHEDULE_DELAY="50",
    )
    child.wait_ready()
    yield child
    child.stop()


@pytest.fixture
def traced_agent(traced, make_agent):
    return make_agent(traced.port)


def spans_of(collector, trace):
    eventually(lambda: any(_is_call(one) for one in _of(collector, trace)))
    return _of(collector, trace)


def _of(collector, trace):
    return [one for one in collector.spans() if one["traceId"] == trace]


def _is_call(span):
    return span["kind"] == 2


def test_a_call_is_a_span_under_the_agents_and_an_attempt_one_under_that(
    traced_agent, collector, vendor
):
    got = traced_agent.chat(traceparent=TRACEPARENT, tracestate="a=b")
    attempt, call = sorted(spans_of(collector, TRACE), key=_is_call)
    assert (call["parentSpanId"], attempt["parentSpanId"]) == (PARENT, call["spanId"])
    assert call["traceState"] == "a=b"
    assert call["name"] == f"chat {traced_agent.route}"
    assert attempt["name"] == "chat vendor-model-1"
    assert call["said"]["unsprawl.run"] == got.headers["x-unsprawl-run"]
    said = attempt["said"]
    assert said == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": traced_agent.vendor_id.replace("_", "-"),
        "gen_ai.request.model": "vendor-model-1",
        "gen_ai.request.stream": False,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "vendor-model-1-2026-01-01",
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.agent.id": traced_agent.row.public_id,
        "gen_ai.conversation.id": got.headers["x-unsprawl-run"],
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": vendor.port,
        "unsprawl.vendor": said["unsprawl.vendor"],
        "unsprawl.route": traced_agent.route,
        "unsprawl.entry": got.headers["x-unsprawl-entry"],
        "unsprawl.attempt": 1,
    } | {name: value for name, value in said.items() if name == "unsprawl.first_byte_ms"}
    assert int(call["startTimeUnixNano"]) <= int(attempt["startTimeUnixNano"])
    assert int(attempt["endTimeUnixNano"]) <= int(call["endTimeUnixNano"])
    for entry in traced_agent.entries():
        facts = entry["facts"]
        assert (facts["trace_id"], facts["span_id"]) == (TRACE, attempt["spanId"])


def test_the_resource_and_the_collectors_key_are_as_told(traced_agent, collector, vendor):
    before = len(collector.bodies)
    traced_agent.chat()
    eventually(lambda: len(collector.bodies) > before)
    (resource,) = collector.bodies[-1]["resourceSpans"]
    said = {one["key"]: one["value"]["stringValue"] for one in resource["resource"]["attributes"]}
    assert said["service.name"] == "unsprawl-gateway"
    assert said["deployment.environment.name"] == "test"
    assert collector.headers[-1]["path"] == "/v1/traces"
    assert collector.headers[-1]["x-collector-key"] == "very secret"


def test_a_call_without_a_trace_begins_one(traced_agent, collector, vendor):
    vendor.script = stream()
    traced_agent.stream()
    (trace,) = {entry["facts"]["trace_id"] for entry in traced_agent.entries()}
    assert re.fullmatch("[0-9a-f]{32}", trace)
    spans = spans_of(collector, trace)
    assert ["parentSpanId" in one for one in sorted(spans, key=_is_call)] == [True, False]


@pytest.mark.parametrize(
    "said",
    ["", "00-abc", f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-zz-01"],
)
def test_what_is_no_traceparent_is_as_if_it_were_not_there(traced_agent, vendor, said):
    assert traced_agent.chat(traceparent=said).status == 200
    assert traced_agent.entries()[0]["facts"]["trace_id"] != TRACE


def test_a_trace_that_its_beginner_does_not_keep_is_not_sent(traced_agent, collector, vendor):
    trace = "a" * 32
    traced_agent.chat(traceparent=f"00-{trace}-{PARENT}-00")
    traced_agent.chat(traceparent=f"00-{'b' * 32}-{PARENT}-01")
    spans_of(collector, "b" * 32)
    assert _of(collector, trace) == []
    assert traced_agent.entries()[0]["facts"]["trace_id"] == trace


def test_an_error_is_named_on_both_spans(traced_agent, collector, vendor):
    vendor.script = answer({"error": {"type": CANARY, "message": CANARY}}, 529)
    trace = "c" * 32
    traced_agent.chat(traceparent=f"00-{trace}-{PARENT}-01")
    spans = spans_of(collector, trace)
    assert [one["said"]["error.type"] for one in spans] == ["vendor_error", "vendor_error"]
    assert [one["status"]["code"] for one in spans] == [2, 2]


def test_a_refusal_is_a_span_with_its_code(traced, collector):
    trace = "d" * 32
    Client(traced.port, "usp_wrong").chat(traceparent=f"00-{trace}-{PARENT}-01")
    (span,) = spans_of(collector, trace)
    assert span["said"]["error.type"] == "routing.key_malformed"
    assert span["said"]["http.response.status_code"] == 401


def test_each_attempt_has_a_span_of_its_own(traced_agent, collector, vendor, world):
    pk, _ = world.add_vendor("http://127.0.0.1:9/v1", secret=SECRET)
    world.change(
        "UPDATE routing_routetarget SET priority = 1 WHERE route_id ="
        " (SELECT id FROM routing_route WHERE name = %s)",
        traced_agent.route,
    )
    world.change(
        "INSERT INTO routing_routetarget (route_id, model_id, region, weight, priority)"
        " SELECT id, %s, '', 100, 0 FROM routing_route WHERE name = %s",
        world.add_model(pk, "gone-model"),
        traced_agent.route,
    )
    eventually(lambda: "x-unsprawl-fallback" in traced_agent.chat().headers)
    trace = "e" * 32
    traced_agent.chat(traceparent=f"00-{trace}-{PARENT}-01")
    attempts = [one for one in spans_of(collector, trace) if not _is_call(one)]
    said = [(one["said"]["unsprawl.attempt"], one["said"].get("error.type")) for one in attempts]
    assert said == [(1, "vendor_unreachable"), (2, None)]


def test_no_span_has_a_word_of_a_body_or_a_secret(traced_agent, collector, vendor):
    body = BODY | {"messages": [{"role": "user", "content": CANARY}], "user": CANARY}
    trace = "f" * 32
    traced_agent.chat(body, traceparent=f"00-{trace}-{PARENT}-01", user_agent=CANARY)
    spans_of(collector, trace)
    everything = b"".join(collector.raw).decode()
    for secret in (CANARY, traced_agent.key, SECRET, "Hello.", "very secret"):
        assert secret not in everything


def test_vendors_learn_of_the_trace_only_where_the_route_says_so(
    traced_agent, collector, vendor, world
):
    traced_agent.chat(traceparent=TRACEPARENT, tracestate="a=b")
    assert vendor.seen[-1].header("traceparent") is None
    assert vendor.seen[-1].header("tracestate") is None
    world.change(
        "UPDATE routing_route SET options = %s WHERE name = %s",
        Jsonb({"send_trace": True}),
        traced_agent.route,
    )

    def is_told() -> bool:
        traced_agent.chat(traceparent=TRACEPARENT, tracestate="a=b")
        return vendor.seen[-1].header("traceparent") is not None

    eventually(is_told)
    span = traced_agent.entries()[-1]["facts"]["span_id"]
    assert vendor.seen[-1].header("traceparent") == f"00-{TRACE}-{span}-01"
    assert vendor.seen[-1].header("tracestate") == "a=b"


def test_a_collector_that_is_gone_holds_up_no_call_and_what_is_lost_is_counted(
    rig, make_agent, vendor, tmp_path
):
    child = GatewayChild(
        rig,
        free_port(),
        tmp_path / "log",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="http://127.0.0.1:9/here",
        OTEL_BSP_SCHEDULE_DELAY="600000",
        OTEL_BSP_MAX_QUEUE_SIZE="4",
    )
    try:
        child.wait_ready()
        agent = make_agent(child.port)
        started = time.monotonic()
        assert [agent.chat().status for _ in range(10)] == [200] * 10
        assert time.monotonic() - started < 60
        figures = Client(child.port).ask("GET", "/metrics").body.decode()
        dropped = re.search(r'spans\{outcome="dropped"\} (\S+)', figures)
        assert dropped is not None
        assert float(dropped[1]) >= 16
        started = time.monotonic()
        child.stop()
        assert time.monotonic() - started < 60  # it would try again for 600 s
    finally:
        child.kill()


def test_without_a_collector_an_agents_trace_is_on_record_all_the_same(agent, vendor):
    agent.chat(traceparent=TRACEPARENT)
    agent.chat()
    facts = [entry["facts"] for entry in agent.entries() if entry["kind"] == "intent"]
    assert facts[0]["trace_id"] == TRACE
    assert "trace_id" not in facts[1]
