"""What a gateway's journal does while the ledger is suspended, and when that is over."""

from __future__ import annotations

import asyncio
import contextlib

import psycopg
import pytest

from kernel import clock
from kernel.refs import Ref
from ledger.entries import Fields
from ledger.errors import LedgerSuspended
from ledger.journal import Journal
from ledger.sequencing.comparing import compare, confirmed, offer_of
from ledger.sequencing.epochs import newest_epoch
from ledger.sequencing.witnesses import Diverged, Offer, Unreachable
from ledger.transparency.notes import SignatureLine

pytestmark = pytest.mark.django_db(transaction=True)


def fields() -> Fields:
    return Fields(
        kind="change", verb="agent.changed", actor=Ref("person", "per_a"),
        subject=Ref("agent", "agt_a"), recorded_at=clock.now(),
    )  # fmt: skip


def run(address: str, statement: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement)


def open_epoch(address: str, number: int) -> None:
    run(
        address,
        f"INSERT INTO ledger_epoch SELECT {number}, 'h/ledger/log_a/{number}', '',"
        " system_identifier, 1, now(), 'a test' FROM pg_control_system()",
    )


async def refused(journal: Journal) -> bool:
    with contextlib.suppress(LedgerSuspended):
        await journal.append(fields(), stream="agent:agt_a")
        return False
    return True


async def test_a_journal_opens_over_a_suspended_ledger_and_goes_on_after_it(
    owner_address: str,
) -> None:
    await asyncio.to_thread(open_epoch, owner_address, 1)
    await asyncio.to_thread(
        run,
        owner_address,
        "INSERT INTO ledger_suspension (epoch_id, found, suspended_at) VALUES (1, 'less', now())",
    )
    journal = Journal(owner_address, process="test")
    await journal.open()
    try:
        assert (journal.is_up, journal.why_down) == (False, "the ledger, suspended")
        assert await refused(journal)
        await asyncio.to_thread(open_epoch, owner_address, 2)
        async with asyncio.timeout(60):
            while not journal.is_up:  # noqa: ASYNC110  nobody rings when it is
                await asyncio.sleep(0.05)
        assert not await refused(journal)
    finally:
        await journal.close()


async def test_a_journal_that_is_open_says_that_the_ledger_was_suspended_meanwhile(
    owner_address: str,
) -> None:
    await asyncio.to_thread(open_epoch, owner_address, 1)
    journal = Journal(owner_address, process="test")
    await journal.open()
    try:
        assert not await refused(journal)
        await asyncio.to_thread(
            run,
            owner_address,
            "INSERT INTO ledger_suspension (epoch_id, found, suspended_at)"
            " VALUES (1, 'less', now())",
        )
        assert await refused(journal)
        async with asyncio.timeout(60):
            while journal.why_down != "the ledger, suspended":  # noqa: ASYNC110  nobody rings when it is
                await asyncio.sleep(0.05)
        assert await refused(journal)
        await asyncio.to_thread(open_epoch, owner_address, 2)
        async with asyncio.timeout(60):
            while not journal.is_up:  # noqa: ASYNC110  nobody rings when it is
                await asyncio.sleep(0.05)
        assert not await refused(journal)
    finally:
        await journal.close()


class Said:
    """A witness that has one answer."""

    def __init__(self, answer: Exception | None) -> None:
        self.answer = answer
        self.asked = list[int]()

    def compare(self, offer: Offer) -> None:
        self.asked.append(offer.size)
        if self.answer is not None:
            raise self.answer

    def cosign(self, offer: Offer) -> list[SignatureLine]:
        raise NotImplementedError


def checkpoint(address: str, size: int) -> None:
    run(
        address,
        f"INSERT INTO ledger_checkpoint VALUES (1, {size}, '\\x{size:02x}', '1', {size}, now())",
    )


def test_an_old_note_that_a_witness_contradicts_is_no_fork(owner_address: str) -> None:
    open_epoch(owner_address, 1)
    checkpoint(owner_address, 5)
    with psycopg.connect(owner_address, autocommit=True) as connection:
        epoch = newest_epoch(connection)
        assert epoch is not None
        old = offer_of(connection, epoch)
        assert confirmed(connection, Said(None), old, "the witness has 9") == "the witness has 9"
        checkpoint(owner_address, 9)  # another sequencer has gone on
        agrees = Said(None)
        assert confirmed(connection, agrees, old, "the witness has 9") == ""
        assert agrees.asked == [9]
        differs = Said(Diverged("another root"))
        assert confirmed(connection, differs, old, "the witness has 9") == "another root"


def test_comparing_suspends_once_and_says_who_was_silent(owner_address: str) -> None:
    with psycopg.connect(owner_address, autocommit=True) as connection:
        assert compare(connection, Said(None)).epoch is None
        open_epoch(owner_address, 1)
        assert compare(connection, Said(Unreachable("w is gone"))).silent == "w is gone"
        assert compare(connection, Said(None)).found == ""
        assert compare(connection, Said(Diverged("less"))).found == "less"
        assert compare(connection, Said(Diverged("more of it"))).found == "less"
        rows = connection.execute("SELECT found FROM ledger_suspension").fetchall()
    assert rows == [("less",)]
