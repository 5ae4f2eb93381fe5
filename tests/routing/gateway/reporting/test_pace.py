"""How fast, and how many at once: nobody's reports take everybody's place."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from routing.gateway.reporting import pace
from routing.gateway.reporting.errors import ReportsBusy, ReportsThrottled
from routing.gateway.reporting.pace import Pace, Room


def test_an_agent_has_a_minutes_worth_and_gets_it_back_as_time_goes_by(monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr("routing.gateway.reporting.pace.time.monotonic", lambda: now[0])
    paced = Pace(60)
    assert [paced.take("one", 50), paced.take("one", 50), paced.take("other", 60)] == [50, 10, 60]
    with pytest.raises(ReportsThrottled) as refused:
        paced.take("one", 30)
    assert refused.value.facts["retry_after_seconds"] == 5
    now[0] += 5
    assert paced.take("one", 30) == 5
    assert paced.take("one", 0) == 0


async def test_one_agent_has_half_of_the_places(monkeypatch) -> None:
    monkeypatch.setattr(pace, "_PATIENCE_SECONDS", 0.01)
    room = Room(4)
    async with AsyncExitStack() as inside:
        for agent in ("a", "a", "b"):
            await inside.enter_async_context(room.entered(agent))
        with pytest.raises(ReportsBusy):
            await inside.enter_async_context(room.entered("a"))
        await inside.enter_async_context(room.entered("b"))
        with pytest.raises(ReportsBusy):
            await inside.enter_async_context(room.entered("c"))
    async with room.entered("a"), room.entered("a"), room.entered("c"):
        await asyncio.sleep(0)
