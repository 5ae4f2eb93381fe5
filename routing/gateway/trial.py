"""A recorded call asked once more of another target, for comparison: asked by us alone.

Owns that it is governed as the agent's own call would be (policy, stops, tools, data, budgets)
and goes on record under the automation's name, in a run of its own, naming the call that it
answers again. What comes back reaches no agent and moves nothing: tools are called by no one.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kernel.canonical import strict_loads
from kernel.errors import DomainError, Malformed, NotFound
from kernel.refs import system
from ledger.subjects import is_tag, scope_of
from routing.gateway.attempts import Attempts
from routing.gateway.authenticate import Caller, agent_refusal
from routing.gateway.breaker import Breakers
from routing.gateway.choice import Speeds
from routing.gateway.decide import Decider
from routing.gateway.dialects import wire_code
from routing.gateway.eligible import eligible_targets
from routing.gateway.errand import Chosen, Errand, Ready, Trace, granted_in
from routing.gateway.errors import NotInternal
from routing.gateway.open_calls import OpenCall, OpenCalls
from routing.gateway.options import DEFAULTS
from routing.gateway.pipeline import Call, Pipeline
from routing.gateway.ports import Receipts, Upstream
from routing.gateway.recording.attempt import Attempt, Subject, highest
from routing.gateway.recording.recorder import Recorder
from routing.gateway.requests import Answer, Receive, Request, read_body
from routing.gateway.resolve import order
from routing.gateway.runs import RunName, is_run_of
from routing.gateway.snapshot import Agent, Key, Route, Snapshot, Target, Vendor
from routing.gateway.wires.chat import Chat
from routing.gateway.wires.embeddings import Embeddings
from routing.gateway.wires.messages import Messages
from routing.gateway.wires.responses import Responses
from routing.gateway.wires.wire import Wire
from routing.internal import HEADER, InternalKeys

PATH: Final = "/internal/trials"
ACTOR: Final = system("re-evaluation")
_WIRES: Final[dict[str, Wire]] = {
    wire.operation: wire for wire in (Chat(), Responses(), Messages(), Embeddings())
}
_NO_KEY: Final = Key("", "", 0, "", b"", 0.0, is_revoked=False)


class TrialInvalid(Malformed):
    """Raised for a trial that does not say what it needs to."""

    code = "routing.trial_invalid"
    title = "The trial is not described completely"


class TargetUnknown(NotFound):
    """Raised when the gateway does not know the agent, route or model of a trial (yet)."""

    code = "routing.target_unknown"
    title = "The gateway does not know this agent, route or model"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a trial says."""

    run: RunName
    agent: str
    route: str  # by which the agent called
    target: Mapping[str, str]  # {"route"}, or {"vendor", "model"}
    operation: str
    body: bytes
    of: str  # the intent that is answered again
    tag: str  # whose data is in it, or nobody's: its copy lies under keys of the same person
    reevaluation: str

    @classmethod
    def read(cls, raw: bytes) -> Asked:
        """Raises: TrialInvalid."""
        said: Any = strict_loads(raw)
        try:
            texts = {name: said[name] for name in ("agent", "route", "operation", "of", "tag")}
            target, run = said["target"], RunName(said["run"], said["label"])
            values = [*texts.values(), *target.values(), run.run_id, run.label]
            if not all(isinstance(one, str) for one in values):
                raise TrialInvalid
            body = base64.b64decode(said["body"], validate=True)
            named = str(said["reevaluation"])
        except (KeyError, TypeError, AttributeError, binascii.Error):
            raise TrialInvalid from None
        if texts["operation"] not in _WIRES or not is_run_of(texts["agent"], run.run_id):
            raise TrialInvalid
        if texts["tag"] and not is_tag(texts["tag"]):
            raise TrialInvalid
        return cls(run=run, target=target, body=body, reevaluation=named, **texts)


@dataclass(frozen=True, slots=True)
class Trials:
    """Carries trials out, one a request."""

    pipeline: Pipeline
    internal_keys: InternalKeys
    # Of their own: what trials learn of a target is no reason to leave it alone in earnest.
    breakers: Breakers
    speeds: Speeds

    async def carry_out(self, request: Request, receive: Receive) -> dict[str, Any]:
        """Return ``{entry, status, error, detail}``. Raises: NotInternal, TrialInvalid."""
        raw = await read_body(request, receive)
        token = request.header(HEADER) or ""
        if not self.internal_keys.accepts(token, request.method, request.path, raw):
            raise NotInternal
        asked = Asked.read(raw)
        trace = Trace(run_id=asked.run.run_id)
        try:
            await self._carry_out(asked, request, receive, trace)
        except DomainError as error:
            code = wire_code(error)
            return _told(trace, "refused", code, error.detail)
        outcome = trace.outcome
        if outcome is None:
            return _told(trace, "refused", "unserved", "No target took the call.")
        return _told(trace, outcome.status, outcome.error_code, "")

    async def _carry_out(
        self, asked: Asked, request: Request, receive: Receive, trace: Trace
    ) -> None:
        wire = _WIRES[asked.operation]
        body = wire.read(asked.body)
        if body.refers_to:
            raise TrialInvalid("The call builds on an answer that its vendor keeps.")
        snapshot = await self.pipeline.snapshots.fresh()
        caller = _caller(asked, snapshot)
        if asked.tag:
            scope = scope_of(caller.agent.public_id, asked.tag)
            self.pipeline.recorder.admit(scope, highest(caller.agent.data_classes))
        bare = replace(request, headers={}, repeated=frozenset(), query=b"")
        call = _Trial(
            self.pipeline, wire, caller, asked.run, body, None, asked.body, bare, receive,
            Answer(_to_nobody, receive), trace,
        )  # fmt: skip
        call.asked_for = asked
        attempts = Attempts(_Means(self), call)
        try:
            ready = await attempts.place()
        except TargetUnknown:
            # Perhaps it was made a moment ago, and the news is on its way here.
            await self.pipeline.snapshots.look_again()
            attempts = Attempts(_Means(self), call)
            ready = await attempts.place()
        await attempts.carry_out(ready)


class _Trial(Call):
    """A call whose target is named, and whose answer goes nowhere but on record."""

    asked_for: Asked

    async def choose(self) -> Chosen:
        asked = self.asked_for
        snapshot = await self.pipeline.snapshots.fresh()
        caller = _caller(asked, snapshot)
        route = _route(asked, snapshot)
        ordered = order(route, self.run.run_id, time.time(), None)
        found = eligible_targets(self.wire, self.body, route, ordered.targets, None, snapshot)
        subject = replace(Subject.of(caller, self.run, tag=asked.tag), actor=ACTOR)
        return Chosen(
            caller,
            subject,
            route,
            found.targets,
            passed_over=found.passed_over,
            stops=snapshot.stops,
            budgets=snapshot.budgets,
            granted=granted_in(snapshot, caller.agent),
        )

    def attempt(self, ready: Ready, *, is_first: bool) -> Attempt:
        made = Call.attempt(self, ready, is_first=is_first)
        asked = self.asked_for
        named = {"of": asked.of, "reevaluation": asked.reevaluation, "effects": "blocked"}
        # By this mark, and by no other, sums know that the agent did not make this call.
        return replace(made, decided={**made.decided, **named}, made_for=asked.reevaluation)

    async def can_shadow(self, chosen: Chosen, target: Target) -> bool:
        return False


def _caller(asked: Asked, snapshot: Snapshot) -> Caller:
    """Return the agent whose call it was, as it may call now. Raises: what keeps it from that."""
    agent: Agent | None = snapshot.agent_with(asked.agent)
    if agent is None:
        raise TargetUnknown("The gateway does not know the agent of this run.")
    if refusal := agent_refusal(agent) or snapshot.stops.of_agent(agent):
        raise refusal
    return Caller(_NO_KEY, agent)


def _route(asked: Asked, snapshot: Snapshot) -> Route:
    """Return the agent's own route as if it were served by the target. Raises: TargetUnknown."""
    served = _targets(asked, snapshot)
    own = snapshot.routes.get(asked.route)
    if own is None:
        raise TargetUnknown(f"The route {asked.route!r} of the recorded call is not there.")
    options = replace(
        DEFAULTS,
        drop_hints=own.options.drop_hints,
        detectors=own.options.detectors,
        tools=own.options.tools,
    )
    return replace(own, targets=served, options=options, shadow=None)


def _targets(asked: Asked, snapshot: Snapshot) -> tuple[Target, ...]:
    if "route" in asked.target:
        route = snapshot.routes.get(asked.target["route"])
        if route is None:
            raise TargetUnknown(f"There is no route {asked.target['route']!r}.")
        return route.targets
    vendor_id, name = asked.target.get("vendor", ""), asked.target.get("model", "")
    vendor, model = snapshot.vendors.get(vendor_id), snapshot.models.get((vendor_id, name))
    if vendor is None or model is None:
        raise TargetUnknown(f"The gateway does not know the model {name!r} (yet).")
    return (Target(vendor=vendor, model=model, region="", weight=1, priority=0),)


class _Means:
    """The gateway's means, less what belongs to agents' own traffic."""

    def __init__(self, trials: Trials) -> None:
        self._pipeline = trials.pipeline
        self.breakers = trials.breakers
        self.speeds = trials.speeds
        self.shadows = _NoShadows()
        self.open_calls = _Unowned(trials.pipeline.open_calls)

    @property
    def portal(self) -> str:
        return self._pipeline.portal

    @property
    def decider(self) -> Decider:
        return self._pipeline.decider

    @property
    def recorder(self) -> Recorder:
        return self._pipeline.recorder

    @property
    def receipts(self) -> Receipts:
        return self._pipeline.receipts

    @property
    def upstream(self) -> Upstream:
        return self._pipeline.upstream


class _NoShadows:
    def offer(self, means: object, errand: Errand, chosen: Chosen, first: Attempt) -> None:
        """Begin none."""


class _Unowned(OpenCalls):
    """Open calls of no key: a vendor's stop or a shutdown ends them, no agent's key does."""

    def __init__(self, real: OpenCalls) -> None:
        super().__init__(real.patience)
        self._real = real

    def add(
        self,
        caller: Caller | None,
        vendor: Vendor,
        *,
        model: str = "",
        route: str = "",
        until: float | None = None,
    ) -> OpenCall:
        return self._real.add(None, vendor, model=model, route=route, until=until)

    def remove(self, call: OpenCall) -> None:
        self._real.remove(call)


async def _to_nobody(message: Any) -> None:
    """Send nothing: what a candidate answers is on record, and nowhere else."""


def _told(trace: Trace, status: str, error: str, detail: str) -> dict[str, Any]:
    return {"entry": trace.entry_id, "status": status, "error": error, "detail": detail}
