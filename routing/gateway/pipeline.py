"""The life of a call.

    authenticate → read → resolve → screen → decide → lend → reserve and record the intent →
    forward → meter → record the result and settle → answer

From resolve on it is an attempt, and `Attempts` makes another one when a target fails; from
forward on it is an `Exchange`. Every step takes what the one before it made and raises a
DomainError to end the call; nothing leaves before its intent is durable, and nothing is
said to be complete before its result is. Budgets are reserved with the intent and settled
with the result, in the same two commits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kernel import clock
from kernel.errors import DomainError
from kernel.keys import PepperRing
from kernel.refs import new_id
from ledger.subjects import no_tags, scope_of
from routing.gateway.agent_end import NO_BEGUN_RUNS, BegunRuns, refuse_new_run
from routing.gateway.attempts import Attempts
from routing.gateway.authenticate import Caller, authenticate, caller_refusal
from routing.gateway.body import CallBody
from routing.gateway.breaker import Breakers
from routing.gateway.choice import Speeds, rule_for
from routing.gateway.decide import Decider
from routing.gateway.delegation.acting import acting_in, says_for_whom
from routing.gateway.delegation.token import DelegationKeys
from routing.gateway.demanded import NO_RECEIPTS
from routing.gateway.eligible import eligible_targets
from routing.gateway.errand import Chosen, Ready, Shadows, Trace, granted_in
from routing.gateway.errors import (
    AgentNotApproved,
    AgentSuspended,
    DialectMismatch,
    KeyUnknown,
    ModelNotFound,
    ModelRetired,
    RouteNotDeclared,
    RouteUnserved,
    VendorNotReady,
)
from routing.gateway.exchange import Exchange
from routing.gateway.failure import Failure
from routing.gateway.forward import address_of, to_vendor
from routing.gateway.lend import Lender
from routing.gateway.open_calls import OpenCall, OpenCalls, Patience
from routing.gateway.passages import marks, noting_headers
from routing.gateway.ports import (
    Headers,
    Outgoing,
    Receipts,
    Snapshots,
    StoredResponse,
    StoredResponses,
    Upstream,
)
from routing.gateway.rates import rate_headers
from routing.gateway.recording.annexes import DETECTORS, Left, found_to_remove
from routing.gateway.recording.attempt import Attempt, Subject, highest
from routing.gateway.recording.facts import Refusal
from routing.gateway.recording.recorder import Recorder
from routing.gateway.relay import STRAIGHT, Asked, Passage, Relays, call_facts
from routing.gateway.requests import Answer, Receive, Request, read_body, stopwatch
from routing.gateway.reserving import WorstCase, worst_case
from routing.gateway.resolve import check_served, order, resolve
from routing.gateway.runs import RunName, run_named, run_of, step_of
from routing.gateway.shifting import moved
from routing.gateway.snapshot import Route, Shift, Snapshot, Target
from routing.gateway.stops import Stopped
from routing.gateway.tracing import new_span_id
from routing.gateway.wires.wire import Wire

_OFFLOAD_BYTES: Final = 256 * 1024
# Refusals that may already be history: who was just told "201, your key" calls at once, and the
# news is still on its way here. One more look before such a refusal makes it true.
_PERHAPS_NO_MORE: Final = (
    KeyUnknown,
    AgentNotApproved,
    AgentSuspended,
    RouteNotDeclared,
    ModelNotFound,
    ModelRetired,
    DialectMismatch,
    RouteUnserved,
    VendorNotReady,
    Stopped,
)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The steps, and the ports they work through."""

    snapshots: Snapshots
    peppers: Callable[[], PepperRing]
    decider: Decider
    lender: Lender
    recorder: Recorder
    upstream: Upstream
    open_calls: OpenCalls
    breakers: Breakers
    speeds: Speeds
    shadows: Shadows
    stored: StoredResponses
    relays: Relays = STRAIGHT
    receipts: Receipts = NO_RECEIPTS
    begun: BegunRuns = NO_BEGUN_RUNS
    tag_of: Callable[[str], str] = no_tags  # what stands for a data subject's id
    portal: str = ""  # where people grant what policy asks about

    async def carry(
        self, wire: Wire, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        """Carry one call from its first byte to its last."""
        caller = await self.authenticate(request)
        trace.agent = caller.agent
        body, raw = await _read(wire, request, receive)
        run = run_of(caller.agent.public_id, request.header)
        if says_for_whom(request):
            caller = await self.acting(caller, request)
            run = _run_for(caller, run)
        trace.run_id = run.run_id
        if wire.is_metered:  # to read or cancel an earlier answer is no new work
            await refuse_new_run(caller.agent, run, self.begun)
        tag = self.tag(caller, request)
        kept = await self._find_kept(wire, body, caller) if body.refers_to else None
        # Reading may have taken a while: everything below is decided on what is known now.
        call = Call(self, wire, caller, run, body, kept, raw, request, receive, answer, trace)
        call.step = step_of(request.header)
        call.tag = tag
        try:
            attempts = Attempts(self, call)
            ready = await attempts.place()
        except _PERHAPS_NO_MORE:
            await self.snapshots.look_again()
            attempts = Attempts(self, call)
            try:
                ready = await attempts.place()
            except RouteNotDeclared:
                await self._record_undeclared(call)
                raise
        await attempts.carry_out(ready)

    async def _record_undeclared(self, call: Call) -> None:
        """Record that an agent reached for a route its manifest does not name, as a denial.

        Whoever reviews the agent sees it. A name that is no route is nobody's, and leaves no entry.
        """
        snapshot, trace = await self.snapshots.fresh(), call.trace
        route = snapshot.routes.get(call.body.model)
        if route is None or not route.targets:
            return
        trace.route = route.name
        subject = Subject.of(still(call.caller, snapshot), call.run, trace.span, call.tag)
        trace.entry_id = await self.recorder.refuse(
            subject, route, route.targets[0], Refusal.by_declaration(), clock.now()
        )

    async def authenticate(self, request: Request) -> Caller:
        """Return who calls. Raises: NotGoverned, and what `authenticate` raises."""
        try:
            return authenticate(request, await self.snapshots.fresh(), self.peppers())
        except _PERHAPS_NO_MORE:
            await self.snapshots.look_again()
            return authenticate(request, await self.snapshots.fresh(), self.peppers())

    async def acting(self, caller: Caller, request: Request) -> Caller:
        """Return a caller with for whom it acts, and no more rights than that leaves it.

        Raises: Denied leaves, ParentRunUnknown.
        """
        snapshot, keys = await self.snapshots.fresh(), DelegationKeys(self.peppers())
        acting = acting_in(request, caller, snapshot, keys)
        return still(replace(caller, acting=acting), snapshot)

    def tag(self, caller: Caller, request: Request) -> str:
        """Return what stands for the person whose data a call carries. Raises: its refusal."""
        named = request.header("x-unsprawl-subject")
        if named is None:
            return ""
        tag = self.tag_of(named)
        agent = caller.agent
        self.recorder.admit(scope_of(agent.public_id, tag), highest(agent.data_classes))
        return tag

    async def _find_kept(self, wire: Wire, body: CallBody, caller: Caller) -> StoredResponse:
        """Return where the earlier answer is that a call names. Raises: the wire's refusal."""
        kept = await self.stored.find(caller.agent.public_id, body.refers_to)
        if kept is None:
            raise wire.unknown_reference(body.refers_to)
        return kept


@dataclass(slots=True)
class Call:
    """What an agent wants, read and not yet decided: the loop's errand, by way of its wire.

    ``body`` and ``came`` are the call as it came; ``asked`` is what of it may leave.
    """

    pipeline: Pipeline
    wire: Wire
    caller: Caller
    run: RunName
    body: CallBody
    kept: StoredResponse | None
    came: bytes
    request: Request
    receive: Receive
    answer: Answer
    trace: Trace
    asked: Asked | None = None
    step: str = ""
    tag: str = ""

    @property
    def raw(self) -> bytes:
        return self._asked.raw

    @property
    def _asked(self) -> Asked:
        assert self.asked is not None  # noqa: S101  screened before anything is asked of it
        return self.asked

    @property
    def _offered(self) -> tuple[str, ...]:
        ruling = self._asked.ruling
        return () if ruling is None else tuple(tool.label for tool in ruling.offered.tools)

    async def screen(self, chosen: Chosen) -> None:
        asked = Asked(self.wire, chosen.caller.agent, chosen.route, self.body, self.came)
        self.asked = await self.pipeline.relays.screened(asked)

    async def choose(self) -> Chosen:
        """Resolve, on what is known now. Raises: NotGoverned, and whatever refuses the call."""
        wire, body, kept = self.wire, self.body, self.kept
        snapshot = await self.pipeline.snapshots.fresh()
        caller = still(self.caller, snapshot)
        name = body.model or (kept.route if kept else "")
        try:
            route = resolve(name, caller.agent, snapshot)
        except ModelRetired:
            self.trace.target = snapshot.routes[name].targets[0]  # whose end the answer tells
            raise
        shifted = moved(
            route,
            caller.agent.public_id,
            self.run.run_id,
            snapshot,
            operation=wire.operation,
            now=(now := time.time()),
        )
        rule = None
        if route.options.chooses:
            rule = rule_for(
                route.options,
                self.step,
                self.pipeline.speeds,
                size=body.size,
                streamed=body.streams,
            )
        ordered = order(route, self.run.run_id, now, rule, shifted.targets)
        if not ordered.targets and shifted.paused is not None:
            return self._paused(caller, route, snapshot, shifted.paused)
        if caller.agent.public_id in snapshot.shifts:
            check_served(route, shifted.targets, name)
        found = eligible_targets(wire, body, route, ordered.targets, kept, snapshot)
        return Chosen(
            caller,
            Subject.of(caller, self.run, self.trace.span, self.tag),
            route,
            found.targets,
            ordered.choice if found.targets[:1] == ordered.targets[:1] else "",
            found.passed_over,
            snapshot.stops,
            snapshot.budgets,
            None if caller.acting is None else caller.acting.described(caller.agent, snapshot),
            granted_in(snapshot, caller.agent),
        )

    def _paused(
        self, caller: Caller, route: Route, snapshot: Snapshot, paused: tuple[Shift, Target]
    ) -> Chosen:
        subject = Subject.of(caller, self.run, self.trace.span, self.tag)
        return Chosen(caller, subject, route, [], stops=snapshot.stops, paused=paused)

    def facts(self, chosen: Chosen, target: Target) -> dict[str, object]:
        agent, route = chosen.caller.agent, chosen.route
        return call_facts(
            self._asked, agent, route, target, chosen.delegated, chosen.granted(target)
        )

    def prepare(self, target: Target) -> tuple[Passage, Outgoing]:
        vendor, request = target.vendor, self.request
        secret = self.pipeline.lender.lend(vendor)
        passage = noting_headers(self.pipeline.relays.passage(self._asked, target), request)
        wire = passage.wire
        return passage, Outgoing(
            method=wire.method,
            address=address_of(wire, vendor, request.query),
            headers=to_vendor(request, wire.dialect, vendor.auth_scheme, secret),
            body=passage.body,
        )

    def worst_case(self, target: Target) -> WorstCase:
        if not self.wire.is_metered:
            return WorstCase(0, 0)
        wire = self.wire
        return worst_case(
            self._asked.body, target.model, has_output=wire.has_output, maxima=wire.maxima
        )

    def attempt(self, ready: Ready, *, is_first: bool) -> Attempt:
        return Attempt(
            subject=ready.chosen.subject,
            entry_id=new_id("ent"),
            route=ready.chosen.route.name,
            requested_model=self.body.model or ready.target.model.name,
            target=ready.target,
            streamed=self.body.streams,
            decided={**self._asked.facts, "step": self.step} if self.step else self._asked.facts,
            started_at=self.request.received_at if is_first else clock.now(),
            operation=self.wire.operation,
            tools=self._offered,
            span_id=new_span_id() if self.trace.span is not None else "",
            setup=self.pipeline.recorder.setups.digest(
                ready.chosen.caller.agent, ready.chosen.route, ready.target
            ),
            left=self._left(ready),
        )

    def _left(self, ready: Ready) -> Left:
        """Return what leaves, for replay: and what came, where only tools were taken out."""
        passage, path = ready.passage, "" if self.wire.is_lasting else self.wire.path
        if self.raw is self.came:
            return Left(ready.outgoing.body, passage.at, path=path)
        if found_to_remove(self._asked.facts, "found_in_request"):
            return Left(ready.outgoing.body, passage.at, unkept=DETECTORS, path=path)
        return Left(ready.outgoing.body, passage.at, self.came, path=path)

    def exchange(
        self,
        ready: Ready,
        attempt: Attempt,
        open_call: OpenCall,
        patience: Patience,
        goes_on_after: Callable[[Failure], bool],
    ) -> Exchange:
        return Exchange(
            request=self.request,
            answer=Answer(_to_nobody, self.receive) if attempt.is_shadow else self.answer,
            attempt=attempt,
            wire=self.wire,
            reader=ready.passage.wire,
            relay=self.pipeline.relays.relay(self._asked, ready.target, ready.passage),
            body=self._asked.body,
            open_call=open_call,
            patience=patience,
            marks=[] if attempt.is_shadow else self._marks(ready, attempt),
            elapsed_ms=self.request.elapsed_ms if attempt.number == 1 else stopwatch(),
            goes_on_after=goes_on_after,
        )

    def _marks(self, ready: Ready, attempt: Attempt) -> Headers:
        return [*self.trace.headers(), *marks(ready.passage), *self._rates(attempt)]

    async def can_shadow(self, chosen: Chosen, target: Target) -> bool:
        if self.kept is not None or not self.wire.is_metered:
            return False
        snapshot = await self.pipeline.snapshots.fresh()
        try:
            eligible_targets(self.wire, self.body, chosen.route, [target], None, snapshot)
        except DomainError:
            return False
        return True

    def _rates(self, attempt: Attempt) -> Headers:
        if not (holds := attempt.reserved.holds):
            return []
        levels = self.pipeline.recorder.levels
        return rate_headers(holds, levels, self.wire.dialect.name, clock.now())


async def _to_nobody(message: Mapping[str, Any]) -> None:
    """Send nothing: what a shadow is answered is on record, and nowhere else."""


def _run_for(caller: Caller, run: RunName) -> RunName:
    """Put the calls of one delegation into one run, unless the agent names another."""
    acting = caller.acting
    if not run.is_new or acting is None or acting.delegation is None:
        return run
    return run_named(caller.agent.public_id, acting.delegation_id)


async def _read(wire: Wire, request: Request, receive: Receive) -> tuple[CallBody, bytes]:
    raw = await read_body(request, receive)
    if len(raw) > _OFFLOAD_BYTES:
        return await asyncio.to_thread(wire.read, raw), raw
    return wire.read(raw), raw


def still(caller: Caller, snapshot: Snapshot) -> Caller:
    """Return a caller as it is known now. Raises: Denied and Unauthenticated leaves."""
    key = snapshot.keys.get(caller.key.key_id)
    agent = snapshot.agents.get(caller.key.agent)
    if key is None or agent is None:
        raise KeyUnknown
    if refusal := caller_refusal(key, agent, snapshot.stops):
        raise refusal
    if caller.acting is None:
        return Caller(key, agent)
    if refusal := caller.acting.refusal(snapshot):
        raise refusal
    return Caller(key, caller.acting.narrowed(agent, snapshot), caller.acting)
