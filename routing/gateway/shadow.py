"""Shadows: a share of a route's calls is sent to another target as well, for comparison.

Owns that the agent never notices. A shadow runs beside the call, from the moment the call's
first intent is durable; it is decided, lent a secret and recorded as any attempt is, and what
comes back is recorded and goes nowhere. What would be one too many at once is dropped, and
counted. A shutdown, a revoked key or a stopped vendor ends it like a call.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from kernel.errors import DomainError
from ledger.entries import Fact
from ledger.holds import NoRoom
from routing.gateway.demanded import awaited
from routing.gateway.errand import Chosen, Errand, Means, Ready, reserved_for
from routing.gateway.errors import VendorNotReady
from routing.gateway.failure import Failure
from routing.gateway.learning import learn
from routing.gateway.recording.attempt import Attempt, Outcome
from routing.gateway.recording.facts import decided_facts
from routing.gateway.reserving import Unaffordable
from routing.gateway.snapshot import Target

logger = structlog.get_logger("unsprawl.gateway")

AT_ONCE: Final = 32
_LARGEST_BYTES: Final = 4 * 1024 * 1024

Told = Callable[[str, str], None]


class ShadowRunner:
    """The shadows of this process."""

    def __init__(self, told: Told = lambda route, result: None, at_once: int = AT_ONCE) -> None:
        self._told = told
        self._at_once = at_once
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def offer(self, means: Means, errand: Errand, chosen: Chosen, first: Attempt) -> None:
        """Begin a shadow of a call, if its route wants one of this call. Never waits."""
        target, wanted = chosen.route.shadow, chosen.route.options.shadow
        if target is None or wanted is None or not target.is_enabled:
            return
        if random.random() * 100 >= wanted.percent:  # noqa: S311  no secret
            return
        if target.breaker == first.target.breaker:
            return
        if len(self._tasks) >= self._at_once or len(errand.raw) > _LARGEST_BYTES:
            self._told(chosen.route.name, "dropped")
            return
        task = asyncio.create_task(self._run(means, errand, chosen, target, first))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def close(self) -> None:
        """End all shadows; each says so in its result."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            logger.error("shadow.fault", kind=type(fault).__name__, exc_info=fault)

    async def _run(
        self, means: Means, errand: Errand, chosen: Chosen, target: Target, first: Attempt
    ) -> None:
        try:
            result = await _carry_out(means, errand, chosen, target, first)
        except VendorNotReady:
            result = "not_ready"
        except (DomainError, Unaffordable, NoRoom):
            # A budget that is spent, a ledger that is down: there is no shadow then.
            result = "refused"
        self._told(chosen.route.name, result)


async def _carry_out(
    means: Means, errand: Errand, chosen: Chosen, target: Target, first: Attempt
) -> str:
    if not await errand.can_shadow(chosen, target):
        return "not_possible"
    decision = await means.decider.decide(errand.facts(chosen, target))
    if not decision.allow:
        return "denied"
    passage, outgoing = errand.prepare(target)
    reserved = reserved_for(means, errand, chosen, target, is_first=False)
    if not means.breakers.takes(target.breaker, time.monotonic()):
        return "left_alone"
    ready = Ready(chosen, target, decision, passage, outgoing)
    decided: dict[str, Fact] = {**decided_facts(decision), **passage.facts}
    made = errand.attempt(ready, is_first=False)
    attempt = replace(
        made,
        decided={**made.decided, **decided},
        call_id=first.entry_id,
        number=0,
        reserved=reserved,
    )
    open_call = means.open_calls.add(
        chosen.caller,
        target.vendor,
        model=target.model.public_id,
        route=chosen.route.public_id,
    )
    outcome: Outcome | None = None
    failure: Failure | None = None
    begun = time.monotonic()
    try:
        if open_call.cause is not None:
            raise open_call.cause  # stopped, or taken back: a shadow least of all goes there
        await means.recorder.intend(attempt, errand.raw)
        exchange = errand.exchange(ready, attempt, open_call, means.open_calls.patience, _never)
        exchange.before_sending = awaited(means.receipts, decision, attempt.entry_id, exchange.mark)
        outcome = await exchange.carry_out(outgoing, means.upstream, means.recorder)
        failure = exchange.failure
    finally:
        means.open_calls.remove(open_call)
        learn(means, attempt, outcome, failure, begun)
    return outcome.status


def _never(failure: Failure) -> bool:
    return False
