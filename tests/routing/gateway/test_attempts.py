"""Routes that survive vendors: when a call goes on, where to, and what stays on record."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from kernel import clock
from tests.routing.gateway.conftest import BODY, Agent, ServedGateway, eventually
from tests.routing.gateway.scripted import (
    COMPLETION,
    DONE,
    STREAM,
    Script,
    ScriptedVendor,
    Seen,
    answer,
    chunk_event,
    stream,
)

SAID = b'{"error": {"message":"as the vendor says it","code":"rate_limited"} }'
STOP = "UPDATE routing_vendor SET disabled_at = now() WHERE public_id = %s"


async def silent(seen: Seen, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def hang_up(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def saying(*scripts: Script) -> Script:
    """Do another thing at each call, the last one from then on."""
    left = list(scripts)

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(seen, writer)

    return script


@dataclass
class Pair(Agent):
    """An agent with a route of two targets, one after the other."""

    other_id: str = ""
    models: tuple[int, int] = (0, 0)

    def facts(self, kind: str) -> list[dict[str, Any]]:
        return [entry["facts"] for entry in self.entries() if entry["kind"] == kind]


@pytest.fixture
def make_pair(
    served: ServedGateway, world: Any, vendor: ScriptedVendor, other: ScriptedVendor
) -> Callable[..., Pair]:
    def make(first_url: str = "", other_classes: tuple[str, ...] = ("internal",), **options: Any):
        first, vendor_id = world.add_vendor(first_url or vendor.base_url)
        second, other_id = world.add_vendor(other.base_url, data_classes=other_classes)
        models = world.add_model(first, "first-1"), world.add_model(second, "second-1")
        route = f"route-{vendor_id}"
        world.add_route(route, *models, options=options)
        row = world.add_agent(routes=[route])
        pair = Pair(served.port, row.key)
        pair.world, pair.row, pair.route, pair.vendor_id = world, row, route, vendor_id
        pair.other_id, pair.models = other_id, models
        pair.wait_until_known()
        return pair

    return make


# --- going on


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
def test_another_target_serves_what_the_first_refuses(make_pair, vendor, other, status):
    pair = make_pair()
    vendor.script = answer(None, status, ("retry-after", "7"), raw=SAID)
    got = pair.chat()
    assert (got.status, got.json) == (200, COMPLETION)
    assert "retry-after" not in got.headers
    assert got.headers["x-unsprawl-model"] == "second-1"
    assert got.headers["x-unsprawl-fallback"] == f"1;reason=http_{status}"
    assert other.seen[0].json == BODY | {"model": "second-1"}
    assert (len(vendor.seen), len(other.seen)) == (1, 1)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (hang_up, "upstream_cut"),
        (answer(raw=b"<html>"), "vendor_garbage"),
        (answer(None, 302, ("location", "/x")), "vendor_redirected"),
        (stream([], cut=True), "upstream_cut"),
    ],
    ids=["hangs up", "garbage", "redirect", "stream without an event"],
)
def test_another_target_serves_what_the_first_breaks(make_pair, vendor, script, reason):
    pair = make_pair()
    vendor.script = script
    got = pair.chat()
    assert (got.status, got.headers["x-unsprawl-fallback"]) == (200, f"1;reason={reason}")


def test_a_vendor_that_cannot_be_reached_is_fallen_back_from(make_pair):
    got = make_pair("http://127.0.0.1:1/v1").chat()
    assert got.status == 200
    assert got.headers["x-unsprawl-fallback"] == "1;reason=vendor_unreachable"


def test_each_attempt_has_its_own_intent_and_result(make_pair, vendor):
    pair = make_pair()
    vendor.script = answer(None, 503, raw=SAID)
    got = pair.chat()
    entries = pair.entries()
    assert [entry["kind"] for entry in entries] == ["intent", "result", "intent", "result"]
    assert [entry["seq"] for entry in entries] == [1, 2, 3, 4]
    assert len({entry["stream"] for entry in entries}) == 1
    facts = [entry["facts"] for entry in entries]
    assert {each["call"] for each in facts} == {entries[0]["id"]}
    assert [each["attempt"] for each in facts] == [1, 1, 2, 2]
    assert [each["model"] for each in facts] == ["first-1"] * 2 + ["second-1"] * 2
    assert (facts[1]["status"], facts[1]["http_status"]) == ("error", 503)
    assert facts[1]["error"] == "rate_limited"
    assert [each.get("fallback_reason") for each in facts] == [None, None, *["http_503"] * 2]
    assert [each.get("rule") for each in facts[::2]] == ["calls.allowed"] * 2
    assert got.headers["x-unsprawl-entry"] == entries[2]["id"] == entries[3]["intent"]
    rows = pair.calls()
    assert [(row["model"], row["status"]) for row in rows] == [
        ("first-1", "error"),
        ("second-1", "ok"),
    ]
    assert [(row["call_id"], row["attempt"]) for row in rows] == [("", 1), (entries[0]["id"], 2)]
    assert [row["fallback_reason"] for row in rows] == ["", "http_503"]


def test_a_call_that_the_first_target_serves_says_nothing_of_falling_back(make_pair, other):
    pair = make_pair()
    got = pair.chat()
    assert "x-unsprawl-fallback" not in got.headers
    intent, result = (entry["facts"] for entry in pair.entries())
    assert (intent["attempt"], result["attempt"]) == (1, 1)
    assert "fallback_reason" not in intent
    assert not other.seen


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_what_another_vendor_would_refuse_too_is_passed_on_at_once(
    make_pair, vendor, other, status
):
    pair = make_pair()
    vendor.script = answer(None, status, raw=SAID)
    got = pair.chat()
    assert (got.status, got.body) == (status, SAID)
    assert not other.seen


def test_a_route_says_what_it_falls_back_on(make_pair, vendor, other):
    never, gone = make_pair(fallback_on=[]), make_pair(fallback_on=["404"])
    vendor.script = answer(None, 500, raw=SAID)
    assert (never.chat().status, gone.chat().status) == (500, 500)
    vendor.script = answer(None, 404, raw=SAID)
    assert (never.chat().status, gone.chat().status) == (404, 200)
    assert len(other.seen) == 1


def test_when_all_fail_the_last_error_passes_unreworded(make_pair, vendor, other):
    pair = make_pair()
    vendor.script = answer(None, 500)
    other.script = answer(None, 429, ("retry-after", "7"), ("x-request-id", "req-2"), raw=SAID)
    got = pair.chat()
    assert (got.status, got.body, got.headers["retry-after"]) == (429, SAID, "7")
    assert got.headers["x-request-id"] == "req-2"
    assert got.headers["x-unsprawl-model"] == "second-1"
    assert got.headers["x-unsprawl-fallback"] == "1;reason=http_500"
    assert "x-unsprawl-error" not in got.headers
    assert (len(vendor.seen), len(other.seen)) == (1, 1)
    assert [row["status"] for row in pair.calls()] == ["error", "error"]


# --- streams


def test_a_stream_falls_back_before_its_first_event_and_never_after(make_pair, vendor, other):
    pair = make_pair()
    other.script = stream()
    vendor.script = stream([], cut=True)
    got = pair.stream()
    assert (got.status, got.body) == (200, STREAM[0] + STREAM[1] + DONE)
    assert got.headers["x-unsprawl-model"] == "second-1"
    vendor.script = stream([STREAM[0]], cut=True)
    got = pair.stream()
    assert got.headers["x-unsprawl-model"] == "first-1"
    assert got.body.startswith(STREAM[0])
    assert b"upstream_cut" in got.body
    assert len(other.seen) == 1


def test_a_stream_that_begins_with_an_error_falls_back(make_pair, vendor, other):
    pair = make_pair()
    said = b'data: {"error":{"message":"overloaded","code":"overloaded"}}\n\n'
    vendor.script, other.script = stream([said]), stream()
    got = pair.stream()
    assert (got.status, got.body) == (200, STREAM[0] + STREAM[1] + DONE)
    assert got.headers["x-unsprawl-fallback"] == "1;reason=stream_error"
    assert pair.facts("result")[0]["error"] == "overloaded"
    vendor.script = answer(None, 500)
    other.script = stream([said])
    assert pair.stream().body == said


def test_an_error_after_the_first_event_is_the_end(make_pair, vendor, other):
    said = b'data: {"error":{"message":"overloaded","code":"overloaded"}}\n\n'
    vendor.script = stream([STREAM[0], said], pause=0.1)
    assert make_pair().stream().body == STREAM[0] + said
    assert not other.seen


# --- time


@pytest.mark.parametrize("streamed", [False, True])
def test_a_target_that_is_silent_for_too_long_is_fallen_back_from(make_pair, vendor, streamed):
    pair = make_pair(first_byte_ms=150)
    vendor.script = silent
    started = time.monotonic()
    got = pair.chat(BODY | {"model": "sandbox", "stream": streamed})
    assert got.headers["x-unsprawl-fallback"] == "1;reason=vendor_slow"
    assert time.monotonic() - started < 20  # the vendor would be silent for 60 s
    assert vendor.seen[0].left_early.wait(30)


def test_an_attempt_that_may_have_been_billed_has_a_cost(make_pair, vendor):
    pair = make_pair(first_byte_ms=150)
    vendor.script = silent
    pair.chat()
    slow, served = pair.calls()
    assert (slow["status"], slow["usage_estimated"]) == ("error", True)
    assert slow["cost_micros"] > 0
    assert not served["usage_estimated"]


def test_a_target_has_a_time_out_of_its_own(make_pair, vendor):
    pair = make_pair(first_byte_ms=50_000)
    give_up_first_after(150, pair)
    vendor.script = silent
    started = time.monotonic()
    assert pair.chat().headers["x-unsprawl-fallback"] == "1;reason=vendor_slow"
    assert time.monotonic() - started < 20


def give_up_first_after(milliseconds: int, pair: Pair) -> None:
    pair.world.change(
        "UPDATE routing_routetarget SET first_byte_ms = %s WHERE model_id = %s",
        milliseconds,
        pair.models[0],
    )
    pair.catch_up()


def test_the_deadline_is_of_the_call_and_not_of_each_attempt(make_pair, vendor, other):
    pair = make_pair(first_byte_ms=50_000, deadline_ms=2500)
    give_up_first_after(200, pair)
    vendor.script = other.script = silent
    started = time.monotonic()
    got = pair.chat()
    assert (got.status, got.code) == (504, "vendor_slow")
    assert 2.4 < time.monotonic() - started < 20
    assert (len(vendor.seen), len(other.seen)) == (1, 1)


def test_past_the_deadline_no_other_is_tried(make_pair, vendor, other):
    pair = make_pair(deadline_ms=200)
    vendor.script = silent
    assert pair.chat().status == 504
    assert not other.seen


# --- the same target again


def test_a_target_is_tried_again_only_when_told(make_pair, vendor, other):
    pair = make_pair(retries=2)
    vendor.script = saying(answer(None, 500), hang_up, answer())
    got = pair.chat()
    assert (got.status, got.headers["x-unsprawl-model"]) == (200, "first-1")
    assert got.headers["x-unsprawl-fallback"] == "2;reason=upstream_cut"
    assert (len(vendor.seen), len(other.seen)) == (3, 0)
    assert [facts["attempt"] for facts in pair.facts("intent")] == [1, 2, 3]
    vendor.script = answer(None, 500)
    assert pair.chat().headers["x-unsprawl-model"] == "second-1"
    assert (len(vendor.seen), len(other.seen)) == (6, 1)


def test_a_short_wish_to_wait_is_honoured_and_a_long_one_is_not_waited_for(make_pair, vendor):
    pair = make_pair(retries=1)
    vendor.script = saying(answer(None, 429, ("retry-after-ms", "400")), answer())
    started = time.monotonic()
    assert pair.chat().headers["x-unsprawl-model"] == "first-1"
    assert time.monotonic() - started >= 0.4
    vendor.script = answer(None, 429, ("retry-after", "60"))
    started = time.monotonic()
    assert pair.chat().headers["x-unsprawl-model"] == "second-1"
    assert time.monotonic() - started < 30
    assert len(vendor.seen) == 3


# --- every attempt is decided anew


def test_no_attempt_goes_where_policy_does_not_allow(make_pair, vendor, other):
    pair = make_pair(other_classes=("public",))
    vendor.script = answer(None, 503, raw=SAID)
    got = pair.chat()
    assert (got.status, got.body) == (503, SAID)
    assert not other.seen
    intent, _, decision = pair.entries()
    assert decision["kind"] == "decision"
    assert decision["facts"]["call"] == intent["id"]
    assert decision["facts"]["model"] == "second-1"
    assert [row["status"] for row in pair.calls()] == ["error"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ("UPDATE registry_agentkey SET revoked_at = now() WHERE agent_id = %s", 401),
        ("UPDATE registry_agent SET suspended_at = now() WHERE id = %s", 403),
    ],
    ids=["key revoked", "agent suspended"],
)
def test_what_was_revoked_meanwhile_makes_no_other_attempt(
    make_pair, vendor, other, change, status
):
    pair = make_pair()
    got = _meanwhile(pair, vendor, change, pair.row.pk)
    assert got.status == status
    assert not other.seen


def _meanwhile(pair: Pair, vendor: ScriptedVendor, change: str, *values: Any) -> Any:
    """Change something while the first target is silent, and return what the agent got."""
    vendor.script = silent
    got: list[Any] = []
    caller = threading.Thread(target=lambda: got.append(pair.chat()))
    caller.start()
    eventually(lambda: bool(vendor.seen))
    pair.world.change(change, *values)
    caller.join(60)
    return got[0]


def test_a_vendor_stopped_while_it_is_waited_for_is_left_for_another(make_pair, vendor):
    pair = make_pair()
    got = _meanwhile(pair, vendor, STOP, pair.vendor_id)
    assert got.status == 200
    assert got.headers["x-unsprawl-fallback"] == "1;reason=vendor_stopped"


def test_a_target_stopped_meanwhile_is_not_fallen_back_to(make_pair, vendor, other):
    pair = make_pair()
    stopped = threading.Event()

    async def fail_once_stopped(seen: Seen, writer: asyncio.StreamWriter) -> None:
        while not stopped.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await answer(None, 503, raw=SAID)(seen, writer)

    vendor.script = fail_once_stopped
    with ThreadPoolExecutor(1) as caller:
        called = caller.submit(pair.chat)
        eventually(lambda: bool(vendor.seen))
        pair.world.change(STOP, pair.other_id)
        pair.catch_up()
        stopped.set()
        got = called.result()
    assert (got.status, got.body) == (503, SAID)
    assert not other.seen


def test_a_client_that_left_is_not_served_elsewhere(make_pair, vendor, other):
    pair = make_pair(first_byte_ms=50_000)
    vendor.script = silent
    line = http.client.HTTPConnection("127.0.0.1", pair.port, timeout=30)
    raw = json.dumps(BODY | {"model": pair.route}).encode()
    line.request("POST", "/v1/chat/completions", raw, {"authorization": f"Bearer {pair.key}"})
    eventually(lambda: bool(vendor.seen))
    line.close()
    assert vendor.seen[0].left_early.wait(30)
    eventually(lambda: [row["status"] for row in pair.calls()] == ["cancelled"])
    assert not other.seen


def test_a_vendor_without_a_secret_is_passed_over(make_pair, vendor):
    pair = make_pair()
    pair.world.change(
        "UPDATE credentials_secret SET retired_at = now() WHERE holder = %s",
        f"vendor:{pair.vendor_id}",
    )
    eventually(lambda: pair.chat().headers["x-unsprawl-model"] == "second-1")
    named = pair.facts("intent")[-1]["passed_over"]
    assert named == [f"{pair.vendor_id.replace('_', '-')}/first-1: vendor_not_ready"]


# --- targets that are left alone


def metrics(pair: Pair) -> str:
    return pair.ask("GET", "/metrics").body.decode()


def test_a_target_that_keeps_failing_is_left_alone_and_said_so(make_pair, vendor, other):
    pair = make_pair()
    vendor.script = answer(None, 500)
    for _ in range(5):
        assert pair.chat().headers["x-unsprawl-fallback"] == "1;reason=http_500"
    got = pair.chat()
    assert got.headers["x-unsprawl-fallback"] == "1;reason=breaker_open"
    assert (len(vendor.seen), len(other.seen)) == (5, 6)
    intent = pair.facts("intent")[-1]
    name = pair.vendor_id.replace("_", "-")
    assert intent["passed_over"] == [f"{name}/first-1: breaker_open"]
    assert (intent["attempt"], intent["fallback_reason"]) == (1, "breaker_open")
    state = f'breaker_state{{model="first-1",region="",vendor="{name}"}} 2.0'
    assert state in metrics(pair)
    assert f'fallbacks_total{{reason="breaker_open",route="{pair.route}"}} 1.0' in metrics(pair)


def test_an_agents_own_mistakes_open_no_breaker(make_pair, vendor):
    pair = make_pair()
    vendor.script = answer(None, 400)
    for _ in range(12):
        assert pair.chat().status == 400
    assert len(vendor.seen) == 12


def test_when_all_are_open_the_least_bad_is_tried(make_pair, vendor, other):
    pair = make_pair()
    vendor.script = other.script = answer(None, 500)
    for _ in range(5):
        assert pair.chat().status == 500
    vendor.script = answer(None, 500, raw=SAID)
    got = pair.chat()
    assert (got.status, got.body) == (500, SAID)
    assert (len(vendor.seen), len(other.seen)) == (6, 5)
    vendor.script = answer()
    assert pair.chat().status == 200
    assert pair.chat().headers["x-unsprawl-model"] == "first-1"


# --- who is first


def test_an_override_is_first_until_its_moment_and_on_record(make_pair, vendor, other, world):
    until = clock.now() + timedelta(minutes=5)
    pair = make_pair()
    said = {"override": {"vendor": pair.other_id.replace("_", "-"), "model": "second-1",
                         "until": until.isoformat()}}  # fmt: skip
    world.change(
        "UPDATE routing_route SET options = %s WHERE name = %s", json.dumps(said), pair.route
    )
    eventually(lambda: pair.chat().headers["x-unsprawl-model"] == "second-1")
    assert pair.facts("intent")[-1]["choice"] == "override"
    other.script = answer(None, 500)
    assert pair.chat().headers["x-unsprawl-model"] == "first-1"


def test_a_run_stays_on_its_side_of_a_canary(make_pair, world):
    pair = make_pair()
    world.change(
        "UPDATE routing_routetarget SET canary_percent = 50 WHERE model_id = %s", pair.models[1]
    )

    def served(run: str) -> str:
        return str(pair.chat(x_unsprawl_run=run).headers["x-unsprawl-model"])

    runs = [f"night {number}" for number in range(40)]
    eventually(lambda: {served(run) for run in runs} == {"first-1", "second-1"})
    sides = {run: served(run) for run in runs}
    assert {run: served(run) for run in runs} == sides
    chosen = {(facts["model"], facts.get("choice")) for facts in pair.facts("intent")}
    assert chosen == {("first-1", None), ("second-1", "canary")}


def test_a_storm_of_refusals_ends_in_answers(make_pair, vendor, other):
    pair = make_pair()
    vendor.script = answer(None, 429, ("retry-after", "1"))
    got: list[int] = []
    callers = [
        threading.Thread(target=lambda: got.extend(pair.chat().status for _ in range(5)))
        for _ in range(8)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert got == [200] * 40
    assert len(vendor.seen) < 40
    assert len(other.seen) == 40


def test_a_first_event_may_come_late_and_still_be_the_first(make_pair, vendor, other):
    vendor.script = stream([chunk_event("x"), DONE], pause=0.2)
    assert make_pair(first_byte_ms=50_000).stream().status == 200
    assert not other.seen


# --- other kinds of calls


def test_a_message_falls_back_when_the_vendor_is_overloaded(make_pair, vendor, other, world):
    pair = make_pair()
    world.change(
        "UPDATE routing_vendor SET dialect = 'anthropic' WHERE public_id = ANY(%s)",
        [pair.vendor_id, pair.other_id],
    )
    said = {"id": "msg_1", "type": "message", "model": "second-1", "content": [],
            "usage": {"input_tokens": 3, "output_tokens": 2}}  # fmt: skip
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}
    vendor.script, other.script = answer(overloaded, 529), answer(said)
    body = {"model": pair.route, "max_tokens": 9, "messages": BODY["messages"]}
    raw = json.dumps(body).encode()
    eventually(lambda: pair.ask("POST", "/v1/messages", raw).status == 200)
    got = pair.ask("POST", "/v1/messages", raw)
    assert (got.json, got.headers["x-unsprawl-fallback"]) == (said, "1;reason=http_529")


def test_vectors_are_never_made_by_another_model(make_pair, vendor, other, world):
    pair = make_pair()
    vendor.script = answer(None, 503, raw=SAID)
    raw = json.dumps({"model": pair.route, "input": "x"}).encode()
    got = pair.ask("POST", "/v1/embeddings", raw)
    assert (got.status, got.body) == (503, SAID)
    assert not other.seen
    world.change("UPDATE routing_model SET name = 'first-1' WHERE id = %s", pair.models[1])
    other.script = answer({"object": "list", "data": [], "usage": {"prompt_tokens": 1}})
    eventually(lambda: pair.ask("POST", "/v1/embeddings", raw).status == 200)


# --- who is first


def test_a_call_of_a_step_goes_where_the_step_says_and_says_so(make_pair, other):
    pair = make_pair()
    name = pair.other_id.replace("_", "-")
    steps = {"extract": {"first": [{"vendor": name, "model": "second-1", "region": ""}]}}
    pair.world.change(
        "UPDATE routing_route SET options = %s WHERE name = %s",
        json.dumps({"steps": steps}), pair.route,
    )  # fmt: skip
    eventually(
        lambda: pair.chat(x_unsprawl_step="extract").headers["x-unsprawl-model"] == "second-1"
    )
    assert pair.chat(x_unsprawl_step="write").headers["x-unsprawl-model"] == "first-1"
    steps_said = [facts["step"] for facts in pair.facts("intent")[-2:]]
    assert steps_said == ["extract", "write"]
    assert pair.calls()[-2]["choice"] == "listed"


def test_the_cheapest_that_passed_serves(make_pair, vendor, other):
    pair = make_pair(choose="cheapest")
    pair.world.change(
        "UPDATE routing_routetarget SET priority = 0, passed_eval_at = now(),"
        " passed_eval_reason = 'tried' WHERE model_id = ANY(%s)",
        list(pair.models),
    )
    pair.world.change(
        "UPDATE routing_model SET input_micros_per_mtok = 1, output_micros_per_mtok = 1"
        " WHERE id = %s",
        pair.models[1],
    )
    eventually(lambda: pair.chat().headers["x-unsprawl-model"] == "second-1")
    eventually(lambda: pair.calls()[-1]["choice"] == "cheapest")
    for _ in range(5):
        assert pair.chat().headers["x-unsprawl-model"] == "second-1"


@pytest.mark.parametrize("step", ["", "two words", "x" * 64])
def test_a_step_that_cannot_be_one_is_refused(make_pair, step):
    got = make_pair().chat(x_unsprawl_step=step)
    assert (got.status, got.headers["x-unsprawl-error"]) == (400, "routing.step_unusable")


def test_a_route_is_called_by_a_further_name_and_what_was_asked_for_is_on_record(make_pair):
    pair = make_pair()
    alias = f"gpt-5-{pair.vendor_id}"
    pair.world.change(
        "UPDATE routing_route SET aliases = ARRAY[%s] WHERE name = %s", alias, pair.route
    )
    eventually(lambda: pair.chat(BODY | {"model": alias}).status == 200)
    got = pair.chat(BODY | {"model": alias})
    assert got.headers["x-unsprawl-route"] == pair.route
    assert pair.facts("intent")[-1]["requested_model"] == alias
    assert pair.facts("intent")[-1]["route"] == pair.route
    listed = {entry["id"]: entry for entry in pair.ask("GET", "/v1/models").json["data"]}
    assert listed[alias]["alias_of"] == pair.route
    assert pair.ask("GET", f"/v1/models/{alias}").json["id"] == alias
