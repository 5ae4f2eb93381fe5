"""Without the record nothing is governed, and without governing nothing happens."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from bench.gateway.rig import Rig, World
from tests.rigs import CopiedRig
from tests.routing.gateway.conftest import Client, ServedGateway, eventually
from tests.routing.gateway.scripted import DONE, STREAM, stream

pytestmark = pytest.mark.xdist_group("outages")


@pytest.fixture(scope="module")
def own_rig(tmp_path_factory):
    with CopiedRig(tmp_path_factory.mktemp("outage"), fsync=False) as rig:
        yield rig


@pytest.fixture
def own(own_rig, vendor):
    """Yield an agent's client at a gateway whose database may be stopped."""
    world = World(own_rig)
    vendor_pk, vendor_id = world.add_vendor(vendor.base_url)
    world.add_route(vendor_id, world.add_model(vendor_pk))
    seeded = world.add_agent(routes=[vendor_id])
    world.close()
    gateway = ServedGateway(own_rig)
    gateway.start()
    client = Client(gateway.port, seeded.key)
    client.route = vendor_id  # type: ignore[attr-defined]
    yield client
    gateway.stop()


def ask(client: Any) -> Any:
    return client.chat({"model": client.route, "messages": []})


def test_a_stopped_database_closes_the_gateway_and_its_return_opens_it(own, own_rig, vendor):
    assert ask(own).status == 200
    own_rig.postgres.stop()
    try:
        asked = len(vendor.seen)
        refusals = [ask(own) for _ in range(5)]
        time.sleep(1.2)
        refusals.append(ask(own))
        assert {got.status for got in refusals} == {503}
        assert all(got.headers["retry-after"] == "1" for got in refusals)
        assert {got.headers["x-unsprawl-error"] for got in refusals} <= {
            "routing.not_governed",
            "ledger.journal_down",
        }
        assert refusals[-1].code == "not_governed"
        assert len(vendor.seen) == asked
        assert own.ask("GET", "/healthz").status == 200
        ready = own.ask("GET", "/readyz")
        assert (ready.status, bool(ready.json["missing"])) == (503, True)
    finally:
        own_rig.spawn()
    eventually(lambda: ask(own).status == 200)
    assert own.ask("GET", "/readyz").status == 200


def test_a_restart_under_load_loses_nothing_that_was_acknowledged(own, own_rig):
    acknowledged: list[str] = []
    statuses: list[int] = []
    over = threading.Event()

    def call_on() -> None:
        while not over.is_set():
            got = ask(own)
            statuses.append(got.status)
            if got.status == 200:
                acknowledged.append(got.headers["x-unsprawl-entry"])

    callers = [threading.Thread(target=call_on) for _ in range(4)]
    for caller in callers:
        caller.start()
    eventually(lambda: len(acknowledged) > 10)
    own_rig.postgres.stop()
    eventually(lambda: 503 in statuses)
    own_rig.spawn()
    before = len(acknowledged)
    eventually(lambda: len(acknowledged) > before + 10)
    over.set()
    for caller in callers:
        caller.join(60)
    assert set(statuses) == {200, 503}
    assert_recorded(own_rig, acknowledged)
    assert_chains_hold(own_rig)


def test_a_result_that_could_not_be_recorded_is_withheld_and_recorded_later(own, own_rig, vendor):
    async def outage(seen: Any, writer: Any) -> None:
        own_rig.postgres.stop()
        await stream()(seen, writer)

    vendor.script = outage
    body = {"model": own.route, "messages": [], "stream": True}
    try:
        got = own.chat(body)
    finally:
        own_rig.spawn()
    assert DONE not in got.body
    assert got.body.startswith(STREAM[0] + STREAM[1])
    last = got.body.rstrip(b"\n").split(b"\n\n")[-1].removeprefix(b"data: ")
    assert json.loads(last)["error"]["code"] == "journal_down"
    world = World(own_rig)

    def results() -> list[Any]:
        return world.query(
            "SELECT header FROM ledger_entry WHERE intent_id = %s", got.headers["x-unsprawl-entry"]
        )

    eventually(lambda: len(results()) == 1)
    facts = json.loads(bytes(results()[0][0]))["facts"]
    world.close()
    assert (facts["status"], facts["withheld"], facts["output_tokens"]) == ("ok", True, 2)


def test_a_fenced_gateway_records_nothing_until_it_goes_on_under_a_new_epoch(own, own_rig):
    world = World(own_rig)
    ask(own)
    (before,) = world.query("SELECT writer FROM ledger_writer WHERE closed_at IS NULL")
    world.change("UPDATE ledger_writer SET closed_at = now()")
    fenced = [ask(own).status for _ in range(3)]
    assert 503 in fenced
    eventually(lambda: ask(own).status == 200)
    (after,) = world.query("SELECT writer FROM ledger_writer WHERE closed_at IS NULL")
    assert after != before
    late = world.query(
        "SELECT count(*) FROM ledger_entry e JOIN ledger_writer w USING (writer)"
        " WHERE e.recorded_at > w.closed_at"
    )
    world.close()
    assert late == [(0,)]


def test_a_gateway_that_ends_ends_its_streams_on_the_record(own_rig, vendor):
    world = World(own_rig)
    vendor_pk, vendor_id = world.add_vendor(vendor.base_url)
    world.add_route(vendor_id, world.add_model(vendor_pk))
    seeded = world.add_agent(routes=[vendor_id])
    gateway = ServedGateway(own_rig)
    gateway.start()
    vendor.script = stream([STREAM[0]], linger=60)
    line, answer = Client(gateway.port, seeded.key).open_stream(model=vendor_id)
    answer.readline()
    ending = threading.Thread(target=gateway.stop)
    ending.start()
    rest = answer.read()
    ending.join(60)
    line.close()
    assert b'"code":"shutting_down"' in rest
    rows = world.query(
        "SELECT status, error_code FROM routing_call WHERE agent_id = %s", seeded.public_id
    )
    open_writers = world.query("SELECT count(*) FROM ledger_writer WHERE closed_at IS NULL")
    world.close()
    assert rows == [("incomplete", "shutting_down")]
    assert open_writers == [(0,)]


def assert_recorded(rig: Rig, acknowledged: list[str]) -> None:
    """Every call that was answered with success has its intent and its result."""
    world = World(rig)
    rows = world.query(
        "SELECT i.entry_id FROM ledger_entry i JOIN ledger_entry r ON r.intent_id = i.entry_id"
        " JOIN routing_call c ON c.intent_id = i.entry_id WHERE i.entry_id = ANY(%s)",
        acknowledged,
    )
    world.close()
    assert acknowledged
    assert {row[0] for row in rows} == set(acknowledged)


def assert_chains_hold(rig: Rig) -> None:
    """Every chain counts from one without a gap, and each link names the one before it."""
    world = World(rig)
    broken = world.query(
        "SELECT stream, writer, seq FROM (SELECT stream, writer, seq, prev_hash,"
        " lag(seq, 1, 0::bigint) OVER chain AS before,"
        " lag(leaf_hash, 1, decode(repeat('00', 32), 'hex')) OVER chain AS hash"
        " FROM ledger_entry WINDOW chain AS (PARTITION BY stream, writer ORDER BY seq)) link"
        " WHERE seq <> before + 1 OR prev_hash <> hash"
    )
    world.close()
    assert broken == []
