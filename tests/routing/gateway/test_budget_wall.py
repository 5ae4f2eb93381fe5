"""The wall: however many gateways, streams and crashes, what is settled stays below the cap."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from bench.gateway.rig import ROOT, GatewayChild
from tests.ports import free_port
from tests.routing.gateway.conftest import Agent, Client, eventually
from tests.routing.gateway.scripted import DONE, chunk_event, stream
from tests.routing.gateway.test_outages import assert_chains_hold

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wall")]

STREAMS = int(os.environ.get("UNSPRAWL_SOAK_STREAMS", "120"))
MAX_TOKENS = 100
# What each stream bills: nearly all that it may.
BILL = chunk_event(
    "", choices=[], usage={"prompt_tokens": 100, "completion_tokens": MAX_TOKENS}
)  # fmt: skip
EACH = 100 + 2 * MAX_TOKENS
REAP = """
import django
django.setup()
from registry.actors import Actor
from routing.actions.lost_calls import reap_lost_calls
print(reap_lost_calls(actor=Actor.system("lost-calls")))
"""


@pytest.fixture
def children(rig, tmp_path) -> Iterator[list[GatewayChild]]:
    made = []
    for number in range(3):
        made.append(GatewayChild(rig, free_port(), tmp_path / f"gateway-{number}.log"))
    for each in made:
        each.wait_ready()
    yield made
    for each in made:
        each.kill()


def cap(agent: Agent, amount: int, **over: str) -> int:
    given = {"subject_kind": "agent", "subject": agent.row.public_id} | over
    pk, _ = agent.world.add_budget(amount, **given)
    return pk


def wait_until_capped(agent: Agent, children: list[GatewayChild]) -> None:
    """Wait until every gateway refuses what is above the cap by itself."""
    for each in children:
        client = Client(each.port, agent.key)
        huge: dict[str, Any] = {"model": agent.route, "messages": [], "max_tokens": 10**9}
        eventually(partial(_refuses, client, huge))


def _refuses(client: Client, body: dict[str, Any]) -> bool:
    return client.chat(body).status == 402


def call(port: int, agent: Agent) -> int:
    """Read one stream to its end; return the status, 0 when the gateway went away."""
    body = {"model": agent.route, "messages": [], "max_tokens": MAX_TOKENS, "stream": True}
    try:
        got = Client(port, agent.key).chat(body)
    except (http.client.HTTPException, OSError):
        return 0
    return got.status if got.status != 200 or got.body.endswith(DONE) else -1


def reap(agent: Agent, rig, killed: GatewayChild) -> int:
    """Let the worker conclude what a killed gateway left, as if it had been silent for long."""
    agent.world.change(
        "UPDATE ledger_writer SET heartbeat_at = now() - interval '1 minute'"
        " WHERE closed_at IS NULL AND process LIKE %s",
        f"gateway:%:{killed.process.pid}:%",
    )
    told = rig.environment(DATABASE_URL=rig.owner, DJANGO_SETTINGS_MODULE="config.settings")
    ended = subprocess.run(
        [sys.executable, "-c", REAP], cwd=ROOT, env=told, capture_output=True, text=True, check=True
    )
    return int(ended.stdout.strip().splitlines()[-1])


def test_streams_on_three_gateways_never_settle_above_the_cap(rig, children, make_agent, vendor):
    agent = make_agent(children[0].port)
    vendor.script = stream([chunk_event("word ")] * 5 + [BILL, DONE], pause=0.05)
    budget = cap(agent, STREAMS * EACH // 10)
    other = cap(agent, STREAMS * EACH // 5, subject_kind="route", subject=agent.route)
    wait_until_capped(agent, children)
    highest = 0
    done = threading.Event()

    def look() -> None:
        nonlocal highest
        with rig.connect() as connection:
            while not done.is_set():
                row = connection.execute(
                    "SELECT coalesce(max(spent + held), 0) FROM routing_budgetwindow"
                    " WHERE budget_id = %s",
                    [budget],
                ).fetchone()
                highest = max(highest, row[0] if row else 0)
                time.sleep(0.005)

    looking = threading.Thread(target=look)
    looking.start()
    with ThreadPoolExecutor(STREAMS) as pool:
        ports = [children[number % 3].port for number in range(STREAMS)]
        ended = Counter(pool.map(lambda port: call(port, agent), ports))
    done.set()
    looking.join()
    spent, held = agent.world.level_of(budget)
    assert set(ended) <= {200, 402}
    assert (spent, held) == (ended[200] * EACH, 0)
    assert agent.world.level_of(other) == (spent, 0)
    assert 0 < spent <= STREAMS * EACH // 10
    assert highest <= STREAMS * EACH // 10
    assert ended[402] > STREAMS // 2
    assert_chains_hold(rig)


def test_what_a_killed_gateway_held_is_charged_and_the_cap_still_holds(
    rig, children, make_agent, vendor
):
    agent = make_agent(children[0].port)
    amount = 20_000
    budget = cap(agent, amount)
    wait_until_capped(agent, children)  # what is let through until then is answered at once
    rest, before = threading.Event(), len(vendor.seen)
    vendor.script = stream([chunk_event("word "), BILL, DONE], after_first=rest)
    with ThreadPoolExecutor(30) as pool:
        ports = [children[number % 3].port for number in range(30)]
        calls = [pool.submit(call, port, agent) for port in ports]
        # Each is refused by now, or its vendor is at work.
        eventually(lambda: sum(each.done() for each in calls) + len(vendor.seen) == before + 30)
        children[0].kill()
        rest.set()
        ended = Counter(each.result() for each in calls)
    spent, held = agent.world.level_of(budget)
    assert ended[0] > 0
    assert held > 0
    assert spent == ended[200] * EACH
    assert reap(agent, rig, children[0]) == ended[0]
    charged, left = agent.world.level_of(budget)
    assert left == 0
    assert charged == spent + held <= amount
    lost = [entry for entry in agent.entries() if entry["verb"] == "call.lost"]
    assert {entry["facts"]["charged"] for entry in lost} == {"reserved"}
    assert reap(agent, rig, children[0]) == 0
    assert agent.world.level_of(budget) == (charged, 0)
    assert_chains_hold(rig)


def test_a_database_that_restarts_loses_no_hold_and_settles_none_twice(
    rig, children, make_agent, vendor
):
    agent = make_agent(children[0].port)
    vendor.script = stream([chunk_event("word ")] * 10 + [BILL, DONE], pause=0.1)
    budget = cap(agent, 1_000_000)
    wait_until_capped(agent, children)
    stop = time.monotonic() + 6

    def call_on(port: int) -> list[int]:
        ended = []
        while time.monotonic() < stop:
            ended.append(call(port, agent))
            time.sleep(0.05)
        return ended

    with ThreadPoolExecutor(12) as pool:
        working = [pool.submit(call_on, children[number % 3].port) for number in range(12)]
        time.sleep(1.5)
        rig.postgres.stop()
        rig.spawn()
        said = Counter(status for each in working for status in each.result())
    agent.world.connection.close()
    agent.world.connection = rig.connect()
    eventually(lambda: agent.world.level_of(budget)[1] == 0)
    entries = agent.entries()
    intents = {entry["id"] for entry in entries if entry["kind"] == "intent"}
    results = Counter(entry["intent"] for entry in entries if entry["kind"] == "result")
    assert set(results) == intents
    assert set(results.values()) == {1}
    settled = sum(
        int(line.rsplit(" ", 1)[1])
        for entry in entries
        for line in entry["facts"].get("settled", [])
    )
    assert agent.world.level_of(budget) == (settled, 0)
    assert said[200] > 0

    assert_chains_hold(rig)
