"""The life of a call.

    authenticate → read → resolve → decide → lend → record the intent → forward → meter →
    record the result → answer

From forward on it is an `Exchange`. Every step takes what the one before it made and raises a
DomainError to end the call; nothing leaves before its intent is durable, and nothing is
said to be complete before its result is. Budgets are reserved with the intent and settled
with the result, in the same two commits, once there are any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from kernel import clock
from kernel.errors import Unavailable
from kernel.keys import PepperRing
from kernel.refs import new_id
from ledger.entries import Fact
from routing.gateway import lifecycle
from routing.gateway.authenticate import Caller, agent_refusal, authenticate, key_refusal
from routing.gateway.body import CallBody
from routing.gateway.decide import Decider
from routing.gateway.eligible import Eligible, eligible_targets
from routing.gateway.errors import (
    AgentNotApproved,
    AgentSuspended,
    ApprovalRequired,
    CallDenied,
    DialectMismatch,
    KeyUnknown,
    ModelNotFound,
    ModelRetired,
    RouteNotDeclared,
    RouteUnserved,
    VendorNotReady,
)
from routing.gateway.exchange import Exchange
from routing.gateway.forward import address_of, to_vendor
from routing.gateway.lend import Lender
from routing.gateway.open_calls import ClientLeft, OpenCall, OpenCalls
from routing.gateway.ports import (
    Headers,
    Outgoing,
    Snapshots,
    StoredResponse,
    StoredResponses,
    Upstream,
)
from routing.gateway.recording import Attempt, Outcome, Recorder, Subject, decided_facts
from routing.gateway.requests import Answer, Receive, Request, read_body
from routing.gateway.resolve import resolve
from routing.gateway.runs import RunName, run_of
from routing.gateway.snapshot import Route, Snapshot, Target
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
)


@dataclass(slots=True)
class Trace:
    """What is known of a call so far; its headers are on every answer, refusals included."""

    run_id: str = ""
    entry_id: str = ""
    route: str = ""
    target: Target | None = None
    outcome: Outcome | None = None

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
        return found


def header_value(text: str) -> bytes:
    """Return a text as a header can carry it."""
    return text.encode("ascii", "replace").translate(None, b"\r\n\0")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an agent wants, read and not yet decided."""

    wire: Wire
    body: CallBody
    kept: StoredResponse | None
    run: RunName
    request: Request


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
    stored: StoredResponses

    async def carry(
        self, wire: Wire, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        """Carry one call from its first byte to its last."""
        caller = await self.authenticate(request)
        body, raw = await _read(wire, request, receive)
        run = run_of(caller.agent.public_id, request.header)
        trace.run_id = run.run_id
        kept = await self._find_kept(wire, body, caller) if body.refers_to else None
        # Reading may have taken a while: everything below is decided on what is known now.
        asked = Asked(wire, body, kept, run, request)
        try:
            caller, attempt, outgoing = await self._place(caller, asked, trace)
        except _PERHAPS_NO_MORE:
            await self.snapshots.look_again()
            caller, attempt, outgoing = await self._place(caller, asked, trace)
        target = attempt.target
        open_call = self.open_calls.add(caller, target.vendor)
        try:
            await self.recorder.intend(attempt, raw)
            trace.entry_id = attempt.entry_id
            open_call.watch_with(partial(_watch, receive, open_call))
            exchange = Exchange(
                request=request,
                answer=answer,
                attempt=attempt,
                wire=wire,
                body=body,
                open_call=open_call,
                patience=self.open_calls.patience,
                marks=_marks(trace, target),
            )
            trace.outcome = await exchange.carry_out(outgoing, self.upstream, self.recorder)
        finally:
            self.open_calls.remove(open_call)

    async def authenticate(self, request: Request) -> Caller:
        """Return who calls. Raises: NotGoverned, and what `authenticate` raises."""
        try:
            return authenticate(request, await self.snapshots.fresh(), self.peppers())
        except _PERHAPS_NO_MORE:
            await self.snapshots.look_again()
            return authenticate(request, await self.snapshots.fresh(), self.peppers())

    async def _place(
        self, caller: Caller, asked: Asked, trace: Trace
    ) -> tuple[Caller, Attempt, Outgoing]:
        """Resolve, decide and lend, all on one snapshot."""
        wire, body, kept = asked.wire, asked.body, asked.kept
        snapshot = await self.snapshots.fresh()
        caller = _still(caller, snapshot)
        subject = Subject.of(caller, asked.run)
        route = resolve(body.model or (kept.route if kept else ""), caller.agent, snapshot)
        trace.route = route.name
        eligible = eligible_targets(wire, body, route, kept, snapshot)
        target, decided = await self._decide(wire, caller, subject, route, eligible, trace)
        trace.target = target
        attempt = Attempt(
            subject=subject,
            entry_id=new_id("ent"),
            route=route.name,
            requested_model=body.model or target.model.name,
            target=target,
            streamed=body.streams,
            decided=decided,
            started_at=asked.request.received_at,
            operation=wire.operation,
        )
        return caller, attempt, self._lend(wire, asked.request, body, target)

    async def _find_kept(self, wire: Wire, body: CallBody, caller: Caller) -> StoredResponse:
        """Return where the earlier answer is that a call names. Raises: the wire's refusal."""
        kept = await self.stored.find(caller.agent.public_id, body.refers_to)
        if kept is None:
            raise wire.unknown_reference(body.refers_to)
        return kept

    async def _decide(
        self,
        wire: Wire,
        caller: Caller,
        subject: Subject,
        route: Route,
        eligible: Eligible,
        trace: Trace,
    ) -> tuple[Target, dict[str, Fact]]:
        """Return the first target that policy allows. Raises: CallDenied, ApprovalRequired."""
        refused = None
        passed_over = [*eligible.passed_over]
        for target in eligible.targets:
            decision = await self.decider.decide(_facts(wire, caller, route, target))
            if decision.allow:
                facts: dict[str, Fact] = decided_facts(decision)
                if passed_over:
                    facts["passed_over"] = passed_over
                return target, facts
            refused = refused or (target, decision)
            passed_over.append(f"{target.vendor.name}/{target.model.name}: {decision.rule}")
        if refused is None:
            raise RouteUnserved
        target, decision = refused
        trace.target = target
        if not decision.is_lasting:
            raise _Undecided(decision.reason, rule=decision.rule)
        trace.entry_id = await self.recorder.deny(subject, route, target, decision, clock.now())
        kind = ApprovalRequired if decision.ask else CallDenied
        raise kind(decision.reason, rule=decision.rule, entry=trace.entry_id)

    def _lend(self, wire: Wire, request: Request, body: CallBody, target: Target) -> Outgoing:
        vendor, secret = target.vendor, self.lender.lend(target.vendor)
        return Outgoing(
            method=wire.method,
            address=address_of(wire, vendor, request.query),
            headers=to_vendor(request, wire.dialect, vendor.auth_scheme, secret),
            body=wire.for_vendor(body, target.model.name),
        )


class _Undecided(Unavailable):
    """Raised when policy could not be asked: a denial for now, and not the agent's fault."""

    code = "routing.undecided"
    title = "Policy cannot be asked right now"


async def _read(wire: Wire, request: Request, receive: Receive) -> tuple[CallBody, bytes]:
    raw = await read_body(request, receive)
    if len(raw) > _OFFLOAD_BYTES:
        return await asyncio.to_thread(wire.read, raw), raw
    return wire.read(raw), raw


def _still(caller: Caller, snapshot: Snapshot) -> Caller:
    key = snapshot.keys.get(caller.key.key_id)
    agent = snapshot.agents.get(caller.key.agent)
    if key is None or agent is None:
        raise KeyUnknown
    if refusal := key_refusal(key) or agent_refusal(agent):
        raise refusal
    return Caller(key, agent)


def _facts(wire: Wire, caller: Caller, route: Route, target: Target) -> dict[str, object]:
    return {
        "call": {"route": route.name, "operation": wire.operation, "region": ""},
        "agent": caller.agent.described(),
        "target": target.described(),
        "route": route.described(),
    }


def _marks(trace: Trace, target: Target) -> Headers:
    return [*trace.headers(), *lifecycle.headers(target)]


async def _watch(receive: Receive, open_call: OpenCall) -> None:
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()
    open_call.cut(ClientLeft())
