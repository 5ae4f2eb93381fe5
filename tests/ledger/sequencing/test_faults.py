"""What may go wrong around a sequencer, with real processes on a real server: nothing is lost."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from random import Random

import psycopg
import pytest

from ledger.sequencing.epochs import SEQUENCER_LOCK
from tests.ledger.sequencing.conftest import Log

pytestmark = pytest.mark.xdist_group("sequencing")

CHANCE = Random()  # noqa: S311  no secret
WITNESSED = "tests.ledger.sequencing.witnessed_program"
HELD_SECONDS = int(os.environ.get("UNSPRAWL_SOAK_HELD_SECONDS", "12"))
ACTIVE = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    f" AND mode = 'ExclusiveLock' AND objid = {SEQUENCER_LOCK & 0xFFFF_FFFF}"
)
STATE = "SELECT state FROM ledger_sequencerreport ORDER BY id DESC LIMIT 1"


@contextlib.contextmanager
def writing(log: Log, write: Callable[[psycopg.Connection], None]) -> Iterator[None]:
    """Keep recording from four sessions, each in transactions as ``write`` makes them."""
    stopping = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with log.session() as session:
                while not stopping.is_set():
                    write(session)
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    assert not failures


def test_an_entry_that_commits_late_is_not_passed_by(log: Log) -> None:
    """Ids commit out of order: a reader of ``id > last`` loses the one that was first drawn."""
    connection, sequencer = log.sequencer()
    last, read_by_id = 0, list[int]()

    def read_on() -> None:
        nonlocal last
        rows = log.query("SELECT id FROM ledger_entry WHERE id > %s ORDER BY id", last)
        read_by_id.extend(row[0] for row in rows)
        last = max([last, *read_by_id])

    with connection, log.session() as late, log.session() as early:
        late.execute("BEGIN")
        log.fill(1, late)
        log.fill(1, early)
        read_on()
        assert sequencer.step().entries == 0  # the one that waits keeps the other waiting
        late.execute("COMMIT")
        read_on()
        assert sequencer.step().entries == 2
    committed = [row[0] for row in log.query("SELECT id FROM ledger_entry ORDER BY id")]
    assert read_by_id == committed[1:], "the naive reader has lost the first one for ever"
    assert log.query('SELECT entry FROM ledger_leaf ORDER BY "index"') == [
        (entry,) for entry in committed
    ]
    log.check()


def test_an_undecided_transaction_that_began_first_keeps_the_order(log: Log) -> None:
    connection, sequencer = log.sequencer()
    with connection, log.session() as first, log.session() as second:
        first.execute("BEGIN")
        first.execute("SELECT pg_current_xact_id()")
        log.fill(1, second)  # a smaller id, a larger transaction
        log.fill(1, first)
        first.execute("COMMIT")
        assert sequencer.step().entries == 2
    order = [row[0] for row in log.query('SELECT entry FROM ledger_leaf ORDER BY "index"')]
    assert order == sorted(order, reverse=True)


def test_what_is_rolled_back_leaves_no_trace_and_no_gap(log: Log) -> None:
    rolled_back: list[bool] = []

    def write(session: psycopg.Connection) -> None:
        session.execute("BEGIN")
        log.fill(CHANCE.randint(1, 5), session)
        rolled_back.append(CHANCE.random() < 0.75)
        session.execute("ROLLBACK" if rolled_back[-1] else "COMMIT")

    log.start()
    with writing(log, write):  # as fast as four sessions can: hundreds a second
        log.wait(lambda: sum(rolled_back) > 1_000, 240)
    log.settle()
    assert log.one("SELECT max(id) FROM ledger_entry") > log.committed
    log.check()


def test_of_two_sequencers_one_works_and_the_other_takes_over(log: Log) -> None:
    processes = [log.start(), log.start()]

    def write(session: psycopg.Connection) -> None:
        log.fill(20, session)

    with writing(log, write):
        active = _successor(log, of=None)
        for _ in range(4):
            log.wait(lambda: log.sequenced > 0)
            # Whoever is active is killed, and one more stands by.
            for process in processes:
                if process.poll() is None and _holds(log, process.pid, active):
                    log.stop(process, signal.SIGKILL)
            processes.append(log.start())
            active = _successor(log, of=active)
            # Counted only now: what the one that was killed still committed proves nothing.
            before = log.sequenced
            log.wait(lambda was=before: log.sequenced > was)  # type: ignore[misc]
    log.settle()
    assert sum(process.poll() is None for process in processes) == 2
    log.check()


def _successor(log: Log, *, of: int | None) -> int:
    """Return the one backend that works now, once it is another than ``of``: never two at once."""
    active: list[int] = []

    def taken_over() -> bool:
        active[:] = [pid for (pid,) in log.query(ACTIVE)]
        assert len(active) <= 1
        return bool(active) and active != [of]

    log.wait(taken_over)
    return active[0]


def _holds(log: Log, process: int, backend: int) -> bool:
    """Tell whose backend it is: each names itself by its process's id."""
    return bool(
        log.query(
            "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND application_name LIKE %s",
            backend,
            f"%:{process}",
        )
    )


def test_a_sequencer_that_is_killed_under_load_misses_nothing(log: Log) -> None:
    def write(session: psycopg.Connection) -> None:
        log.fill(CHANCE.randint(1, 30), session)

    with writing(log, write):
        for _ in range(5):
            process = log.start()
            time.sleep(CHANCE.uniform(0.6, 1.4))
            log.stop(process, signal.SIGKILL)
            log.check()
    log.start()
    log.settle()
    log.check()


def test_a_lost_connection_is_a_lost_lock_and_a_new_beginning(log: Log) -> None:
    process = log.start()
    for _ in range(3):
        log.fill(100)
        log.settle()
        log.query(f"SELECT pg_terminate_backend(pid) FROM ({ACTIVE}) active")
    log.fill(100)
    log.settle()
    assert process.poll() is None
    log.check()


def test_one_whose_session_is_gone_writes_nothing_more(log: Log) -> None:
    """The lock and the writing share a session, so a stale sequencer has nothing to write with."""
    connection, stale = log.sequencer()
    log.fill(5)
    assert stale.step().entries == 5
    log.query("SELECT pg_terminate_backend(%s)", connection.info.backend_pid)
    fresh_connection, fresh = log.sequencer()
    log.fill(5)
    with fresh_connection:
        assert fresh.step().entries == 5
        with pytest.raises(psycopg.OperationalError):
            stale.step()
        log.check()


@pytest.mark.slow
def test_a_transaction_held_open_delays_the_tree_and_nothing_else(log: Log) -> None:
    log.start()
    log.fill(10)
    log.settle()
    with log.session(application_name="nightly-import") as holder, log.session() as other:
        holder.execute("SET idle_in_transaction_session_timeout = 0")
        holder.execute("BEGIN")
        holder.execute("SELECT pg_current_xact_id()")
        slowest, until = 0.0, time.monotonic() + HELD_SECONDS
        while time.monotonic() < until:
            begun = time.monotonic()
            log.fill(100, other)
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.05)
        assert log.sequenced == 10
        assert slowest < 0.8 * HELD_SECONDS, "recording waits for nobody"
        log.wait(lambda: log.one(STATE) == "behind")
        ((state, found),) = log.query(
            "SELECT state, found FROM ledger_sequencerreport ORDER BY id DESC LIMIT 1"
        )
        assert state == "behind"
        assert "nightly-import" in found
        assert f"pid {holder.info.backend_pid}" in found
        assert "idle in transaction" in found
        before = log.one("SELECT count(*) FROM ledger_checkpoint")
        holder.execute("COMMIT")
        log.settle(120)
    # It catches up without a pause, ten thousand at once.
    batches = log.one("SELECT count(*) FROM ledger_checkpoint") - before
    assert batches <= 3 + log.committed // 10_000
    log.wait(lambda: log.one(STATE) == "running")
    log.check()


def test_after_a_stall_it_catches_up_without_a_pause(log: Log) -> None:
    log.fill(30_000)
    log.start()
    log.settle()
    sizes = [row[0] for row in log.query("SELECT size FROM ledger_checkpoint ORDER BY size")]
    # One or two batches of the usual size show that it is behind; then ten thousand at once.
    steps = [after - before for before, after in itertools.pairwise([0, *sizes])]
    assert steps in ([1_000, 10_000, 10_000, 9_000], [1_000, 1_000, 10_000, 10_000, 8_000])
    log.check()


def test_clocks_that_are_set_change_neither_the_order_nor_the_tree(log: Log) -> None:
    def write(session: psycopg.Connection) -> None:
        log.fill(10, session, when="now() + (random() - 0.5) * interval '2 hours'")

    log.start(program=("-m", WITNESSED, "stepping"))
    with writing(log, write):
        time.sleep(2)
    log.settle()
    rows = log.query(
        "SELECT e.xid::text, e.id FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry"
        ' ORDER BY l."index"'
    )
    places = [(int(xid), entry) for xid, entry in rows]
    assert places == sorted(places)
    log.check()


def test_a_tree_that_was_altered_ends_the_sequencer_and_is_said_once(log: Log) -> None:
    log.fill(300)
    connection, sequencer = log.sequencer()
    with connection:
        sequencer.step()
    log.admin.execute("UPDATE ledger_leaf SET leaf_hash = sha256('x') WHERE \"index\" = 299")
    log.fill(1)
    for _ in range(2):
        assert log.start().wait(60) == 1
    assert "altered" in log.said.read_text(encoding="utf-8")
    ((state, found),) = log.query("SELECT state, found FROM ledger_sequencerreport")
    assert state == "halted"
    assert "do not lead to the root" in found
    assert log.sequenced == 300


def test_a_sequencer_that_is_asked_to_stop_stops_at_once(log: Log) -> None:
    process, standby = log.start(), log.start()
    log.wait(lambda: len(log.query(ACTIVE)) == 1)
    log.wait(lambda: "standing_by" in log.said.read_text(encoding="utf-8"))
    assert log.stop(process) == log.stop(standby) == 0
