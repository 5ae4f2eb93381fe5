"""kill -9 of the gateway under load: what was acknowledged is on record, chains hold."""

from __future__ import annotations

import http.client
import threading

import pytest

from bench.gateway.rig import GatewayChild
from tests.ports import free_port
from tests.routing.gateway.conftest import Client, eventually
from tests.routing.gateway.scripted import answer
from tests.routing.gateway.test_outages import assert_chains_hold, assert_recorded

pytestmark = pytest.mark.slow


@pytest.fixture
def child(rig, tmp_path):
    port = free_port()
    made = GatewayChild(rig, port, tmp_path / "gateway.log")
    yield made
    made.kill()


def test_killed_under_load_it_loses_no_acknowledged_entry(rig, child, make_agent, vendor):
    child.wait_ready()
    agent = make_agent(child.port)
    vendor.script = answer()
    acknowledged: list[str] = []

    def call_on() -> None:
        client = Client(child.port, agent.key)
        while True:
            try:
                got = client.chat({"model": agent.route, "messages": []})
            except (http.client.HTTPException, OSError):
                return
            if got.status == 200:
                acknowledged.append(got.headers["x-unsprawl-entry"])

    callers = [threading.Thread(target=call_on) for _ in range(8)]
    for caller in callers:
        caller.start()
    eventually(lambda: len(acknowledged) > 50)
    child.kill()
    for caller in callers:
        caller.join(60)
    assert_recorded(rig, acknowledged)
    assert_chains_hold(rig)


def test_it_ends_on_a_signal_and_closes_its_writer(rig, child, make_agent):
    child.wait_ready()
    agent = make_agent(child.port)
    assert agent.chat().status == 200
    child.stop()
    left = agent.world.query(
        "SELECT count(*) FROM ledger_writer WHERE process LIKE %s AND closed_at IS NULL",
        f"gateway:%:{child.process.pid}:%",
    )
    assert left == [(0,)]


def test_it_says_what_is_missing_from_its_environment(rig, tmp_path):
    import subprocess
    import sys

    from bench.gateway.rig import ROOT

    told = {name: value for name, value in rig.environment().items() if name != "DATABASE_URL"}
    told |= {"UNSPRAWL_OPENS": "payload", "GATEWAY_PORT": "no", "UNSPRAWL_DATA_DIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", "config.gateway_asgi"],
        cwd=ROOT, env=told, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode != 0
    for name in ("DATABASE_URL", "UNSPRAWL_OPENS", "GATEWAY_PORT"):
        assert name in ended.stderr
