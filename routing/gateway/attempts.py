"""The attempts of one call: one after the other, each decided and recorded on its own.

Owns when a call goes on and where to. It goes on only while nothing has reached the agent,
only after failures that the route names, to no target twice unless the route says so, and
not past the route's deadline. What fails last is what the agent gets, in the vendor's words.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import urlencode

from kernel import clock
from kernel.errors import DomainError, NotFound
from ledger.entries import Fact
from ledger.holds import NoRoom
from routing.gateway.candidates import Candidates
from routing.gateway.demanded import awaited
from routing.gateway.dialects import wire_code
from routing.gateway.errand import Chosen, Errand, Means, Ready, Trace, reserved_for
from routing.gateway.errors import (
    ApprovalRequired,
    CallDenied,
    DialectMismatch,
    ModelPaused,
    RouteNotDeclared,
    RouteUnserved,
    Undecided,
)
from routing.gateway.exchange import Exchange
from routing.gateway.failure import STOPPED, Failure
from routing.gateway.learning import learn
from routing.gateway.open_calls import ClientLeft, OpenCall, Patience, VendorDisabled
from routing.gateway.options import DEFAULTS, RouteOptions
from routing.gateway.recording.attempt import Attempt
from routing.gateway.recording.facts import Refusal, decided_facts
from routing.gateway.relay import Withheld
from routing.gateway.requests import Receive
from routing.gateway.reserving import Reserved, Unaffordable
from routing.gateway.shifting import TARGET
from routing.gateway.snapshot import Shift, Target
from routing.gateway.stops import Stopped

# A vendor that wants to be left alone for longer than this is not waited for.
LONGEST_PAUSE: Final = 2.0
_FIRST_PAUSE: Final = 0.1
_ROUTE_GONE: Final = (NotFound, RouteNotDeclared, RouteUnserved, DialectMismatch)


class Attempts:
    """The loop of one call. Used once."""

    def __init__(self, means: Means, errand: Errand) -> None:
        self._means = means
        self._errand = errand
        self._candidates = Candidates(means, errand)
        self._first: Attempt | None = None
        self._last: Attempt | None = None
        self._repeats = 0
        self._is_moved = False
        self._chosen: Chosen | None = None
        self._deadline: float | None = None
        self._unaffordable: tuple[Ready, Unaffordable] | None = None

    # --- the first

    async def place(self) -> Ready:
        """Find the first target that may be tried. Raises what keeps the call from being made."""
        chosen = await self._errand.choose()
        self._errand.trace.route = chosen.route.name
        options = chosen.route.options
        if options.deadline_ms is not None:
            self._deadline = time.monotonic() + options.deadline_ms / 1000
        self._candidates.begin(chosen)
        await self._screen(chosen)
        ready = await self._next(chosen)
        if ready is None:
            await self._refuse(chosen)
            raise RouteUnserved
        self._candidates.refused = None  # on record with the attempt that is made instead
        return ready

    async def _screen(self, chosen: Chosen) -> None:
        try:
            await self._errand.screen(chosen)
        except Withheld as withheld:
            error, trace = withheld.error, self._errand.trace
            if chosen.targets:
                trace.target = chosen.targets[0]
                refusal = Refusal.by_screen(withheld)
                trace.entry_id = await self._record_refusal(chosen, trace.target, refusal)
                error.facts["entry"] = trace.entry_id
            raise error from None

    async def _refuse(self, chosen: Chosen) -> None:
        """Raise what kept the call from every target, if one thing did more than be absent."""
        candidates, trace = self._candidates, self._errand.trace
        if chosen.paused is not None:
            await self._refuse_paused(chosen, *chosen.paused)
        if candidates.not_ready is not None:
            raise candidates.not_ready
        if candidates.refused is None:
            if candidates.unsaid is not None:
                raise candidates.unsaid
            return
        trace.target, decision = candidates.refused
        if not decision.is_lasting:
            raise Undecided(decision.reason, rule=decision.rule)
        refusal = Refusal.by_policy(decision)
        trace.entry_id = await self._record_refusal(chosen, trace.target, refusal)
        if not decision.ask:
            raise CallDenied(decision.reason, rule=decision.rule, entry=trace.entry_id)
        raise ApprovalRequired(
            decision.reason,
            rule=decision.rule,
            entry=trace.entry_id,
            review_url=_asked_at(self._means.portal, chosen, trace.target),
        )

    async def _refuse_paused(self, chosen: Chosen, shift: Shift, target: Target) -> None:
        trace = self._errand.trace
        trace.target = target
        trace.entry_id = await self._record_refusal(chosen, target, Refusal.by_pause(shift))
        raise ModelPaused(
            f"The model {target.model.name} is paused for the agent {chosen.caller.agent.name},"
            f" and nothing else serves {chosen.route.name}: no replacement was agreed before its"
            " end. The agent's owner agrees to one in the portal, or the platform team ends the"
            " pause.",
            param="model",
            rule=f"model_paused {shift.public_id} {shift.subject}",
            entry=trace.entry_id,
        )

    async def _record_refusal(self, chosen: Chosen, target: Target, refusal: Refusal) -> str:
        return await self._means.recorder.refuse(
            chosen.subject, chosen.route, target, refusal, clock.now(), after=self._last
        )

    # --- each

    async def carry_out(self, ready: Ready) -> None:
        """Make attempts until one serves or none is left. Raises: whatever refuses the call now."""
        last: Exchange | None = None
        following: Ready | None = ready
        while following is not None:
            ready = following
            try:
                exchange = await self._make(ready)
            except Unaffordable as refusal:
                following = await self._instead_of(ready, refusal)
            else:
                if exchange.failure is None or not exchange.gave_way:
                    return
                last, following = exchange, await self._go_on(ready, exchange.failure)
        await self._give_up(last)

    async def _give_up(self, last: Exchange | None) -> None:
        unafforded = await self._unafforded() if self._unaffordable is not None else None
        if last is not None:
            await last.pass_on()
        elif unafforded is not None:
            raise unafforded

    async def _make(self, ready: Ready) -> Exchange:
        means, errand, target = self._means, self._errand, ready.target
        trace = errand.trace
        if self._last is not None and self._last.target.breaker != target.breaker:
            self._repeats = 0
        self._is_moved = target.arm is not None and target.arm.name == TARGET
        self._tell_of_target(target)
        open_call = self._open(ready)
        begun = time.monotonic()
        attempt, outcome, failure = None, None, None
        try:
            if open_call.cause is not None:
                raise open_call.cause  # taken back while policy was asked
            attempt = await self._intend(ready)
            trace.entry_id = attempt.entry_id
            _tell_of_trace(trace, ready, attempt)
            if ready.chosen.route.shadow is not None and attempt.number == 1:
                means.shadows.offer(means, errand, ready.chosen, attempt)
            open_call.watch_with(partial(_watch, errand.receive, open_call))
            exchange = self._exchange(ready, attempt, open_call)
            outcome = await exchange.carry_out(ready.outgoing, means.upstream, means.recorder)
            trace.outcome, failure = outcome, exchange.failure
            trace.vendor_seconds += outcome.vendor_seconds
        finally:
            means.open_calls.remove(open_call)
            if attempt is not None:
                learn(means, attempt, outcome, failure, begun)
            else:
                means.breakers.let_go(target.breaker)  # it never left
        return exchange

    def _tell_of_target(self, target: Target) -> None:
        trace = self._errand.trace
        trace.target = target
        trace.fallbacks = self._candidates.fallbacks
        trace.fallback_reason = self._candidates.fallback_reason

    def _exchange(self, ready: Ready, attempt: Attempt, open_call: OpenCall) -> Exchange:
        made = self._errand.exchange(
            ready, attempt, open_call, self._patience(ready), self.goes_on_after
        )
        made.before_sending = awaited(
            self._means.receipts, ready.decision, attempt.entry_id, made.mark
        )
        return made

    def _open(self, ready: Ready) -> OpenCall:
        return self._means.open_calls.add(
            ready.chosen.caller,
            ready.target.vendor,
            model=ready.target.model.public_id,
            route=ready.chosen.route.public_id,
            until=self._deadline,
        )

    async def _intend(self, ready: Ready) -> Attempt:
        """Record that the attempt is about to leave, and hold what it may cost.

        Raises: Unaffordable, and then nothing is on record and nothing has changed.
        """
        reserved = reserved_for(
            self._means, self._errand, ready.chosen, ready.target, is_first=self._first is None
        )
        attempt = self._attempt(ready, reserved)
        try:
            await self._means.recorder.intend(attempt, self._errand.raw)
        except NoRoom as full:
            raise Unaffordable.of(full, reserved.holds) from None
        self._first, self._last = self._first or attempt, attempt
        # Whom it passed over is on record with it, those that no budget let pass among them.
        self._candidates.passed_over = []
        self._unaffordable = None
        return attempt

    async def _instead_of(self, ready: Ready, refusal: Unaffordable) -> Ready | None:
        """Return another target to try in place of one that a budget does not let pass."""
        self._unaffordable = self._unaffordable or (ready, refusal)
        self._candidates.drop(ready, f"budget {refusal.limit.public_id}")
        return await self._next(ready.chosen)

    async def _unafforded(self) -> DomainError:
        """Record that no target could be afforded; return what the agent is told."""
        assert self._unaffordable is not None  # noqa: S101  callers have looked
        (ready, unaffordable), trace = self._unaffordable, self._errand.trace
        chosen, target = ready.chosen, ready.target
        error = unaffordable.error(chosen.caller.agent, target, clock.now())
        refusal = Refusal.by_budget(unaffordable, (error.status, wire_code(error)))
        entry_id = await self._record_refusal(chosen, target, refusal)
        if self._last is None:
            trace.target, trace.entry_id = target, entry_id
            error.facts["entry"] = entry_id
        return error

    def _attempt(self, ready: Ready, reserved: Reserved) -> Attempt:
        decided: dict[str, Fact] = {**decided_facts(ready.decision), **ready.passage.facts}
        if self._candidates.passed_over:
            decided["passed_over"] = self._candidates.passed_over
        first, last = self._first, self._last
        made = self._errand.attempt(ready, is_first=first is None)
        return replace(
            made,
            decided={**made.decided, **decided},
            fallback_reason=self._errand.trace.fallback_reason,
            choice=ready.chosen.choice if first is None else "",
            call_id=first.entry_id if first is not None else made.call_id,
            number=last.number + 1 if last is not None else made.number,
            reserved=reserved,
        )

    def _patience(self, ready: Ready) -> Patience:
        patience = self._means.open_calls.patience
        wanted = ready.target.first_byte_ms or ready.chosen.route.options.first_byte_ms
        return patience if wanted is None else replace(patience, first_byte=wanted / 1000)

    # --- and the next

    def goes_on_after(self, failure: Failure) -> bool:
        """Tell whether another attempt may follow one that failed like this."""
        if not self._is_one_to_go_on_after(failure):
            return False
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return False
        return self._candidates.are_left or self._may_repeat(failure)

    def _is_one_to_go_on_after(self, failure: Failure) -> bool:
        if failure.kind == STOPPED or failure.is_permanent:
            return True
        # Behind the target of a shift stands what served before: nothing fails for being moved.
        # What is wrong in itself would be refused there too, and is not asked twice.
        if self._is_moved and self._candidates.are_left and not failure.blames_call:
            return True
        return self._options.goes_on_after(failure.kind)

    async def _go_on(self, ready: Ready, failure: Failure) -> Ready | None:
        self._candidates.note_unserved(ready.target, failure.reason)
        if self._may_repeat(failure):
            self._repeats += 1
            self._candidates.put_back(ready.target)
            if not await self._wait(ready, self._pause(failure)):
                return None
        try:
            chosen = await self._errand.choose()
        except _ROUTE_GONE:
            return None
        if not self._candidates.are_listed_on(chosen.route):
            await self._screen(chosen)  # the route may say something else by now
        found = await self._next(chosen)
        if found is None and self._candidates.refused is not None:
            target, decision = self._candidates.refused
            await self._record_refusal(chosen, target, Refusal.by_policy(decision))
        return found

    async def _next(self, chosen: Chosen) -> Ready | None:
        found = await self._candidates.next(chosen, is_first=self._first is None)
        if found is not None:
            self._chosen = chosen
        return found

    # --- the same again

    @property
    def _options(self) -> RouteOptions:
        return self._chosen.route.options if self._chosen is not None else DEFAULTS

    def _may_repeat(self, failure: Failure) -> bool:
        if failure.kind == STOPPED or failure.is_permanent:
            return False
        if self._repeats >= self._options.retries:
            return False
        if failure.retry_after is not None and failure.retry_after > LONGEST_PAUSE:
            return False
        pause = failure.retry_after or 0.0
        return self._deadline is None or time.monotonic() + pause < self._deadline

    def _pause(self, failure: Failure) -> float:
        if failure.retry_after is not None:
            return failure.retry_after
        pause = min(_FIRST_PAUSE * 2.0**self._repeats, LONGEST_PAUSE)
        return pause * random.uniform(0.5, 1.0)  # noqa: S311  no secret

    async def _wait(self, ready: Ready, seconds: float) -> bool:
        """Wait between two attempts; False when the client left meanwhile."""
        calls = self._means.open_calls
        open_call = self._open(ready)
        open_call.watch_with(partial(_watch, self._errand.receive, open_call))
        try:
            with open_call:
                await asyncio.sleep(seconds)
        except ClientLeft:
            return False
        except (VendorDisabled, Stopped):
            pass  # the next look finds that, and goes on to another
        finally:
            calls.remove(open_call)
        return True


def _tell_of_trace(trace: Trace, ready: Ready, attempt: Attempt) -> None:
    if trace.span is not None and ready.chosen.route.options.send_trace:
        trace.span.add_to(ready.outgoing.headers, attempt.span_id)


async def _watch(receive: Receive, open_call: OpenCall) -> None:
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()
    open_call.cut(ClientLeft())


def _asked_at(portal: str, chosen: Chosen, target: Target) -> str:
    """Return the page on which a grant for this call is asked for, or is being decided."""
    asked = urlencode({"agent": chosen.caller.agent.name, "vendor": target.vendor.name})
    return f"{portal}/policies/grants/new?{asked}"
