"""A call on its way to be made: what it wants, what was chosen for it, what is known of it.

Owns the seam between the loop of attempts and the kinds of calls: the loop knows an
`Errand` and the `Means` it works with, and nothing of requests, wires or bodies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Protocol

from kernel import clock
from policy.decision import Decision
from routing.gateway import agent_end, lifecycle
from routing.gateway.authenticate import Caller
from routing.gateway.breaker import Breakers
from routing.gateway.budgets import NO_BUDGETS, Budgets
from routing.gateway.choice import Speeds
from routing.gateway.decide import Decider
from routing.gateway.exchange import Exchange
from routing.gateway.failure import Failure
from routing.gateway.open_calls import OpenCall, OpenCalls, Patience
from routing.gateway.ports import Headers, Outgoing, Receipts, Upstream
from routing.gateway.recording.attempt import Attempt, Outcome, Subject
from routing.gateway.recording.recorder import Recorder
from routing.gateway.relay import Passage
from routing.gateway.requests import Receive
from routing.gateway.reserving import NOTHING, Reserved, WorstCase, reserve
from routing.gateway.snapshot import Agent, Route, Shift, Snapshot, Target
from routing.gateway.stops import NO_STOPS, Stops
from routing.gateway.tracing import SpanContext


def nothing_granted(target: Target) -> Sequence[str]:
    """Say that no class of data was granted."""
    return ()


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
    granted: Callable[[Target], Sequence[str]] = nothing_granted  # classes of data, by target
    paused: tuple[Shift, Target] | None = None  # why there is none, where it is that


def granted_in(snapshot: Snapshot, agent: Agent) -> Callable[[Target], Sequence[str]]:
    """Return what tells the classes of data that an agent was granted for a target, now."""
    if agent.public_id not in snapshot.grants:
        return nothing_granted
    return lambda target: snapshot.granted(agent.public_id, target.vendor.name, time.time())


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
    agent: Agent | None = None  # whose call it is, once that is known
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
        of_model = lifecycle.headers(self.target) if self.target is not None else []
        return found + (agent_end.beside(of_model, self.agent) if self.agent else of_model)


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
        goes_on_after: Callable[[Failure], bool],
    ) -> Exchange:
        """Return the exchange that carries an attempt out; a shadow's tells nobody."""

    async def can_shadow(self, chosen: Chosen, target: Target) -> bool:
        """Tell whether this call could be sent to a target for comparison."""


class Shadows(Protocol):
    """Calls that are made beside others, for comparison."""

    def offer(self, means: Means, errand: Errand, chosen: Chosen, first: Attempt) -> None:
        """Begin a shadow of a call, if its route wants one of this call. Never waits."""


class Means(Protocol):
    """What attempts are made with."""

    @property
    def portal(self) -> str:
        """Where people go to grant what policy asks about; empty where nobody told."""

    @property
    def decider(self) -> Decider: ...
    @property
    def recorder(self) -> Recorder: ...
    @property
    def upstream(self) -> Upstream: ...
    @property
    def open_calls(self) -> OpenCalls: ...
    @property
    def receipts(self) -> Receipts: ...
    @property
    def breakers(self) -> Breakers: ...
    @property
    def speeds(self) -> Speeds: ...
    @property
    def shadows(self) -> Shadows: ...


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
