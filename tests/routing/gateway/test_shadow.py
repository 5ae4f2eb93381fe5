"""Shadows: on record like any attempt, and never noticed by the agent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from kernel import clock
from kernel.refs import new_id
from routing.gateway.shadow import AT_ONCE
from tests.routing.gateway.conftest import BODY, Agent, ServedGateway, eventually
from tests.routing.gateway.scripted import (
    COMPLETION,
    DONE,
    STREAM,
    ScriptedVendor,
    Seen,
    answer,
    stream,
)


async def silent(seen: Seen, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


@pytest.fixture
def make_shadowed(
    served: ServedGateway, world: Any, vendor: ScriptedVendor, other: ScriptedVendor
) -> Callable[..., Agent]:
    def make(classes: tuple[str, ...] = ("internal",), percent: int = 100) -> Agent:
        first, vendor_id = world.add_vendor(vendor.base_url)
        second, other_id = world.add_vendor(other.base_url, data_classes=classes)
        model = world.add_model(first, "first-1")
        world.add_model(second, "other-1")
        name = other_id.replace("_", "-")
        route = f"route-{vendor_id}"
        shadow = {"vendor": name, "model": "other-1", "region": "", "percent": percent}
        world.add_route(route, model, options={"shadow": shadow})
        row = world.add_agent(routes=[route])
        agent = Agent(served.port, row.key)
        agent.world, agent.row, agent.route, agent.vendor_id = world, row, route, other_id
        agent.wait_until_known()
        return agent

    return make


def results(agent: Agent) -> list[dict[str, Any]]:
    return [entry["facts"] for entry in agent.entries() if entry["kind"] == "result"]


def counted(agent: Agent, result: str) -> float:
    named = f'unsprawl_gateway_shadows_total{{result="{result}",route="{agent.route}"}} '
    text = agent.ask("GET", "/metrics").body.decode()
    return sum(float(line.removeprefix(named)) for line in text.splitlines() if named in line)


def test_a_shadow_is_on_record_beside_the_call_and_the_agent_gets_its_own_answer(
    make_shadowed, vendor, other
):
    agent = make_shadowed()
    other.script = answer(COMPLETION | {"model": "other-1-2026-01-01", "id": "from the shadow"})
    got = agent.chat()
    assert (got.status, got.json["id"]) == (200, COMPLETION["id"])
    assert got.headers["x-unsprawl-model"] == "first-1"
    eventually(lambda: len(results(agent)) == 2)
    assert other.seen[0].json == BODY | {"model": "other-1"}
    entries = agent.entries()
    served = got.headers["x-unsprawl-entry"]
    shadows = [entry for entry in entries if entry["facts"].get("shadow")]
    assert [entry["kind"] for entry in shadows] == ["intent", "result"]
    assert {entry["facts"]["call"] for entry in entries} == {served}
    assert {entry["stream"] for entry in entries} == {got.headers["x-unsprawl-run"]}
    assert not any("attempt" in entry["facts"] for entry in shadows)
    assert shadows[0]["facts"]["rule"] == "calls.allowed"
    eventually(lambda: len(agent.calls()) == 2)
    (row,) = [row for row in agent.calls() if row["is_shadow"]]
    assert (row["call_id"], row["attempt"], row["model"]) == (served, 0, "other-1")
    assert row["cost_micros"] > 0
    assert counted(agent, "ok") == 1


def test_a_stream_is_shadowed_by_a_stream(make_shadowed, vendor, other):
    agent = make_shadowed()
    vendor.script = other.script = stream()
    assert agent.stream().body == STREAM[0] + STREAM[1] + DONE
    eventually(lambda: [facts["status"] for facts in results(agent)] == ["ok", "ok"])


def test_the_agent_waits_for_no_shadow_and_suffers_none(make_shadowed, vendor, other):
    agent = make_shadowed()
    other.script = silent
    started = time.monotonic()
    assert agent.chat().status == 200
    assert time.monotonic() - started < 30  # the shadow is silent for 60 s
    eventually(lambda: bool(other.seen))
    other.script = answer(None, 500)
    assert agent.chat().status == 200
    eventually(lambda: counted(agent, "error") == 1)
    stop = "UPDATE routing_vendor SET disabled_at = now() WHERE public_id = %s"
    agent.world.change(stop, agent.vendor_id)
    eventually(lambda: counted(agent, "incomplete") == 1)
    assert other.seen[0].left_early.wait(30)


def test_a_revoked_key_ends_its_shadows(make_shadowed, other):
    agent = make_shadowed()
    other.script = silent
    assert agent.chat().status == 200
    eventually(lambda: bool(other.seen))
    agent.world.change(
        "UPDATE registry_agentkey SET revoked_at = now() WHERE agent_id = %s", agent.row.pk
    )
    assert other.seen[0].left_early.wait(30)
    eventually(lambda: [facts["status"] for facts in results(agent)] == ["ok", "incomplete"])


def test_a_shadow_goes_nowhere_that_policy_does_not_allow(make_shadowed, other):
    agent = make_shadowed(classes=("public",))
    assert agent.chat().status == 200
    eventually(lambda: counted(agent, "denied") == 1)
    assert not other.seen
    assert len(agent.entries()) == 2


def test_one_too_many_is_dropped_and_counted(make_shadowed, other):
    agent = make_shadowed()
    other.script = silent
    for _ in range(AT_ONCE):
        agent.chat()
    eventually(lambda: len(other.seen) == AT_ONCE)
    assert agent.chat().status == 200
    assert counted(agent, "dropped") == 1
    stop = "UPDATE routing_vendor SET disabled_at = now() WHERE public_id = %s"
    agent.world.change(stop, agent.vendor_id)
    eventually(lambda: counted(agent, "incomplete") == AT_ONCE)


def test_only_a_share_of_calls_is_shadowed(make_shadowed, other):
    agent = make_shadowed(percent=1)
    for _ in range(10):
        assert agent.chat().status == 200
    assert len(other.seen) < 6


def test_a_stopped_vendor_gets_no_shadow(make_shadowed, world, other):
    agent = make_shadowed()
    world.insert(
        "routing_stop", public_id=new_id("stp"), scope="vendor", subject=agent.vendor_id,
        subject_name="it", reason="x", placed_by="system:test", placed_as="security",
        placed_at=clock.now(),
    )  # fmt: skip
    try:
        # Until the news is there a call may still have its shadow.
        eventually(lambda: agent.chat().status == 200 and counted(agent, "not_possible") >= 1)
        seen = len(other.seen)
        assert agent.chat().status == 200
        eventually(lambda: counted(agent, "not_possible") >= 2)
        assert len(other.seen) == seen
    finally:
        world.change("DELETE FROM routing_stop WHERE subject = %s", agent.vendor_id)
