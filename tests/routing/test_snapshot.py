"""A snapshot is one moment, read again only where something changed, and never stale."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from bench.gateway.rig import Rig, World
from routing.freshness import FreshSnapshots
from routing.gateway.errors import NotGoverned
from routing.gateway.snapshot import Snapshot
from routing.snapshot import SnapshotReading
from tests.rigs import CopiedRig

pytestmark = pytest.mark.xdist_group("snapshot")


@pytest.fixture(scope="module")
def rig(tmp_path_factory) -> Iterator[Rig]:
    with CopiedRig(tmp_path_factory.mktemp("snapshot"), fsync=False) as made:
        yield made


@pytest.fixture
def world(rig) -> Iterator[World]:
    made = World(rig)
    yield made
    made.close()


@pytest.fixture
async def connection(rig) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(rig.login, autocommit=True) as made:
        yield made


async def read(reading: SnapshotReading, connection: Any) -> Snapshot:
    found = await reading.read(connection)
    assert found is not None
    return found


async def test_everything_a_call_is_decided_on_is_there(world, connection):
    vendor, vendor_id = world.add_vendor("http://vendor/v1")
    model = world.add_model(vendor, "m-1", retires_on="2027-01-14")
    world.add_route(vendor_id, model, constraints={"regions": ["eu"]})
    agent = world.add_agent(routes=[vendor_id], data_classes=["internal", "confidential"])
    snapshot = await read(SnapshotReading(), connection)
    key = snapshot.keys[agent.key.split("_")[1]]
    seen = snapshot.agents[key.agent]
    assert (key.public_id, seen.public_id, seen.stage) == (agent.key_id, agent.public_id, "live")
    assert (seen.data_classes, seen.routes) == (("confidential", "internal"), (vendor_id,))
    route = snapshot.routes[vendor_id]
    assert route.constraints == {"regions": ["eu"]}
    (target,) = route.targets
    assert (target.model.name, str(target.model.retires_on)) == ("m-1", "2027-01-14")
    assert target.vendor is snapshot.vendors[vendor_id]
    assert target.vendor.secret is not None
    assert snapshot.models[vendor_id, "m-1"] is target.model


async def test_nothing_is_read_again_when_nothing_changed(world, connection):
    world.add_agent()
    reading = SnapshotReading()
    await read(reading, connection)
    assert await reading.read(connection) is None


CHANGES = {
    "an update": "UPDATE registry_agent SET suspended_at = now() WHERE id = {agent}",
    "a delete": "DELETE FROM registry_agentkey WHERE agent_id = {agent}",
    "a delete and an insert": """
        WITH gone AS (DELETE FROM registry_agentkey WHERE agent_id = {agent} RETURNING *)
        INSERT INTO registry_agentkey (public_id, agent_id, key_id, pepper_id, digest, name,
            created_by, created_at, expires_at, revoked_by, revoked_reason)
        SELECT public_id || 'x', agent_id, 'XXXXXXXX', pepper_id, digest, name,
            created_by, created_at, expires_at, revoked_by, revoked_reason FROM gone""",
}


@pytest.mark.parametrize("kind", CHANGES)
async def test_every_change_is_found_and_what_did_not_change_is_kept(world, connection, kind):
    agent, other = world.add_agent(), world.add_agent()
    reading = SnapshotReading()
    before = await read(reading, connection)
    world.change(CHANGES[kind].format(agent=agent.pk))
    after = await read(reading, connection)
    fresh = await read(SnapshotReading(), connection)
    assert (after.keys, after.agents) == (fresh.keys, fresh.agents)
    assert (after.keys, after.agents) != (before.keys, before.agents)
    assert after.agents[other.pk] is before.agents[other.pk]
    assert after.routes is before.routes
    world.change("DELETE FROM registry_agentkey WHERE key_id = 'XXXXXXXX'")


async def test_a_change_committed_by_a_transaction_older_than_the_last_reading_is_found(
    world, connection, rig
):
    agent = world.add_agent()
    reading = SnapshotReading()
    async with await psycopg.AsyncConnection.connect(rig.owner) as slow:
        await slow.execute(
            "UPDATE registry_agent SET killed_at = now(), suspended_at = now() WHERE id = %s",
            [agent.pk],
        )
        world.add_agent()
        before = await read(reading, connection)
        assert not before.agents[agent.pk].is_killed
        world.add_agent()
        await read(reading, connection)
        await slow.commit()
    after = await read(reading, connection)
    assert after.agents[agent.pk].is_killed


async def test_ten_thousand_agents_are_read_without_holding_up_calls(world, connection):
    agent = world.add_agent()
    world.change(
        "INSERT INTO registry_agentkey (public_id, agent_id, key_id, pepper_id, digest, name,"
        " created_by, created_at, expires_at, revoked_by, revoked_reason)"
        " SELECT 'key_' || n, %s, 'k' || n, 'p1', '', '', '', now(), now() + '1 day'::interval,"
        " '', ''"
        " FROM generate_series(1, 10000) n",
        agent.pk,
    )
    reading = SnapshotReading()
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    watching = asyncio.create_task(watch())
    snapshot = await read(reading, connection)
    world.change("UPDATE registry_agentkey SET revoked_at = now() WHERE key_id = 'k77'")
    changed = await read(reading, connection)
    watching.cancel()
    world.change("DELETE FROM registry_agentkey WHERE agent_id = %s", agent.pk)
    assert len(snapshot.keys) > 10_000
    assert changed.keys["k77"].is_revoked
    # Others had their turn again and again while ten thousand keys were read.
    assert turns > 20


async def test_a_bell_brings_a_change_at_once(world, rig):
    taken: list[Snapshot] = []
    fresh = FreshSnapshots(rig.login, on_change=taken.append)
    await fresh.open()
    await asyncio.sleep(0.1)
    agent = await asyncio.to_thread(world.add_agent)
    async with asyncio.timeout(0.2):
        while agent.pk not in fresh.current().agents:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    await fresh.close()
    assert taken[-1] is not taken[0]


async def test_a_second_look_knows_what_is_committed_and_takes_its_time(world, rig, monkeypatch):
    looks = 0
    fresh = FreshSnapshots(rig.login, on_change=lambda _: None)
    read = fresh._reading.read

    async def counted(connection):
        nonlocal looks
        looks += 1
        return await read(connection)

    monkeypatch.setattr(fresh._reading, "read", counted)
    await fresh.open()
    agent = await asyncio.to_thread(world.add_agent)
    await asyncio.gather(*(fresh.look_again() for _ in range(100)))
    assert agent.pk in fresh.current().agents
    started, looks = time.monotonic(), 0
    while time.monotonic() - started < 0.5:
        await fresh.look_again()
    assert looks <= 25
    await fresh.close()


async def test_a_look_that_is_merely_late_is_waited_for(world, rig, monkeypatch):
    fresh = FreshSnapshots(rig.login, on_change=lambda _: None)
    await fresh.open()
    await asyncio.sleep(0.05)
    time.sleep(1.2)  # noqa: ASYNC251  a machine that had no time for us
    with pytest.raises(NotGoverned):
        fresh.current()
    await fresh.fresh()
    assert fresh.age_seconds < 1
    await fresh.close()


async def test_what_cannot_be_confirmed_is_not_given_out(world, rig, monkeypatch):
    fresh = FreshSnapshots(rig.login, on_change=lambda _: None)
    await fresh.open()
    assert fresh.current() is fresh.current()
    rig.postgres.stop()
    try:
        await asyncio.sleep(1.2)
        with pytest.raises(NotGoverned):
            await fresh.fresh()
    finally:
        rig.spawn()
    async with asyncio.timeout(5):
        while fresh.age_seconds > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    fresh.current()
    await fresh.close()
