"""Budgets and limits over the wire: what is held, spent, given back, and refused."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bench.gateway.rig import World
from kernel.refs import new_id
from routing.gateway.snapshot import Snapshot
from tests.routing.gateway.conftest import (
    BODY,
    Agent,
    ServedGateway,
    eventually,
    raw_request,
)
from tests.routing.gateway.scripted import (
    COMPLETION,
    DONE,
    STREAM,
    ScriptedVendor,
    answer,
    chunk_event,
    stream,
)
from tests.routing.gateway.shapes import BEGUN

# What the scripted vendor reports is 9 tokens in and 3 out, at 1 and 2 micros each.
COST = 15
ASKED = BODY | {"max_tokens": 100}


class Capped:
    """A budget, and how it stands."""

    def __init__(self, world: World, pk: int, public_id: str) -> None:
        self.world, self.pk, self.public_id = world, pk, public_id

    @property
    def spent(self) -> int:
        return self.world.level_of(self.pk)[0]

    @property
    def held(self) -> int:
        return self.world.level_of(self.pk)[1]


@pytest.fixture
def cap(served: ServedGateway, world: World) -> Iterator[Callable[..., Capped]]:
    """Make budgets that the gateway knows of, and end them after the test."""
    made: list[int] = []

    def known() -> Snapshot:
        return served.process._snapshots.current()  # type: ignore[no-any-return]

    def make(amount: int, agent: Agent | None = None, **over: Any) -> Capped:
        if agent is not None:
            over = {"subject_kind": "agent", "subject": agent.row.public_id} | over
        before = known()
        pk, public_id = world.add_budget(amount, **over)
        made.append(pk)
        eventually(lambda: known().budgets is not before.budgets)
        return Capped(world, pk, public_id)

    yield make
    for pk in made:
        world.change("UPDATE routing_budget SET ended_at = now() WHERE id = %s", pk)


def facts(agent: Agent, kind: str) -> list[dict[str, Any]]:
    return [entry["facts"] for entry in agent.entries() if entry["kind"] == kind]


def worst_case_of(agent: Agent) -> int:
    """Return what the gateway held for the last call."""
    return int(facts(agent, "intent")[-1]["reserved"][0].split(" ")[-1])


def test_the_worst_case_is_held_and_the_cost_is_spent(agent, cap):
    budget = cap(10_000, agent)
    assert agent.chat(ASKED | {"model": agent.route}).status == 200
    assert (budget.spent, budget.held) == (COST, 0)
    (intent,), (result,) = facts(agent, "intent"), facts(agent, "result")
    name, _, measure, amount = intent["reserved"][0].split(" ")
    assert (name, measure) == (budget.public_id, "cost")
    body = json.dumps(ASKED | {"model": agent.route})
    assert int(amount) == len(body) + 64 + 2 * 100
    assert result["settled"][0].split(" ")[2:] == ["cost", str(COST)]


def test_a_call_that_may_cost_more_than_is_left_is_refused_before_it_leaves(agent, cap, vendor):
    budget = cap(100, agent)
    got = agent.chat(ASKED | {"model": agent.route})
    assert (got.status, got.code) == (402, "budget_spent")
    assert got.headers["x-should-retry"] == "false"
    assert got.headers["x-unsprawl-error"] == "routing.budget_spent"
    assert got.json["error"]["budget"] == budget.public_id
    assert "0.0001" in got.json["error"]["message"]
    assert "platform team" in got.json["error"]["message"]
    assert vendor.seen == []
    assert (budget.spent, budget.held) == (0, 0)


def test_a_refusal_is_on_record_with_how_the_budget_stood(agent, cap):
    budget = cap(400, agent)
    assert agent.chat(ASKED | {"model": agent.route}).status == 200
    eventually(lambda: agent.chat(ASKED | {"model": agent.route}).status == 402)
    (refused,) = facts(agent, "decision")
    assert refused["budget"] == budget.public_id
    assert refused["cap"] == 400
    assert refused["spent"] == budget.spent
    assert refused["spent"] + refused["asked"] > 400
    assert agent.entries()[-1]["verb"] == "call.over_budget"
    assert agent.entries()[-1]["subject"] == f"budget:{budget.public_id}"
    last = agent.calls()[-1]
    assert (last["status"], last["http_status"]) == ("denied", 402)
    assert last["error_code"] == "budget_spent"


def test_what_a_vendor_does_not_serve_is_given_back(agent, cap, vendor):
    budget = cap(10_000, agent)
    vendor.script = answer({"error": {"message": "no", "code": "x"}}, 400)
    assert agent.chat(ASKED | {"model": agent.route}).status == 400
    assert (budget.spent, budget.held) == (0, 0)


def test_a_call_without_a_maximum_holds_what_the_model_can_write(agent, cap, world):
    cap(10_000_000, agent)
    agent.chat()
    bound = worst_case_of(agent)
    assert 2 * 32_768 < bound < 2 * 32_768 + 400
    world.change(
        "UPDATE routing_model SET max_output_tokens = 50 WHERE vendor_id ="
        " (SELECT id FROM routing_vendor WHERE public_id = %s)",
        agent.vendor_id,
    )
    eventually(lambda: agent.chat().status == 200 and worst_case_of(agent) < 400)


def test_several_answers_cost_several_times(agent, cap):
    cap(10_000, agent)
    agent.chat(ASKED | {"model": agent.route, "n": 5})
    assert 1000 < worst_case_of(agent) < 1400


def test_a_maximum_of_zero_is_none(agent, cap):
    cap(10_000_000, agent)
    agent.chat(BODY | {"model": agent.route, "max_tokens": 0})
    assert 2 * 32_768 < worst_case_of(agent) < 2 * 32_768 + 400


def test_a_refusal_of_more_than_any_number_is_recorded(agent, cap):
    cap(10_000, agent)
    asked = {"model": agent.route, "max_tokens": 10**11, "n": 10**11}
    assert agent.chat(BODY | asked).status == 402
    (refused,) = facts(agent, "decision")
    assert refused["asked"] > 10**12


def test_an_estimate_never_passes_what_was_held(agent, cap, vendor):
    budget = cap(10_000, agent)
    long = {"index": 0, "message": {"role": "assistant", "content": "word " * 400}}
    vendor.script = answer({"id": "c", "object": "chat.completion", "choices": [long]})
    assert agent.chat(ASKED | {"model": agent.route, "max_tokens": 5}).status == 200
    assert (budget.spent, budget.held) == (worst_case_of(agent), 0)


def test_what_only_points_to_its_input_holds_the_whole_context(agent, cap):
    cap(10_000_000, agent)
    part = {"type": "image_url", "image_url": {"url": "https://acme.test/a.png"}}
    messages = [{"role": "user", "content": [part]}]
    agent.chat({"model": agent.route, "messages": messages, "max_tokens": 1})
    assert worst_case_of(agent) == 200_000 + 2


def test_a_bill_above_the_worst_case_is_spent_and_closes_the_wall(agent, cap, vendor):
    budget = cap(400, agent)
    usage = {"prompt_tokens": 9, "completion_tokens": 5000, "total_tokens": 5009}
    vendor.script = answer(COMPLETION | {"usage": usage})
    assert agent.chat(ASKED | {"model": agent.route}).status == 200
    assert (budget.spent, budget.held) == (10_009, 0)
    assert agent.chat(ASKED | {"model": agent.route, "max_tokens": 1}).status == 402


def test_a_vendor_that_reports_nothing_is_settled_by_the_estimate(agent, cap, vendor):
    budget = cap(10_000, agent)
    document = {name: value for name, value in COMPLETION.items() if name != "usage"}
    vendor.script = answer(document)
    assert agent.chat(ASKED | {"model": agent.route}).status == 200
    (call,) = agent.calls()
    assert call["usage_estimated"] is True
    assert (budget.spent, budget.held) == (call["cost_micros"], 0)
    assert budget.spent > 0


def test_a_stream_that_the_agent_leaves_is_settled(agent, cap, vendor):
    budget = cap(10_000, agent)
    vendor.script = stream([chunk_event("word ")] * 100, pause=0.05)
    line, got = agent.open_stream(max_tokens=100)
    got.read(10)
    assert budget.held > 0
    line.sock.close() if line.sock else None
    got.close()
    line.close()
    eventually(lambda: budget.held == 0)
    (call,) = agent.calls()
    assert call["status"] == "cancelled"
    assert budget.spent == call["cost_micros"] > 0


def test_a_call_left_before_anything_came_spends_what_was_held(agent, cap, vendor):
    budget = cap(10_000, agent)

    async def silent(seen: Any, writer: Any) -> None:
        await asyncio.sleep(60)

    vendor.script = silent
    raw = json.dumps(BODY | {"model": agent.route, "max_tokens": 100}).encode()
    with socket.create_connection(("127.0.0.1", agent.port)) as line:
        line.sendall(raw_request(agent.key, raw))
        eventually(lambda: len(vendor.seen) == 1)
    eventually(lambda: budget.held == 0)
    assert budget.spent == worst_case_of(agent)
    assert facts(agent, "result")[-1]["charged"] == "reserved"


def test_a_stream_that_breaks_is_settled(agent, cap, vendor):
    budget = cap(10_000, agent)
    vendor.script = stream([chunk_event("Hel")], cut=True)
    agent.stream(model=agent.route, max_tokens=100)
    assert budget.held == 0
    assert budget.spent == agent.calls()[-1]["cost_micros"] > 0


def test_without_a_price_a_budget_refuses(agent, cap, world, vendor):
    world.change(
        "UPDATE routing_model SET output_micros_per_mtok = NULL WHERE vendor_id ="
        " (SELECT id FROM routing_vendor WHERE public_id = %s)",
        agent.vendor_id,
    )
    cap(10_000, agent)
    got = agent.chat(ASKED | {"model": agent.route})
    assert (got.status, got.code) == (402, "budget_unpriced")
    assert vendor.seen == []
    assert facts(agent, "decision")[0]["asked"] is None


def test_without_a_price_a_budget_may_let_pass_and_that_is_on_record(agent, cap, world):
    world.change(
        "UPDATE routing_model SET input_micros_per_mtok = NULL WHERE vendor_id ="
        " (SELECT id FROM routing_vendor WHERE public_id = %s)",
        agent.vendor_id,
    )
    budget = cap(10_000, agent, lets_unpriced=True)
    assert agent.chat().status == 200
    assert facts(agent, "intent")[0]["unpriced"] == [budget.public_id]
    assert (budget.spent, budget.held) == (0, 0)


def test_a_price_in_another_currency_is_no_price(agent, cap):
    cap(10_000, agent, currency="EUR")
    assert agent.chat().code == "budget_unpriced"


def test_requests_a_minute_are_refused_with_when_to_come_back(agent, cap):
    cap(2, agent, measure="requests", period="minute")
    first, second = agent.chat(), agent.chat()
    assert first.status == 200
    if second.headers.get("x-ratelimit-remaining-requests") != "0":
        pytest.skip("a minute began between two calls")
    third = agent.chat()
    assert (third.status, third.code) == (429, "limit_reached")
    assert 1 <= int(third.headers["retry-after"]) <= 60
    assert 1 <= int(third.headers["retry-after-ms"]) <= 60_000
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert first.headers["x-ratelimit-reset-requests"].endswith("s")


def test_our_limits_stand_where_the_vendors_would(agent, cap, vendor):
    theirs = [
        ("x-ratelimit-limit-requests", "9999"), ("x-ratelimit-remaining-tokens", "77777"),
    ]  # fmt: skip
    vendor.script = answer(COMPLETION, 200, *theirs)
    assert agent.chat().headers["x-ratelimit-limit-requests"] == "9999"
    cap(50, agent, measure="requests", period="minute")
    cap(500_000, subject_kind="route", subject=agent.route, measure="tokens", period="minute")
    got = agent.chat(ASKED | {"model": agent.route})
    assert got.headers["x-ratelimit-limit-requests"] == "50"
    assert got.headers["x-ratelimit-limit-tokens"] == "500000"
    assert 0 < int(got.headers["x-ratelimit-remaining-tokens"]) < 500_000
    assert "9999" not in got.headers.values()


def test_the_other_dialect_is_told_in_its_own_headers(make_agent, cap, vendor):
    agent = make_agent(dialect="anthropic")
    cap(50, agent, measure="requests", period="minute")
    said = {"usage": {"input_tokens": 1, "output_tokens": 1}, "content": [], "type": "message"}
    vendor.script = answer(said, 200, ("anthropic-ratelimit-requests-limit", "1"))
    got = agent.post("/v1/messages", {"max_tokens": 5, "messages": []})
    assert got.status == 200
    assert got.headers["anthropic-ratelimit-requests-limit"] == "50"
    assert got.headers["anthropic-ratelimit-requests-remaining"] == "49"
    assert got.headers["anthropic-ratelimit-requests-reset"].endswith("Z")


def test_what_is_left_of_a_budget_is_told(agent, cap):
    cap(10_000_000, agent)
    cap(50_000_000, subject_kind="route", subject=agent.route)
    got = agent.chat(ASKED | {"model": agent.route})
    left = got.headers["x-unsprawl-budget-remaining"]
    assert left.startswith("9.99")
    assert left.endswith(" USD")


def test_tokens_a_minute_are_held_and_given_back(agent, cap):
    budget = cap(10_000, agent, measure="tokens", period="minute")
    assert agent.chat(ASKED | {"model": agent.route}).status == 200
    assert (budget.spent, budget.held) == (12, 0)
    too_large = agent.chat(ASKED | {"model": agent.route, "max_tokens": 20_000})
    assert (too_large.status, too_large.code) == (402, "call_over_limit")


def test_open_calls_are_counted_while_they_are_open(agent, cap, vendor):
    budget = cap(2, agent, measure="open_calls", period="always")
    vendor.script = stream([chunk_event("a")], linger=20)
    lines = [agent.open_stream() for _ in range(2)]
    for _, got in lines:
        assert got.status == 200
        got.read(5)
    third = agent.stream(model=agent.route)
    assert (third.status, third.code) == (429, "limit_reached")
    assert third.headers["retry-after"] == "1"
    for line, got in lines:
        got.close()
        line.close()
    eventually(lambda: budget.held == 0)
    vendor.script = stream(STREAM)
    assert agent.stream(model=agent.route).status == 200


def test_every_subject_and_every_model_has_its_budget(agent, cap, world):
    world.change(
        "UPDATE routing_model SET name = %s WHERE vendor_id ="
        " (SELECT id FROM routing_vendor WHERE public_id = %s)",
        model := new_id("m"),
        agent.vendor_id,
    )
    team = world.insert("registry_team", public_id=new_id("team"), slug=new_id("t"), name="T",
                        created_at="2026-11-01T00:00:00Z")  # fmt: skip
    world.change("UPDATE registry_agent SET team_id = %s WHERE id = %s", team, agent.row.pk)
    ((slug,),) = world.query("SELECT slug FROM registry_team WHERE id = %s", team)
    budgets = [
        cap(1_000_000, agent),
        cap(1_000_000, subject_kind="team", subject=slug),
        cap(1_000_000, subject_kind="route", subject=agent.route, period="day"),
        cap(1_000_000, subject_kind="vendor", subject=agent.vendor_id),
        cap(1_000_000, model=model),
    ]
    other = cap(1_000_000, agent, model="another")
    agent.wait_until_known()
    assert agent.chat(ASKED | {"model": agent.route}).status == 200
    assert [budget.spent for budget in budgets] == [COST] * 5
    assert (other.spent, other.held) == (0, 0)
    world.change("UPDATE registry_agent SET team_id = NULL WHERE id = %s", agent.row.pk)


def test_callers_at_once_never_pass_the_cap(agent, cap):
    budget = cap(5_000, agent)
    statuses: list[int] = []
    lock = threading.Lock()

    def call(_: int) -> None:
        got = agent.chat(ASKED | {"model": agent.route})
        with lock:
            statuses.append(got.status)

    with ThreadPoolExecutor(24) as pool:
        list(pool.map(call, range(120)))
    assert set(statuses) <= {200, 402}
    assert budget.held == 0
    assert budget.spent == COST * statuses.count(200) <= 5_000


def test_a_raised_cap_lets_calls_pass_again(agent, cap, world):
    budget = cap(100, agent)
    assert agent.chat(ASKED | {"model": agent.route}).status == 402
    world.change("UPDATE routing_budget SET cap = 100000 WHERE id = %s", budget.pk)
    eventually(lambda: agent.chat(ASKED | {"model": agent.route}).status == 200)


def test_a_plain_stream_holds_until_its_end(agent, cap, vendor):
    budget = cap(10_000, agent)
    vendor.script = stream(STREAM)
    got = agent.stream(model=agent.route, max_tokens=100)
    assert got.body.endswith(DONE)
    assert (budget.spent, budget.held) == (9 + 2 * 2, 0)


@pytest.fixture
def second_target(world: World, vendor: ScriptedVendor) -> Callable[[Agent], str]:
    """Give an agent's route another vendor's model behind its own; return that vendor's id."""

    def give(agent: Agent) -> str:
        vendor_pk, vendor_id = world.add_vendor(vendor.base_url)
        model = world.add_model(vendor_pk, "second-1")
        ((route,),) = world.query("SELECT id FROM routing_route WHERE name = %s", agent.route)
        world.insert(
            "routing_routetarget", route_id=route, model_id=model, region="", weight=100, priority=9
        )
        return vendor_id

    return give


def test_a_target_whose_budget_has_no_room_is_passed_over(agent, cap, second_target, vendor):
    second_target(agent)
    spent = cap(10, subject_kind="vendor", subject=agent.vendor_id)
    got = agent.chat(ASKED | {"model": agent.route})
    assert (got.status, got.headers["x-unsprawl-model"]) == (200, "second-1")
    assert len(vendor.seen) == 1
    (intent,) = facts(agent, "intent")
    assert f"budget {spent.public_id}" in intent["passed_over"][0]
    assert facts(agent, "decision") == []


def test_a_fallback_holds_anew_after_what_came_before_was_given_back(
    agent, cap, second_target, vendor
):
    second_target(agent)
    budget = cap(400, agent)
    scripts = [answer({"error": {"message": "no"}}, 503), answer()]

    async def script(seen: Any, writer: Any) -> None:
        await scripts.pop(0)(seen, writer)

    vendor.script = script
    got = agent.chat(ASKED | {"model": agent.route})
    # Two worst cases would not fit into this cap at once.
    assert 2 * worst_case_of(agent) > 400
    assert (got.status, got.headers["x-unsprawl-model"]) == (200, "second-1")
    assert (budget.spent, budget.held) == (COST, 0)


def test_a_fallback_that_no_budget_lets_pass_leaves_the_vendors_own_answer(
    agent, cap, second_target, vendor
):
    other = second_target(agent)
    budget = cap(10, subject_kind="vendor", subject=other)
    vendor.script = answer({"error": {"message": "as the vendor says it"}}, 503)
    got = agent.chat(ASKED | {"model": agent.route})
    assert (got.status, got.json["error"]["message"]) == (503, "as the vendor says it")
    (refused,) = facts(agent, "decision")
    assert (refused["budget"], refused["attempt"]) == (budget.public_id, 2)


def test_requests_of_an_agent_count_calls_and_those_of_a_vendor_attempts(
    agent, cap, second_target, vendor
):
    other = second_target(agent)
    mine = cap(50, agent, measure="requests", period="minute")
    theirs = cap(50, subject_kind="vendor", subject=other, measure="requests", period="minute")
    scripts = [answer({"error": {"message": "no"}}, 503), answer()]

    async def script(seen: Any, writer: Any) -> None:
        await scripts.pop(0)(seen, writer)

    vendor.script = script
    assert agent.chat(ASKED | {"model": agent.route}).status == 200
    assert (mine.spent, theirs.spent) == (1, 1)


def test_a_cap_of_nothing_stops_everything(agent, cap, vendor):
    cap(0, agent, measure="open_calls", period="always")
    assert agent.chat().status == 402
    assert vendor.seen == []


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        ({"max_output_tokens": 1}, 32_768),  # another wire's word
        ({"max_completion_tokens": 1, "max_tokens": 10_000}, 10_000),
        ({"max_tokens": 1.0}, 32_768),
        ({"max_tokens": "1"}, 32_768),
        ({"max_tokens": None, "max_completion_tokens": 7}, 7),
        ({"max_tokens": 1, "n": 3.0}, 128),
    ],
)
def test_the_worst_case_is_what_the_wire_means_by_a_maximum(agent, cap, asked, most):
    cap(10_000_000, agent)
    agent.chat({"model": agent.route, "messages": []} | asked)
    assert 2 * most < worst_case_of(agent) < 2 * most + 300


def test_escapes_that_point_nowhere_hold_no_more(agent, cap):
    cap(10_000_000, agent)
    body = f'{{"model": "{agent.route}", "messages": ["\\u00e9\\u003c"], "max_tokens": 1}}'
    agent.chat(body.encode())
    assert worst_case_of(agent) < 300


@pytest.mark.parametrize(
    "raw", [r'[{"type": "\u0069mage_url", "image_url": {}}]', '[{"type": "web_fetch_20250910"}]']
)
def test_a_pointer_however_it_is_spelled_holds_the_whole_context(agent, cap, raw):
    cap(10_000_000, agent)
    body = f'{{"model": "{agent.route}", "messages": {raw}, "max_tokens": 1}}'
    agent.chat(body.replace('"image_url": {}', '"x": {}').encode())
    assert worst_case_of(agent) == 200_000 + 2


def test_a_response_in_the_background_spends_what_was_held(agent, cap, vendor):
    budget = cap(1_000_000, agent)
    vendor.script = answer(BEGUN | {"status": "queued", "background": True})
    agent.post("/v1/responses", {"input": "Hi", "background": True, "max_output_tokens": 500})
    assert (budget.spent, budget.held) == (worst_case_of(agent), 0)
    assert facts(agent, "result")[0]["charged"] == "reserved"
