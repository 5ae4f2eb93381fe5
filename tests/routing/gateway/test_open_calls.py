"""A cut arrives inside the block that may be cut, with its cause, and nowhere else."""

from __future__ import annotations

import asyncio
import time

import pytest

from routing.gateway.errors import KeyRevoked, NotGoverned, VendorSlow
from routing.gateway.open_calls import UNGOVERNED_SECONDS, ClientLeft, OpenCalls, Patience
from routing.gateway.snapshot import Vendor

VENDOR = Vendor("ven_1", "v", "openai", "http://v/v1", "bearer", True, (), None)


@pytest.fixture
async def calls():
    return OpenCalls(Patience(total=0.05))


async def test_a_cut_ends_the_block_with_its_cause(calls):
    call = calls.add(None, VENDOR)
    asyncio.get_running_loop().call_later(0.01, call.cut, KeyRevoked())
    with pytest.raises(KeyRevoked), call:
        await asyncio.sleep(60)
    await asyncio.sleep(0)  # nothing is left to arrive later


async def test_the_first_cause_stands(calls):
    call = calls.add(None, VENDOR)
    call.cut(ClientLeft())
    call.cut(KeyRevoked())
    with pytest.raises(ClientLeft), call:
        pytest.fail("the block is not entered")


async def test_a_cut_after_the_block_changes_nothing(calls):
    call = calls.add(None, VENDOR)
    with call:
        await asyncio.sleep(0)
    call.cut(KeyRevoked())
    await asyncio.sleep(0)


async def test_another_failure_in_the_block_is_not_hidden(calls):
    call = calls.add(None, VENDOR)
    with pytest.raises(ValueError, match="mine"), call:
        raise ValueError("mine")


async def test_a_cancellation_from_elsewhere_stays_one(calls):
    async def body():
        with calls.add(None, VENDOR):
            await asyncio.sleep(60)

    task = asyncio.create_task(body())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_sweep_cuts_what_is_overdue_and_total_bounds_every_wait(calls):
    call = calls.add(None, VENDOR)
    call.expect(60, VendorSlow())
    assert call.deadline <= time.monotonic() + 0.05
    asyncio.get_running_loop().call_later(0.06, calls.sweep)
    with pytest.raises(VendorSlow), call:
        await asyncio.sleep(60)


async def test_calls_are_counted_while_they_are_open(calls):
    call = calls.add(None, VENDOR)
    assert len(calls) == 1
    calls.remove(call)
    assert len(calls) == 0


async def test_calls_go_on_while_the_rules_are_merely_late_and_end_when_they_are_lost(calls):
    call = calls.add(None, VENDOR)
    calls.sweep(UNGOVERNED_SECONDS)
    assert call.cause is None
    calls.sweep(UNGOVERNED_SECONDS + 0.1)
    with pytest.raises(NotGoverned), call:
        pytest.fail("the block is not entered")
