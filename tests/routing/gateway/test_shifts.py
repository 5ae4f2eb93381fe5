"""An agent that is moved from one model to another: its runs, its refusals, and no failed call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from kernel.refs import new_id
from tests.routing.gateway.conftest import BODY, Agent, ServedGateway, eventually
from tests.routing.gateway.scripted import (
    COMPLETION,
    DONE,
    STREAM,
    ScriptedVendor,
    answer,
    stream,
)

SHIFT = """
    INSERT INTO routing_shift (public_id, agent_id, source_id, target_id, percent, subject, reason,
        set_by, begun_at, changed_at, ended_by, ended_reason)
    VALUES (%s, %s, %s, %s, %s, 'cutover:cut_1', 'It retires.', 'system:test', now(), now(), '', '')
"""
END = "UPDATE routing_shift SET ended_at = now(), ended_by = 'x' WHERE public_id = %s"


@dataclass
class Moved(Agent):
    """An agent whose route has one target, and a model to which it can be moved."""

    source: int = 0
    target: int = 0
    target_vendor: str = ""
    shift: str = ""

    def move(self, percent: int, *, pause: bool = False) -> None:
        """Set the share, and wait until the gateway knows."""
        if self.shift:
            self.world.change(
                "UPDATE routing_shift SET percent = %s WHERE public_id = %s", percent, self.shift
            )
        else:
            self.shift = new_id("shf")
            target = None if pause else self.target
            values = (self.shift, self.row.public_id, self.source, target, percent)
            self.world.change(SHIFT, *values)
        self.wait_until(percent)

    def end(self) -> None:
        self.world.change(END, self.shift)
        self.wait_until(None)
        self.shift = ""

    def wait_until(self, percent: int | None) -> None:
        served = self.gateway.process

        def knows() -> bool:
            snapshot = served._snapshots._snapshot
            found = snapshot.shifts.get(self.row.public_id, {})
            return [each.percent for each in found.values()] == (
                [] if percent is None else [percent]
            )

        eventually(knows)

    def facts(self, kind: str) -> list[dict[str, Any]]:
        return [entry["facts"] for entry in self.entries() if entry["kind"] == kind]

    gateway: ServedGateway = None  # type: ignore[assignment]


@pytest.fixture
def make_moved(
    served: ServedGateway, world: Any, vendor: ScriptedVendor, other: ScriptedVendor
) -> Callable[..., Moved]:
    def make(dialect: str = "openai", constraints: Any = None, **source: Any) -> Moved:
        first, vendor_id = world.add_vendor(vendor.base_url)
        scheme = "x-api-key" if dialect == "anthropic" else "bearer"
        second, other_id = world.add_vendor(other.base_url, dialect=dialect, auth_scheme=scheme)
        models = world.add_model(first, "old-1", **source), world.add_model(second, "new-1")
        route = f"route-{vendor_id}"
        world.add_route(route, models[0], constraints=constraints)
        row = world.add_agent(routes=[route])
        found = Moved(served.port, row.key)
        found.world, found.row, found.route, found.vendor_id = world, row, route, vendor_id
        (found.source, found.target), found.target_vendor = models, other_id
        found.gateway = served
        found.wait_until_known()
        return found

    return make


def served_by(agent: Moved, runs: range) -> dict[int, str]:
    return {
        number: agent.chat(x_unsprawl_run=f"r-{number}").headers["x-unsprawl-model"]
        for number in runs
    }


def test_a_share_of_runs_is_moved_and_raising_it_keeps_those_that_were_in(make_moved):
    agent = make_moved()
    seen: list[dict[int, str]] = []
    for percent in (10, 50, 100):
        agent.move(percent)
        seen.append(served_by(agent, range(40)))
    moved = [{run for run, model in each.items() if model == "new-1"} for each in seen]
    assert moved[0] < moved[1] < moved[2]
    assert len(moved[2]) == 40
    assert 4 <= len(moved[1]) <= 36
    assert served_by(agent, range(40)) == seen[2]
    agent.end()
    assert Counter(served_by(agent, range(5)).values()) == {"old-1": 5}


def test_a_gateway_that_starts_in_mid_stage_serves_each_run_where_it_was(make_moved, rig):
    agent = make_moved()
    agent.move(50)
    before = served_by(agent, range(30))
    started = ServedGateway(rig)
    started.start()
    try:
        agent.port = started.port
        eventually(lambda: agent.chat().status == 200)
        assert served_by(agent, range(30)) == before
    finally:
        started.stop()
    assert set(before.values()) == {"old-1", "new-1"}


def test_which_shift_and_which_side_is_on_record(make_moved, other):
    agent = make_moved()
    agent.move(100)
    agent.chat()
    other.script = answer({"error": {"message": "no"}}, 500)
    agent.chat()
    agent.shift, moved = "", agent.shift
    arms = [(facts["shift"], facts["arm"], facts["model"]) for facts in agent.facts("intent")]
    assert arms == [
        (moved, "target", "new-1"),
        (moved, "target", "new-1"),
        (moved, "behind", "old-1"),
    ]
    rows = [(call["shift"], call["arm"], call["status"]) for call in agent.calls()]
    assert rows == [(moved, "target", "ok"), (moved, "target", "error"), (moved, "behind", "ok")]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (answer({"error": {"message": "temperature is not taken"}}, 400), "http_400"),
        (answer({"error": {"message": "slow down"}}, 429), "http_429"),
        (answer({"error": {"message": "who?"}}, 401), "http_401"),
        (stream([], cut=True), "upstream_cut"),
    ],
)
def test_the_source_stays_behind_the_target_whatever_fails(make_moved, other, script, reason):
    agent = make_moved()
    agent.move(100)
    other.script = script
    got = agent.chat()
    assert (got.status, got.json) == (200, COMPLETION)
    assert got.headers["x-unsprawl-model"] == "old-1"
    assert got.headers["x-unsprawl-fallback"] == f"1;reason={reason}"


def test_a_target_that_is_disabled_or_stopped_leaves_its_runs_to_the_source(make_moved, world):
    agent = make_moved()
    agent.move(100)
    world.change(
        "UPDATE routing_vendor SET disabled_at = now() WHERE public_id = %s", agent.target_vendor
    )
    eventually(
        lambda: (got := agent.chat()).status == 200 and got.headers["x-unsprawl-model"] == "old-1"
    )
    assert agent.calls()[-1]["arm"] == "behind"


def test_whoever_is_not_moved_yet_is_moved_when_the_source_is_gone(make_moved, world):
    agent = make_moved()
    agent.move(1)
    world.change("UPDATE routing_model SET disabled_at = now() WHERE id = %s", agent.source)
    eventually(lambda: agent.chat().headers.get("x-unsprawl-model") == "new-1")
    assert agent.chat().status == 200


def test_what_cannot_be_said_to_the_target_stays_with_the_source(make_moved):
    agent = make_moved(dialect="anthropic")
    agent.move(100)
    got = agent.chat(BODY | {"logit_bias": {"50256": -100}})
    assert (got.status, got.headers["x-unsprawl-model"]) == (200, "old-1")
    assert got.headers["x-unsprawl-fallback"] == "1;reason=cannot_translate"
    (call,) = agent.calls()
    assert (call["arm"], call["fallback_reason"]) == ("behind", "cannot_translate")


def test_policy_judges_the_target_as_what_it_is(make_moved, world):
    agent = make_moved()
    agent.move(100)
    world.change(
        "UPDATE routing_vendor SET data_classes = '{public}' WHERE public_id = %s",
        agent.target_vendor,
    )
    eventually(lambda: agent.chat().headers["x-unsprawl-model"] == "old-1")
    assert "calls.data_class_vendor" in agent.facts("intent")[-1]["passed_over"][0]


def test_a_paused_model_is_refused_in_the_callers_words_and_nothing_is_sent(make_moved, vendor):
    agent = make_moved()
    agent.move(100, pause=True)
    got = agent.chat()
    assert (got.status, got.code) == (404, "model_paused")
    assert got.headers["x-unsprawl-error"] == "routing.model_paused"
    error = got.json["error"]
    assert error["rule"] == f"model_paused {agent.shift} cutover:cut_1"
    assert "owner agrees" in error["message"]
    assert vendor.seen == []
    (call,) = agent.calls()
    assert (call["status"], call["error_code"]) == ("denied", "model_paused")


def test_vectors_are_not_moved_run_by_run(make_moved, vendor, other):
    agent = make_moved()
    agent.move(99)
    vectors = answer({"object": "list", "data": [], "model": "m", "usage": {"prompt_tokens": 1}})
    vendor.script = other.script = vectors
    for _ in range(5):
        agent.post("/v1/embeddings", {"input": "x"})
    assert (len(vendor.seen), len(other.seen)) == (5, 0)


def test_an_answer_says_where_its_agent_is_moved_to(make_moved):
    agent = make_moved(deprecated_on="2026-10-01", retires_on="2026-12-11", replacement="some-3")
    agent.move(0)
    before = agent.chat().headers
    assert before["link"] == '</v1/models/new-1>; rel="successor-version"'
    assert before["sunset"].startswith("Fri, 11 Dec 2026")
    successor = agent.ask("GET", "/v1/models/new-1")
    assert (successor.status, successor.json["successor_of"]) == (200, ["old-1"])
    agent.move(100)
    after = agent.chat().headers
    assert "sunset" not in after
    assert "link" not in after


def asking(**more: Any) -> dict[str, Any]:
    return BODY | {"response_format": {"type": "json_object"}} | more


def saying(content: str) -> Any:
    choice = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return answer(COMPLETION | {"choices": [{"index": 0, **choice}]})


def test_whether_the_form_that_was_asked_for_was_kept_is_counted(make_moved, other):
    agent = make_moved()
    agent.move(100)
    for script in (saying('{"a": 1}'), saying("Sure! {"), saying("anything")):
        other.script = script
        agent.chat(asking())
    agent.chat()
    refusal = {"message": {"role": "assistant", "refusal": "I cannot."}, "finish_reason": "stop"}
    other.script = answer(COMPLETION | {"choices": [{"index": 0, **refusal}]})
    agent.chat()
    other.script = stream([*STREAM[:-1], DONE])
    agent.stream(response_format={"type": "json_object"})
    found = [call["contract"] for call in agent.calls()]
    assert found == ["kept", "broken", "broken", "", "refused", "broken"]
