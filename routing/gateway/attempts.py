"""The attempts of one call: one after the other, each decided and recorded on its own.

Owns when a call goes on and where to. It goes on only while nothing has reached the agent,
only after failures that the route names, to no target twice unless the route says so, and
not past the route's deadline. What fails last is what the agent gets, in the vendor's words.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Final, Protocol

from kernel import clock
from kernel.errors import DomainError, NotFound, Unavailable
from ledger.entries import Fact
from ledger.holds import NoRoom
from policy.decision import Decision
from routing.gateway import lifecycle
from routing.gateway.authenticate import Caller
from routing.gateway.breaker import Breakers, Name
from routing.gateway.budgets import NO_BUDGETS, Budgets
from routing.gateway.choice import Speeds
from routing.gateway.decide import Decider
from routing.gateway.dialects import wire_code
from routing.gateway.errors import (
    ApprovalRequired,
    CallDenied,
    DialectMismatch,
    RouteNotDeclared,
    RouteUnserved,
    VendorNotReady,
)
from routing.gateway.exchange import Exchange
from routing.gateway.failure import STOPPED, Failure
from routing.gateway.learning import learn
from routing.gateway.mapping.losses import CannotTranslate
from routing.gateway.open_calls import ClientLeft, OpenCall, OpenCalls, Patience, VendorDisabled
from routing.gateway.options import DEFAULTS, RouteOptions
from routing.gateway.ports import Headers, Outgoing, Upstream
from routing.gateway.recording import Attempt, Outcome, Recorder, Subject, decided_facts
from routing.gateway.relay import Passage, Withheld
from routing.gateway.requests import Receive
from routing.gateway.reserving import NOTHING, Reserved, Unaffordable, WorstCase, reserve
from routing.gateway.snapshot import Route, Target
from routing.gateway.stops import NO_STOPS, Stopped, Stops
from routing.gateway.tracing import SpanContext

# A vendor that wants to be left alone for longer than this is not waited for.
LONGEST_PAUSE: Final = 2.0
LEFT_ALONE: Final = "breaker_open"
_FIRST_PAUSE: Final = 0.1
_ROUTE_GONE: Final = (NotFound, RouteNotDeclared, RouteUnserved, DialectMismatch)


class Undecided(Unavailable):
    """Raised when policy could not be asked: a denial for now, and not the agent's fault."""

    code = "routing.undecided"
    title = "Policy cannot be asked right now"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What one snapshot says: who calls, which route, and its targets in order."""

    caller: Caller
    subject: Subject
    route: Route
    targets: list[Target]
    choice: str = ""
    passed_over: list[str] = field(default_factory=list)
    stops: Stops = NO_STOPS
    budgets: Budgets = NO_BUDGETS
    delegated: dict[str, object] | None = None  # what policy is told of whom it is made for


@dataclass(frozen=True, slots=True)
class Ready:
    """An attempt that may be made: allowed, and with the vendor's secret in its head."""

    chosen: Chosen
    target: Target
    decision: Decision
    passage: Passage
    outgoing: Outgoing


@dataclass(slots=True)
class Trace:
    """What is known of a call so far; its headers are on every answer, refusals included."""

    run_id: str = ""
    entry_id: str = ""
    route: str = ""
    target: Target | None = None
    outcome: Outcome | None = None
    fallbacks: int = 0  # attempts and targets left alone before the one that this is about
    fallback_reason: str = ""
    span: SpanContext | None = None
    vendor_seconds: float = 0.0

    def headers(self) -> Headers:
        found: Headers = []
        if self.run_id:
            found.append((b"x-unsprawl-run", self.run_id.encode()))
        if self.entry_id:
            found.append((b"x-unsprawl-entry", self.entry_id.encode()))
        if self.route:
            found.append((b"x-unsprawl-route", self.route.encode()))
        if self.target is not None:
            found.append((b"x-unsprawl-model", header_value(self.target.model.name)))
            found.append((b"x-unsprawl-vendor", self.target.vendor.name.encode()))
        if self.fallbacks:
            told = f"{self.fallbacks};reason={self.fallback_reason}"
            found.append((b"x-unsprawl-fallback", told.encode()))
        if self.target is not None:
            found += lifecycle.headers(self.target)
        return found


def header_value(text: str) -> bytes:
    """Return a text as a header can carry it."""
    return text.encode("ascii", "replace").translate(None, b"\r\n\0")


class Errand(Protocol):
    """One call as the loop sees it: what differs between kinds of calls is behind this."""

    @property
    def trace(self) -> Trace: ...
    @property
    def raw(self) -> bytes: ...
    @property
    def receive(self) -> Receive: ...

    async def choose(self) -> Chosen:
        """Choose on what is known now. Raises what keeps the call from being made."""

    async def screen(self, chosen: Chosen) -> None:
        """Make the call what may leave by this route. Raises: Withheld."""

    def facts(self, chosen: Chosen, target: Target) -> dict[str, object]:
        """Return what policy is asked about."""

    def prepare(self, target: Target) -> tuple[Passage, Outgoing]:
        """Return the way to this target, and the request.

        Raises: VendorNotReady, CannotTranslate.
        """

    def worst_case(self, target: Target) -> WorstCase:
        """Return the most that the call can use on this target."""

    def attempt(self, ready: Ready, *, is_first: bool) -> Attempt:
        """Return the attempt as its intent records it."""

    def exchange(
        self,
        ready: Ready,
        attempt: Attempt,
        open_call: OpenCall,
        patience: Patience,
        loop: Attempts,
    ) -> Exchange:
        """Return the exchange that carries an attempt out."""

    async def can_shadow(self, chosen: Chosen, target: Target) -> bool:
        """Tell whether this call could be sent to a target for comparison."""

    def shadow_exchange(self, ready: Ready, attempt: Attempt, open_call: OpenCall) -> Exchange:
        """Return the exchange that carries a shadow out, and tells nobody."""


class Shadows(Protocol):
    """Calls that are made beside others, for comparison."""

    def offer(self, means: Means, errand: Errand, chosen: Chosen, first: Attempt) -> None:
        """Begin a shadow of a call, if its route wants one of this call. Never waits."""


class Means(Protocol):
    """What attempts are made with."""

    @property
    def decider(self) -> Decider: ...
    @property
    def recorder(self) -> Recorder: ...
    @property
    def upstream(self) -> Upstream: ...
    @property
    def open_calls(self) -> OpenCalls: ...
    @property
    def breakers(self) -> Breakers: ...
    @property
    def speeds(self) -> Speeds: ...
    @property
    def shadows(self) -> Shadows: ...


class Attempts:
    """The loop of one call. Used once."""

    def __init__(self, means: Means, errand: Errand) -> None:
        self._means = means
        self._errand = errand
        self._targets: deque[Target] = deque()
        self._passed_over: list[str] = []
        self._unserved: list[tuple[Name, str]] = []
        self._skipped: list[Ready] = []
        self._refused: tuple[Target, Decision] | None = None
        self._not_ready: VendorNotReady | None = None
        self._unsaid: CannotTranslate | None = None
        self._first: Attempt | None = None
        self._last: Attempt | None = None
        self._repeats = 0
        self._chosen: Chosen | None = None
        self._listed_on: Route | None = None
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
        self._targets, self._listed_on = deque(chosen.targets), chosen.route
        self._passed_over = [*chosen.passed_over]
        await self._screen(chosen)
        ready = await self._next(chosen)
        if ready is None:
            await self._refuse(chosen)
            raise RouteUnserved
        self._refused = None  # it is on record with the attempt that is made instead
        return ready

    async def _screen(self, chosen: Chosen) -> None:
        try:
            await self._errand.screen(chosen)
        except Withheld as withheld:
            error, trace = withheld.error, self._errand.trace
            if chosen.targets:
                trace.target = chosen.targets[0]
                trace.entry_id = await self._means.recorder.withhold(
                    chosen.subject, chosen.route, trace.target, withheld, clock.now(),
                    after=self._last,
                )  # fmt: skip
                error.facts["entry"] = trace.entry_id
            raise error from None

    async def _refuse(self, chosen: Chosen) -> None:
        if self._not_ready is not None:
            raise self._not_ready
        if self._refused is None:
            if self._unsaid is not None:
                raise self._unsaid
            return
        trace, (target, decision) = self._errand.trace, self._refused
        trace.target = target
        if not decision.is_lasting:
            raise Undecided(decision.reason, rule=decision.rule)
        trace.entry_id = await self._means.recorder.deny(
            chosen.subject, chosen.route, target, decision, clock.now()
        )
        kind = ApprovalRequired if decision.ask else CallDenied
        raise kind(decision.reason, rule=decision.rule, entry=trace.entry_id)

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
        trace.target = target
        trace.fallbacks = len(self._unserved)
        trace.fallback_reason = self._unserved[-1][1] if self._unserved else ""
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
            exchange = errand.exchange(ready, attempt, open_call, self._patience(ready), self)
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
        before = self._first, self._last, self._passed_over
        attempt = self._attempt(ready, reserved)
        try:
            await self._means.recorder.intend(attempt, self._errand.raw)
        except NoRoom as full:
            self._first, self._last, self._passed_over = before
            raise Unaffordable.of(full, reserved.holds) from None
        self._unaffordable = None  # it is on record with this one, as passed over
        return attempt

    async def _instead_of(self, ready: Ready, refusal: Unaffordable) -> Ready | None:
        """Return another target to try in place of one that a budget does not let pass."""
        self._unaffordable = self._unaffordable or (ready, refusal)
        self._skipped = [each for each in self._skipped if each is not ready]
        self._pass_over(ready.target, f"budget {refusal.limit.public_id}")
        return await self._next(ready.chosen)

    async def _unafforded(self) -> DomainError:
        """Record that no target could be afforded; return what the agent is told."""
        assert self._unaffordable is not None  # noqa: S101  callers have looked
        (ready, refusal), trace = self._unaffordable, self._errand.trace
        chosen, target, now = ready.chosen, ready.target, clock.now()
        error = refusal.error(chosen.caller.agent, target, now)
        told = error.status, wire_code(error)
        entry_id = await self._means.recorder.deny_spending(
            chosen.subject, chosen.route, target, refusal, now, told=told, after=self._last
        )
        if self._last is None:
            trace.target, trace.entry_id = target, entry_id
            error.facts["entry"] = entry_id
        return error

    def _attempt(self, ready: Ready, reserved: Reserved) -> Attempt:
        decided: dict[str, Fact] = {**decided_facts(ready.decision), **ready.passage.facts}
        if self._passed_over:
            decided["passed_over"] = self._passed_over
            self._passed_over = []
        first, last = self._first, self._last
        made = self._errand.attempt(ready, is_first=first is None)
        made = replace(
            made,
            decided={**made.decided, **decided},
            fallback_reason=self._errand.trace.fallback_reason,
            choice=ready.chosen.choice if first is None else "",
            call_id=first.entry_id if first is not None else made.call_id,
            number=last.number + 1 if last is not None else made.number,
            reserved=reserved,
        )
        self._first, self._last = first or made, made
        return made

    def _patience(self, ready: Ready) -> Patience:
        patience = self._means.open_calls.patience
        wanted = ready.target.first_byte_ms or ready.chosen.route.options.first_byte_ms
        return patience if wanted is None else replace(patience, first_byte=wanted / 1000)

    # --- and the next

    def goes_on_after(self, failure: Failure) -> bool:
        """Tell whether another attempt may follow one that failed like this."""
        if failure.kind != STOPPED and not self._options.goes_on_after(failure.kind):
            return False
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return False
        return bool(self._targets) or self._may_repeat(failure)

    async def _go_on(self, ready: Ready, failure: Failure) -> Ready | None:
        self._unserved.append((ready.target.breaker, failure.reason))
        if self._may_repeat(failure):
            self._repeats += 1
            self._targets.appendleft(ready.target)
            if not await self._wait(ready, self._pause(failure)):
                return None
        try:
            chosen = await self._errand.choose()
        except _ROUTE_GONE:
            return None
        if chosen.route is not self._listed_on:
            await self._screen(chosen)  # the route may say something else by now
        found = await self._next(chosen)
        if found is None and self._refused is not None:
            target, decision = self._refused
            await self._means.recorder.deny(
                chosen.subject, chosen.route, target, decision, clock.now(), after=self._last
            )
        return found

    async def _next(self, chosen: Chosen) -> Ready | None:
        """Return the next target that is there, allowed, lent a secret, and not left alone."""
        while self._targets:
            listed = self._targets.popleft()
            target = self._as_it_is(chosen, listed)
            if target is None:
                self._pass_over(listed, "disabled")
            elif (ready := await self._consider(chosen, target)) is not None:
                self._chosen = chosen
                return ready
        if self._first is None and self._skipped:
            return self._least_bad(chosen)
        return None

    def _as_it_is(self, chosen: Chosen, target: Target) -> Target | None:
        if chosen.stops and chosen.stops.of_target(target):
            return None
        if chosen.route is self._listed_on:
            return target
        now = (*chosen.targets, *chosen.route.targets)
        found = next((each for each in now if each.breaker == target.breaker), None)
        return found if found is not None and found.is_enabled else None

    async def _consider(self, chosen: Chosen, target: Target) -> Ready | None:
        decision = await self._means.decider.decide(self._errand.facts(chosen, target))
        if not decision.allow:
            self._refused = self._refused or (target, decision)
            self._pass_over(target, decision.rule)
            return None
        try:
            passage, outgoing = self._errand.prepare(target)
        except VendorNotReady as error:
            self._not_ready = self._not_ready or error
            self._pass_over(target, "vendor_not_ready")
            return None
        except CannotTranslate as error:
            self._unsaid = self._unsaid or error
            self._pass_over(target, f"cannot_translate {error.facts.get('param')}")
            return None
        ready = Ready(chosen, target, decision, passage, outgoing)
        if self._means.breakers.takes(target.breaker, time.monotonic()):
            return ready
        self._skipped.append(ready)
        self._unserved.append((target.breaker, LEFT_ALONE))
        self._pass_over(target, LEFT_ALONE)
        return None

    def _least_bad(self, chosen: Chosen) -> Ready:
        # A vendor's own answer tells an agent more than a refusal of ours would, and one call
        # more than the breakers allow is how a wrong guess of theirs is found out.
        breakers = self._means.breakers
        found = min(self._skipped, key=lambda each: breakers.opens_again(each.target.breaker))
        name = found.target.breaker
        self._unserved = [each for each in self._unserved if each[0] != name]
        self._chosen = chosen
        return found

    def _pass_over(self, target: Target, why: str) -> None:
        self._passed_over.append(f"{target}: {why}")

    # --- the same again

    @property
    def _options(self) -> RouteOptions:
        return self._chosen.route.options if self._chosen is not None else DEFAULTS

    def _may_repeat(self, failure: Failure) -> bool:
        if failure.kind == STOPPED or self._repeats >= self._options.retries:
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


def reserved_for(
    means: Means, errand: Errand, chosen: Chosen, target: Target, *, is_first: bool
) -> Reserved:
    """Return what an attempt has to hold before it may leave. Raises: Unaffordable."""
    if not chosen.budgets:
        return NOTHING
    agent, model = chosen.caller.agent, target.model
    limits = chosen.budgets.of(
        agent.public_id, agent.team, chosen.route.name, target.vendor.public_id, model.name
    )
    if not limits:
        return NOTHING
    worst = cache(partial(errand.worst_case, target))
    return reserve(limits, worst, model, means.recorder.levels, clock.now(), is_first=is_first)


def _tell_of_trace(trace: Trace, ready: Ready, attempt: Attempt) -> None:
    if trace.span is not None and ready.chosen.route.options.send_trace:
        trace.span.add_to(ready.outgoing.headers, attempt.span_id)


async def _watch(receive: Receive, open_call: OpenCall) -> None:
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()
    open_call.cut(ClientLeft())
