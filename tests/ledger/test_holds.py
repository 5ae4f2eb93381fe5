"""Holds: what does not fit is refused, whoever asks at the same moment, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bench.gateway.rig import Rig, World
from kernel import clock
from kernel.refs import Ref, new_id
from ledger.entries import Fields
from ledger.holds import Book, Level, Move, NoRoom, Window, summed
from ledger.journal import Journal, NotRecordable, Row, Table
from tests.rigs import CopiedRig

pytestmark = pytest.mark.xdist_group("holds")

BOOK = Book(windows="routing_budgetwindow", limits="routing_budget")
START = datetime(2026, 11, 1, tzinfo=UTC)
RUNS = Table(
    "routing_run",
    (("run_id", "text"), ("agent_id", "text"), ("label", "text"), ("started_at", "timestamptz")),
)


@pytest.fixture(scope="module")
def rig(tmp_path_factory) -> Iterator[Rig]:
    with CopiedRig(tmp_path_factory.mktemp("holds"), fsync=False) as made:
        yield made


@pytest.fixture
def world(rig) -> Iterator[World]:
    made = World(rig)
    yield made
    made.close()


async def opened(rig: Rig) -> Journal:
    made = Journal(rig.login, process=f"gateway:test:{new_id('p')}", book=BOOK)
    await made.open()
    return made


@pytest.fixture
async def journal(rig) -> AsyncIterator[Journal]:
    made = await opened(rig)
    yield made
    await made.close()


@pytest.fixture
async def journals(rig) -> AsyncIterator[list[Journal]]:
    made = [await opened(rig) for _ in range(3)]
    yield made
    for each in made:
        await each.close()


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


def limit(world: World, cap: int) -> Window:
    made = world.insert(
        "routing_budget",
        public_id=new_id("bud"),
        subject_kind="organisation",
        model=new_id("m"),
        measure="cost",
        period="month",
        cap=cap,
        currency="USD",
        time_zone="UTC",
        thresholds=[],
        source="people",
        created_by="system:test",
        created_at=clock.now(),
        changed_at=clock.now(),
    )
    return Window(made, START)


def level(world: World, window: Window) -> Level:
    ((spent, held),) = world.query(
        "SELECT spent, held FROM routing_budgetwindow WHERE budget_id = %s AND starts_at = %s",
        window.limit, window.starts_at,
    )  # fmt: skip
    return Level(spent, held)


def hold(window: Window, amount: int) -> Move:
    return Move(window, held=amount, asks=True)


def settle(window: Window, held: int, spent: int) -> Move:
    return Move(window, held=-held, spent=spent)


async def say(journal: Journal, *moves: Move, stream: str = "", **over: Any) -> bool:
    """Append an entry with moves; tell whether there was room."""
    try:
        await journal.append(entry(**over), stream=stream or new_id("run"), moves=moves)
    except NoRoom:
        return False
    return True


async def test_a_hold_is_there_when_append_returns_and_gone_when_settled(journal, world):
    window = limit(world, 100)
    assert await say(journal, hold(window, 60))
    assert level(world, window) == Level(0, 60)
    assert not await say(journal, hold(window, 41))
    assert await say(journal, settle(window, 60, 7))
    assert level(world, window) == Level(7, 0)
    assert await say(journal, hold(window, 93))
    assert not await say(journal, hold(window, 1))


async def test_what_is_refused_is_not_on_record_and_leaves_no_gap(journal, world):
    window, stream = limit(world, 10), new_id("run")
    outcomes = await asyncio.gather(
        *(say(journal, hold(window, 3), stream=stream) for _ in range(8))
    )
    assert outcomes == [True] * 3 + [False] * 5
    seqs = world.query("SELECT seq FROM ledger_entry WHERE stream = %s ORDER BY seq", stream)
    assert seqs == [(1,), (2,), (3,)]
    assert await say(journal, stream=stream)
    assert world.query("SELECT max(seq) FROM ledger_entry WHERE stream = %s", stream) == [(4,)]


async def test_others_of_the_batch_are_written_when_one_does_not_fit(journal, world):
    window, other = limit(world, 10), limit(world, 10)
    outcomes = await asyncio.gather(
        say(journal, hold(window, 11)),
        say(journal, hold(other, 10)),
        say(journal),
        say(journal, hold(window, 10)),
    )
    assert list(outcomes) == [False, True, True, True]


async def test_of_two_windows_both_must_have_room_or_neither_is_touched(journal, world):
    wide, narrow = limit(world, 100), limit(world, 5)
    assert not await say(journal, hold(wide, 6), hold(narrow, 6))
    assert level(world, wide) == level(world, narrow) == Level(0, 0)


async def test_settling_is_never_refused_even_above_the_cap(journal, world):
    window = limit(world, 10)
    assert await say(journal, hold(window, 10))
    assert await say(journal, settle(window, 10, 25))
    assert level(world, window) == Level(25, 0)
    assert not await say(journal, hold(window, 0))


async def test_what_a_batch_settles_makes_room_for_what_it_holds(journal, world):
    window = limit(world, 10)
    assert await say(journal, hold(window, 10))
    outcomes = await asyncio.gather(
        say(journal, hold(window, 9)), say(journal, settle(window, 10, 1))
    )
    assert list(outcomes) == [True, True]
    assert level(world, window) == Level(1, 9)


async def test_three_writers_at_once_never_pass_a_cap(journals, world):
    windows = [limit(world, 500), limit(world, 300), limit(world, 1000)]
    taken = [0, 0, 0]

    async def work(journal: Journal, number: int) -> None:
        for turn in range(25):
            used = [windows[number % 3], windows[(number + turn) % 3]]
            moves = [hold(window, 1 + (number + turn) % 7) for window in dict.fromkeys(used)]
            if not await say(journal, *moves):
                continue
            spent = turn % 2
            ended = [settle(move.window, move.held, spent) for move in reversed(moves)]
            assert await say(journal, *ended)
            for move in moves:
                taken[windows.index(move.window)] += spent

    await asyncio.gather(*(work(each, n) for n in range(30) for each in journals))
    for window, spent in zip(windows, taken, strict=True):
        found = level(world, window)
        assert found == Level(spent, 0)
    assert all(journal.is_up for journal in journals)
    assert sum(journal.slow_batches for journal in journals) > 0


async def test_held_and_spent_are_at_most_the_cap_at_every_moment(journals, world):
    window = limit(world, 40)
    highest = 0
    done = asyncio.Event()

    async def look() -> None:
        nonlocal highest
        while not done.is_set():
            found = await asyncio.to_thread(
                world.query,
                "SELECT coalesce(max(spent + held), 0) FROM routing_budgetwindow"
                " WHERE budget_id = %s",
                window.limit,
            )
            highest = max(highest, found[0][0])
            await asyncio.sleep(0.002)

    async def take(journal: Journal) -> int:
        if not await say(journal, hold(window, 3)):
            return 0
        await asyncio.sleep(0.01)
        await say(journal, settle(window, 3, 1))
        return 1

    looking = asyncio.create_task(look())
    spent = sum(await asyncio.gather(*(take(journals[n % 3]) for n in range(300))))
    done.set()
    await looking
    assert highest <= 40
    assert level(world, window) == Level(spent, 0)
    assert spent >= 13


async def test_a_result_given_twice_settles_once(journal, world):
    window, intent = limit(world, 100), new_id("ent")
    assert await say(journal, hold(window, 50), entry_id=intent)
    ended = settle(window, 50, 20)
    assert await say(journal, ended, kind="result", verb="call.completed", intent_id=intent)
    with pytest.raises(NotRecordable):
        await say(journal, ended, kind="result", verb="call.completed", intent_id=intent)
    assert level(world, window) == Level(20, 0)


async def test_an_entry_the_database_refuses_holds_nothing(journal, world):
    window = limit(world, 100)
    outcomes = await asyncio.gather(
        say(journal, hold(window, 10)),
        say(journal, hold(window, 10), verb="a\x00b"),
        say(journal, hold(window, 10)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [bool, NotRecordable, bool]
    assert level(world, window) == Level(0, 20)


async def test_a_lowered_cap_counts_at_once(journal, world):
    window = limit(world, 100)
    assert await say(journal, hold(window, 50))
    world.change("UPDATE routing_budget SET cap = 55 WHERE id = %s", window.limit)
    assert not await say(journal, hold(window, 6))
    assert await say(journal, hold(window, 5))


async def test_rows_are_written_with_the_hold_or_not_at_all(journal, world):
    window, run_id = limit(world, 5), new_id("run")
    row = Row(RUNS, (run_id, "agt_1", run_id, clock.now()))
    with pytest.raises(NoRoom):
        await journal.append(entry(), stream=run_id, rows=[row], moves=[hold(window, 6)])
    assert world.query("SELECT count(*) FROM routing_run WHERE run_id = %s", run_id) == [(0,)]
    await journal.append(entry(), stream=run_id, rows=[row], moves=[hold(window, 5)])
    assert world.query("SELECT count(*) FROM routing_run WHERE run_id = %s", run_id) == [(1,)]


async def test_it_knows_how_a_window_stood_when_it_last_wrote(journal, world):
    window = limit(world, 10)
    assert journal.levels.get(window) is None
    await say(journal, hold(window, 4))
    assert journal.levels.get(window) == Level(0, 4)
    await say(journal, settle(window, 4, 2))
    assert journal.levels.get(window) == Level(2, 0)


def test_moves_of_one_window_are_summed_in_the_order_of_locks():
    later = Window(1, datetime(2026, 12, 1, tzinfo=UTC))
    first, second = Window(1, START), Window(2, START)
    moves = [Move(second, 1), Move(later, 2, asks=True), Move(first, 4), Move(second, 8, 3)]
    assert summed(moves) == [
        Move(first, 4), Move(later, 2, asks=True), Move(second, 9, 3),
    ]  # fmt: skip
