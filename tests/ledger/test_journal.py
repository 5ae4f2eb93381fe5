"""The journal: durable before it says so, in chains without gaps, one commit for many."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from bench.gateway.rig import Rig, World
from kernel import clock
from kernel.refs import Ref, new_id
from kernel.sealing import PublicRing
from ledger import journal as journal_module
from ledger.datakeys import DataKeySource
from ledger.entries import Fields, encrypt_payload
from ledger.journal import Journal, JournalDown, JournalFull, NotRecordable, Row, Table
from tests.rigs import CopiedRig

# Each test takes its own rows, but one cluster serves them all.
pytestmark = pytest.mark.xdist_group("journal")

RUNS = Table(
    "routing_run",
    (("run_id", "text"), ("agent_id", "text"), ("label", "text"), ("started_at", "timestamptz")),
    "ON CONFLICT DO NOTHING",
)


@pytest.fixture(scope="module")
def rig(tmp_path_factory) -> Iterator[Rig]:
    with CopiedRig(tmp_path_factory.mktemp("journal"), fsync=False) as made:
        yield made


@pytest.fixture
def world(rig) -> Iterator[World]:
    made = World(rig)
    yield made
    made.close()


@pytest.fixture
async def journal(rig) -> AsyncIterator[Journal]:
    made = Journal(rig.login, process=f"gateway:test:{new_id('p')}")
    await made.open()
    yield made
    await made.close()


def entry(**over: Any) -> Fields:
    given: dict[str, Any] = {
        "kind": "intent",
        "verb": "call.intended",
        "actor": Ref("agent", "agt_1"),
        "subject": Ref("model", "mod_1"),
        "recorded_at": clock.now(),
        "facts": {"n": 1},
        "entry_id": new_id("ent"),
    }
    return Fields(**given | over)


def chain(world: World, stream: str) -> list[tuple[Any, ...]]:
    return world.query(
        "SELECT writer, seq, prev_hash, leaf_hash, header FROM ledger_entry WHERE stream = %s"
        " ORDER BY id",
        stream,
    )


async def test_an_entry_is_in_the_database_when_append_returns(journal, world):
    stream = new_id("run")
    await journal.append(entry(), stream=stream)
    ((writer, seq, prev, _, header),) = chain(world, stream)
    assert (writer, seq, bytes(prev)) == (journal.writer, 1, bytes(32))
    assert json.loads(bytes(header))["facts"] == {"n": 1}


async def test_many_at_once_share_commits_and_each_chain_has_no_gap(journal, world):
    streams = [new_id("run") for _ in range(5)]
    await asyncio.gather(
        *(journal.append(entry(), stream=streams[number % 5]) for number in range(200))
    )
    assert journal.batches < 50
    for stream in streams:
        links = chain(world, stream)
        assert [row[1] for row in links] == list(range(1, 41))
        assert [bytes(row[2]) for row in links[1:]] == [bytes(row[3]) for row in links[:-1]]


async def test_rows_and_payload_are_in_the_same_commit(journal, world, rig):
    run_id = new_id("run")
    fields = entry()
    keys = DataKeySource(lambda: PublicRing.load(rig.keys_dir, "payload"))
    key, made = keys.key_for("agt_1", "internal")
    assert made is not None
    table = Table(
        "ledger_datakey",
        (
            ("dek_id", "text"), ("scope", "text"), ("data_class", "text"), ("ring_key_id", "text"),
            ("wrapped_key", "bytea"), ("created_at", "timestamptz"), ("state", "text"),
        ),
    )  # fmt: skip
    rows = [
        Row(RUNS, (run_id, "agt_1", run_id, clock.now())),
        Row(table, (*made.parameters, "active")),
    ]
    payload = encrypt_payload(b"said", key, fields.entry_id)
    await journal.append(replace(fields, payload=payload), stream=run_id, rows=rows)
    assert world.query(
        "SELECT e.xid = k.xmin::text::xid8, p.dek_id = k.dek_id FROM ledger_entry e"
        " JOIN ledger_payload p USING (entry_id) JOIN ledger_datakey k USING (dek_id)"
        " JOIN routing_run r ON r.run_id = e.stream WHERE e.entry_id = %s",
        fields.entry_id,
    ) == [(True, True)]


async def test_the_same_row_twice_is_written_once(journal, world):
    run_id = new_id("run")
    row = Row(RUNS, (run_id, "agt_1", run_id, clock.now()))
    await asyncio.gather(*(journal.append(entry(), stream=run_id, rows=[row]) for _ in range(4)))
    assert world.query("SELECT count(*) FROM routing_run WHERE run_id = %s", run_id) == [(1,)]
    assert len(chain(world, run_id)) == 4


POISON: dict[str, dict[str, Any]] = {
    "a NUL": {"verb": "a\x00b"},
    "a number beyond I-JSON": {"facts": {"n": 2**60}},
    "half a surrogate pair": {"facts": {"x": "\ud800"}},
    "a header too large": {"facts": {"x": "y" * 70_000}},
}


@pytest.mark.parametrize("kind", POISON)
async def test_one_entry_that_is_refused_does_not_take_the_others_along(journal, world, kind):
    stream = new_id("run")
    good = [journal.append(entry(), stream=stream) for _ in range(3)]
    bad = journal.append(entry(**POISON[kind]), stream=stream)
    more = [journal.append(entry(), stream=stream) for _ in range(3)]
    done = await asyncio.gather(*good, bad, *more, return_exceptions=True)
    assert [type(result) for result in done] == [type(None)] * 3 + [NotRecordable] + [
        type(None)
    ] * 3
    assert [row[1] for row in chain(world, stream)] == [1, 2, 3, 4, 5, 6]


async def test_an_intent_has_one_result(journal, world):
    stream, intent = new_id("run"), entry()
    await journal.append(intent, stream=stream)
    result = {"kind": "result", "verb": "call.completed", "intent_id": intent.entry_id}
    await journal.append(entry(**result), stream=stream)
    with pytest.raises(NotRecordable):
        await journal.append(entry(**result), stream=stream)
    assert [row[1] for row in chain(world, stream)] == [1, 2]


async def test_a_forgotten_head_is_read_back(journal, world, monkeypatch):
    monkeypatch.setattr(journal_module, "HEADS_KEPT", 2)
    stream = new_id("run")
    await journal.append(entry(), stream=stream)
    for _ in range(4):
        await journal.append(entry(), stream=new_id("run"), is_first=True)
    await journal.append(entry(), stream=stream)
    assert [row[1] for row in chain(world, stream)] == [1, 2]


async def test_more_than_may_wait_is_refused_at_once(journal, monkeypatch):
    monkeypatch.setattr(journal_module, "QUEUE_LIMIT", 3)
    done = await asyncio.gather(
        *(journal.append(entry(), stream=new_id("run")) for _ in range(5)), return_exceptions=True
    )
    assert [type(result) for result in done].count(JournalFull) == 2


async def test_a_fenced_writer_adds_nothing_and_goes_on_under_another_epoch(journal, world):
    first, stream = journal.writer, new_id("run")
    await journal.append(entry(), stream=stream)
    world.change("UPDATE ledger_writer SET closed_at = now() WHERE writer = %s", first)
    with pytest.raises(JournalDown):
        await journal.append(entry(), stream=stream)
    await until(lambda: journal.is_up)
    await journal.append(entry(), stream=stream)
    assert [(row[0], row[1]) for row in chain(world, stream)] == [(first, 1), (journal.writer, 1)]


async def test_closing_does_not_wait_for_a_database_that_is_gone(rig):
    asked, never = asyncio.Event(), asyncio.Event()

    async def know_again() -> None:
        asked.set()
        await never.wait()

    made = Journal(rig.login, process=f"gateway:test:{new_id('p')}", before_epoch=know_again)
    await made.open()
    with psycopg.connect(rig.login) as same_role:
        same_role.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = current_user AND pid <> pg_backend_pid()"
        )
    async with asyncio.timeout(60):
        with contextlib.suppress(JournalDown):
            await made.append(entry(), stream=new_id("run"))
        await asked.wait()
        await made.close()


async def test_closing_a_writer_waits_for_a_commit_that_runs(journal, world, rig):
    """Whoever fences sees everything that the fenced one recorded."""
    run_id = new_id("run")
    row = (run_id, "agt_1", run_id, clock.now())
    looking = rig.connect()
    async with await psycopg.AsyncConnection.connect(rig.owner) as other:
        await other.execute("INSERT INTO routing_run VALUES (%s, %s, %s, %s)", row)
        writing = asyncio.create_task(journal.append(entry(), stream=run_id, rows=[Row(RUNS, row)]))
        await until(lambda: waiting_for_locks(looking) == 1)
        fence = "UPDATE ledger_writer SET closed_at = now() WHERE writer = %s"
        closing = asyncio.create_task(asyncio.to_thread(world.change, fence, journal.writer))
        await until(lambda: waiting_for_locks(looking) == 2 or closing.done())
        has_waited = not closing.done()
        await other.rollback()
        await asyncio.gather(writing, closing)
    looking.close()
    assert has_waited
    assert len(chain(world, run_id)) == 1


async def test_a_lost_connection_refuses_who_waits_and_a_new_epoch_goes_on(journal, world, rig):
    first = journal.writer
    with psycopg.connect(rig.login) as same_role:
        same_role.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = current_user AND pid <> pg_backend_pid()"
        )
    with contextlib.suppress(JournalDown):
        await journal.append(entry(), stream=new_id("run"))
    await until(lambda: journal.is_up and journal.writer != first)
    await journal.append(entry(), stream=new_id("run"))
    assert world.query("SELECT closed_at IS NULL FROM ledger_writer WHERE writer = %s", first) == [
        (False,)
    ]


async def test_it_beats_while_it_lives_and_closes_when_it_ends(rig, world, monkeypatch):
    monkeypatch.setattr(journal_module, "HEARTBEAT_SECONDS", 0.05)
    journal = Journal(rig.login, process="gateway:beating")
    await journal.open()
    beat = "SELECT heartbeat_at, closed_at FROM ledger_writer WHERE writer = %s"
    ((before, _),) = world.query(beat, journal.writer)
    await until(lambda: world.query(beat, journal.writer)[0][0] > before)
    writer = journal.writer
    waiting = [asyncio.create_task(journal.append(entry(), stream="run_x")) for _ in range(5)]
    await asyncio.sleep(0)
    await journal.close()
    await asyncio.gather(*waiting)
    ((_, closed_at),) = world.query(beat, writer)
    assert closed_at is not None
    with pytest.raises(JournalDown):
        await journal.append(entry(), stream="run_x")


def waiting_for_locks(looking: psycopg.Connection[Any]) -> int:
    ((count,),) = looking.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchall()
    return int(count)


async def until(holds: Any, seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  what is awaited is in the database
            await asyncio.sleep(0.01)
