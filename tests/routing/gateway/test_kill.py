"""``manage.py kill`` against real gateway processes: contained is proven, or it is not said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from bench.gateway.rig import ROOT, GatewayChild, Rig
from kernel import clock
from kernel.refs import new_id
from tests.ports import free_port
from tests.rigs import CopiedRig
from tests.routing.gateway.conftest import Agent, eventually
from tests.routing.gateway.scripted import SECRET, STREAM, answer, stream

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kill")]


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    """A cluster of its own: gateways of other tests would be asked as well."""
    with CopiedRig(tmp_path_factory.mktemp("kill"), fsync=False) as made:
        yield made


@pytest.fixture
def gateways(rig, tmp_path):
    made = [GatewayChild(rig, free_port(), tmp_path / f"{number}.log") for number in range(2)]
    for each in made:
        each.wait_ready()
    yield made
    for each in made:
        if each.process.poll() is None:
            each.process.send_signal(signal.SIGCONT)
            each.kill()
    with rig.connect() as connection:
        connection.execute("UPDATE routing_livegateway SET left_at = now() WHERE left_at IS NULL")
        connection.execute("UPDATE ledger_writer SET closed_at = now() WHERE closed_at IS NULL")
        connection.execute("DELETE FROM routing_stop")


@pytest.fixture
def agent(world, vendor, gateways):
    """Yield an agent at the first gateway; the second serves it as well."""
    vendor_pk, vendor_id = world.add_vendor(vendor.base_url, secret=SECRET)
    route = f"route-{vendor_id}"
    world.add_route(route, world.add_model(vendor_pk))
    row = world.add_agent(routes=[route])
    found = Agent(gateways[0].port, row.key)
    found.world, found.row, found.route, found.vendor_id = world, row, route, vendor_id
    found.wait_until_known()
    vendor.script = answer()
    return found


def at(agent: Agent, gateway: GatewayChild) -> Agent:
    found = Agent(gateway.port, agent.key)
    found.world, found.row, found.route = agent.world, agent.row, agent.route
    return found


def manage(rig: Rig, *arguments: str, stdin: str = "", **more: str) -> tuple[int, str]:
    if arguments[0] == "kill" and not {"--seconds", "--dry-run"} & set(arguments):
        arguments += ("--seconds", "60")  # it says so as soon as it is proven
    # Neither web nor a broker: the address of the broker leads nowhere.
    told = rig.environment(
        DJANGO_SETTINGS_MODULE="config.settings", BROKER_URL="redis://127.0.0.1:1/0",
        UNSPRAWL_SECRET_KEY="x" * 40, **more,
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=told, input=stdin, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_contained_is_said_when_every_gateway_refuses_and_every_stream_is_cut(
    rig, gateways, agent, vendor
):
    vendor.script = stream([STREAM[0]], linger=60)
    lines = [at(agent, each).open_stream() for each in gateways]
    for _, got in lines:
        assert got.readline() + got.readline() == STREAM[0]
    seen = len(vendor.seen)
    status, said = manage(rig, "kill", "agent", agent.row.name, "--reason", "It runs wild.")
    assert status == 0, said
    assert "contained in" in said
    assert said.count("ok    gateway ") == 2
    for line, got in lines:
        assert b'"code":"stopped"' in got.read()
        line.close()
    for each in gateways:
        got = at(agent, each).chat()
        assert (got.status, got.code) == (403, "stopped")
    assert len(vendor.seen) == seen
    status, said = manage(rig, "unkill", "agent", agent.row.name, "--reason", "Fixed.")
    assert status == 0, said
    vendor.script = answer()
    eventually(lambda: all(at(agent, each).chat().status == 200 for each in gateways))
    verbs = [entry["verb"] for entry in agent.entries()]
    assert {"stop.placed", "containment.proven", "stop.lifted"} <= set(verbs)


def test_a_paused_gateway_with_an_open_stream_is_named_and_not_contained(
    rig, gateways, agent, vendor
):
    vendor.script = stream([STREAM[0]], linger=60)
    line, got = at(agent, gateways[1]).open_stream()
    got.readline()
    os.kill(gateways[1].process.pid, signal.SIGSTOP)
    kill = ("kill", "agent", agent.row.name, "--reason", "Wild.", "--seconds", "2.5")
    status, said = manage(rig, *kill)
    assert status == 1
    assert "NOT contained" in said
    assert "OPEN  gateway " in said
    assert f":{gateways[1].process.pid}:" in said
    assert "open streams cannot be seen" in said
    os.kill(gateways[1].process.pid, signal.SIGCONT)
    rest = got.read()
    line.close()
    # Its writer is closed, so it can say that the stream was stopped, or that nothing can be
    # recorded: an end that looks complete it cannot say.
    assert b'"error"' in rest
    assert b"[DONE]" not in rest
    eventually(lambda: at(agent, gateways[1]).chat().code == "stopped")
    status, said = manage(rig, *kill[:-1], "60")
    assert status == 0, said


def test_a_paused_gateway_without_one_is_fenced_and_sends_nothing_when_it_wakes(
    rig, gateways, agent, vendor
):
    assert at(agent, gateways[1]).chat().status == 200
    seen = len(vendor.seen)
    os.kill(gateways[1].process.pid, signal.SIGSTOP)
    # Somebody calls while it is paused: the call waits in its socket, decided on nothing yet.
    waiting = at(agent, gateways[1])
    line = subprocess.Popen(
        [sys.executable, "-c", CALL, str(waiting.port), waiting.key, waiting.route],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    status, said = manage(
        rig, "kill", "agent", agent.row.name, "--reason", "Wild.", "--seconds", "6"
    )
    assert status == 0, said
    assert "Its writer is closed" in said
    os.kill(gateways[1].process.pid, signal.SIGCONT)
    told, _ = line.communicate(timeout=60)
    assert told.strip() in {"403", "503"}
    assert len(vendor.seen) == seen


CALL = """
import http.client, json, sys
port, key, route = sys.argv[1:]
line = http.client.HTTPConnection("127.0.0.1", int(port), timeout=55)
line.request("POST", "/v1/chat/completions", json.dumps({"model": route, "messages": []}),
             {"authorization": "Bearer " + key, "content-type": "application/json"})
print(line.getresponse().status)
"""


def test_a_gateway_killed_in_the_middle_of_a_stream_is_contained_because_it_is_gone(
    rig, gateways, agent, vendor
):
    vendor.script = stream([STREAM[0]], linger=60)
    line, got = at(agent, gateways[1]).open_stream()
    got.readline()
    gateways[1].process.kill()  # and not waited for: what is left of it is still listed
    status, said = manage(rig, "kill", "agent", agent.row.name, "--reason", "Wild.")
    assert status == 0, said
    assert "Its process has ended" in said
    line.close()


def test_a_stop_holds_without_the_bell(rig, gateways, agent, world):
    world.change(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN %%'"
    )
    status, said = manage(rig, "kill", "vendor", vendor_name(agent), "--reason", "A leak.")
    assert status == 0, said
    assert all(at(agent, each).chat().code == "stopped" for each in gateways)


def vendor_name(agent: Agent) -> str:
    return str(agent.vendor_id.replace("_", "-"))


def test_a_paused_database_closes_every_gateway(rig, gateways, agent):
    assert agent.chat().status == 200
    rig.postgres.stop()
    try:
        time.sleep(1.2)
        assert {at(agent, each).chat().status for each in gateways} == {503}
        status, said = manage(rig, "kill", "fleet", "--reason", "A leak.", "--seconds", "5")
        assert status == 1
        assert "every gateway refuses" in said
    finally:
        rig.spawn()
    eventually(lambda: all(at(agent, each).chat().status == 200 for each in gateways))


def test_everything_stops_and_two_people_let_it_go_on(rig, gateways, agent, world):
    tokens = {}
    for name in ("sam", "sue"):
        status, said = manage(
            rig, "token", "--email", f"{name}@acme.test", "--roles", "security,employee"
        )
        assert status == 0, said
        tokens[name] = next(word for word in said.split() if word.startswith("ust_"))
    assert manage(rig, "kill", "fleet")[0] == 2  # no reason, no stop
    dry = manage(rig, "kill", "fleet", "--dry-run")
    assert dry[0] == 0
    assert "Nothing was stopped" in dry[1]
    assert agent.chat().status == 200
    status, said = manage(rig, "kill", "fleet", "--reason", "A leak.")
    assert status == 0, said
    assert agent.chat().code == "stopped"
    unkill = ("unkill", "fleet", "--reason", "Closed.")
    assert manage(rig, *unkill, stdin="\n")[0] == 2
    status, said = manage(rig, *unkill, stdin=tokens["sam"] + "\n")
    assert (status, "asks a second person" in said) == (1, True), said
    status, said = manage(rig, *unkill, "--decide", stdin=tokens["sam"] + "\n")
    assert status == 2, said
    assert agent.chat().code == "stopped"
    status, said = manage(rig, *unkill, "--decide", stdin=tokens["sue"] + "\n")
    assert status == 0, said
    eventually(lambda: agent.chat().status == 200)


def test_a_gateway_that_ended_cleanly_is_not_asked(rig, gateways, agent, world):
    gateways[1].stop()
    status, said = manage(rig, "kill", "agent", agent.row.name, "--reason", "Wild.")
    assert status == 0, said
    assert said.count("gateway ") == 1


def test_a_gateway_that_never_announced_itself_is_found_by_its_writer(rig, gateways, agent, world):
    world.change(
        "INSERT INTO ledger_writer (writer, process, started_at, heartbeat_at)"
        " VALUES (%s, 'gateway:elsewhere:1:ffff', %s, %s)",
        new_id("gw"), clock.now(), clock.now(),
    )  # fmt: skip
    status, said = manage(rig, "kill", "agent", agent.row.name, "--reason", "Wild.")
    assert "elsewhere:1:ffff: Not seen: it has announced no door. Its writer is closed" in said
    assert status == 0, said
    (left,) = world.query(
        "SELECT count(*) FROM ledger_writer WHERE process LIKE '%%elsewhere%%'"
        " AND closed_at IS NULL"
    )
    assert left == (0,)
