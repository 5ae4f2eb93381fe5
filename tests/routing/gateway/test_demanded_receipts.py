"""Calls that policy lets leave only once their record has come far enough."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bench.gateway.rig import ROOT, Rig
from ledger.awaiting import AwaitedReceipts
from ledger.levels import Level
from routing.gateway import demanded
from tests.routing.gateway.conftest import Agent, eventually
from tests.routing.gateway.scripted import Seen, answer

Sequencing = Callable[[], "subprocess.Popen[bytes]"]
SIGNED = (
    "SELECT count(*) FROM ledger_entry e JOIN ledger_leaf l ON l.entry = e.id"
    ' JOIN ledger_checkpointsignature s ON s.epoch = l.epoch AND s.size > l."index"'
    " WHERE e.agent_id = %s AND e.kind = 'intent'"
)


@pytest.fixture
def sequencing(rig: Rig) -> Iterator[Sequencing]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        environment = rig.environment(DATABASE_SEQUENCER_URL=rig.sequencer)
        command = [sys.executable, "-m", "config.sequencer"]
        started.append(
            subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        )
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.wait(60)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demanded, "PATIENCE_SECONDS", 0.6)


@pytest.mark.parametrize("level", ["L1", "L2"])
def test_a_call_leaves_once_its_intent_has_reached_the_level(
    make_agent, vendor, world, sequencing, level
):
    sequencing()
    agent: Agent = make_agent(constraints={"receipt_level": level})
    signed: list[Any] = []

    async def look(seen: Seen, writer: Any) -> None:
        signed.extend(world.query(SIGNED, agent.row.public_id))
        await answer()(seen, writer)

    vendor.script = look
    got = agent.chat()
    assert (got.status, got.headers["x-unsprawl-receipt"]) == (200, level)
    if level == "L2":
        assert signed[0][0] >= 1, "the vendor was asked after the intent was signed"
    assert agent.stream().status == 200


def test_a_call_of_which_nothing_is_demanded_waits_for_nobody(agent):
    got = agent.chat()
    assert got.status == 200
    assert "x-unsprawl-receipt" not in got.headers


@pytest.mark.parametrize("streamed", [False, True])
def test_without_a_sequencer_such_calls_are_refused_and_others_go_on(
    make_agent, vendor, impatient, streamed
):
    agent: Agent = make_agent(constraints={"receipt_level": "L2"})
    got = agent.stream() if streamed else agent.chat()
    assert (got.status, got.code) == (503, "receipt_not_reached")
    assert got.headers["x-unsprawl-error"] == "routing.receipt_not_reached"
    assert "x-unsprawl-receipt" not in got.headers
    assert vendor.seen == []
    kinds = [(entry["kind"], entry["verb"]) for entry in agent.entries()]
    assert kinds == [("intent", "call.intended"), ("result", "call.failed")]
    (call,) = agent.calls()
    assert (call["status"], call["error_code"]) == ("error", "receipt_not_reached")
    assert not call["cost_micros"]
    assert make_agent().chat().status == 200


def test_nothing_is_witnessed_where_there_is_no_witness(make_agent, vendor, sequencing, impatient):
    sequencing()
    agent: Agent = make_agent(constraints={"receipt_level": "L3"})
    assert agent.chat().code == "receipt_not_reached"
    assert vendor.seen == []


def test_a_sequencer_that_comes_back_lets_them_leave_again(make_agent, sequencing, impatient):
    process = sequencing()
    agent: Agent = make_agent(constraints={"receipt_level": "L2"})
    eventually(lambda: agent.chat().status == 200)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert agent.chat().code == "receipt_not_reached"
    sequencing()
    eventually(lambda: agent.chat().status == 200)


def test_an_agent_that_leaves_while_it_waits_costs_nothing(make_agent, vendor, world):
    agent: Agent = make_agent(constraints={"receipt_level": "L2"})
    line, _ = _begin(agent)
    eventually(lambda: len(agent.entries()) == 1)
    line.close()
    eventually(lambda: len(agent.entries()) == 2)
    assert vendor.seen == []
    (call,) = agent.calls()
    assert not call["cost_micros"]


def _begin(agent: Agent) -> tuple[Any, Any]:
    import http.client
    import json

    line = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=30)
    body = {"model": agent.route, "messages": [{"role": "user", "content": "Say hello."}]}
    line.request("POST", "/v1/chat/completions", json.dumps(body), agent._headers({}))
    return line, None


def test_many_wait_at_once_on_one_connection(make_agent, world, sequencing):
    sequencing()
    agent: Agent = make_agent(constraints={"receipt_level": "L2"})
    agent.chat()
    with ThreadPoolExecutor(24) as pool:
        statuses = [got.status for got in pool.map(lambda _: agent.chat(), range(24))]
    assert set(statuses) == {200}
    listening = world.query(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%ledger_checkpointsignature%%'"
        " AND usename = 'unsprawl_web'"
    )
    assert listening[0][0] <= 1


async def test_who_waits_for_what_was_lost_is_told_no_in_time(rig):
    receipts = AwaitedReceipts(rig.login.replace("/unsprawl?", "/nowhere?"))
    begun = time.monotonic()
    assert not await receipts.reached("ent_1", Level.SIGNED, 0.4)
    assert time.monotonic() - begun < 30
    await asyncio.wait_for(receipts.close(), 60)
