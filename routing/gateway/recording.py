"""What the gateway puts on the record: intents, results and denials, with their rows.

Owns the facts of each entry (a closed list of short values; no header of a request, no
secret, no text of a prompt) and the encryption of what was said. The run is written with
its first entry, the call with its result, each in the one commit of that entry.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from kernel import clock
from kernel.refs import Ref, new_id
from ledger.entries import EncryptedPayload, Fact, Fields, encrypt_payload
from ledger.holds import Levels, Move
from ledger.journal import JournalDown, NotRecordable, Row, Table
from ledger.verbs import Verb
from policy.decision import Decision
from routing.gateway.authenticate import Caller
from routing.gateway.delegation.tables import Seen
from routing.gateway.metering import Usage
from routing.gateway.ports import DataKeys, Ledger
from routing.gateway.relay import Withheld
from routing.gateway.removal import without_secrets
from routing.gateway.reserving import NOTHING, Reserved, Unaffordable
from routing.gateway.runs import RunName
from routing.gateway.snapshot import Route, Target
from routing.gateway.tracing import SpanContext

if TYPE_CHECKING:
    from routing.gateway.delegation.acting import Acting

_NO_FACTS: Final[Mapping[str, Fact]] = {}
_OFFLOAD_BYTES: Final = 256 * 1024
_RUNS_KEPT: Final = 20_000
_OWED_KEPT: Final = 10_000
# From the least to the most protected. A class that is not here is protected like the last.
_CLASSES: Final = ("public", "internal", "confidential", "personal", "regulated")

RUNS: Final = Table(
    "routing_run",
    (("run_id", "text"), ("agent_id", "text"), ("label", "text"), ("started_at", "timestamptz")),
    "ON CONFLICT DO NOTHING",
)
CALLS: Final = Table(
    "routing_call",
    (
        ("intent_id", "text"),
        ("call_id", "text"),
        ("attempt", "int"),
        ("fallback_reason", "text"),
        ("choice", "text"),
        ("is_shadow", "boolean"),
        ("is_substituted", "boolean"),
        ("run_id", "text"),
        ("agent_id", "text"),
        ("key_id", "text"),
        ("route", "text"),
        ("requested_model", "text"),
        ("vendor", "text"),
        ("model", "text"),
        ("reported_model", "text"),
        ("status", "text"),
        ("http_status", "int"),
        ("error_code", "text"),
        ("streamed", "boolean"),
        ("input_tokens", "bigint"),
        ("output_tokens", "bigint"),
        ("cached_tokens", "bigint"),
        ("usage_estimated", "boolean"),
        ("cost_micros", "bigint"),
        ("currency", "text"),
        ("started_at", "timestamptz"),
        ("first_byte_ms", "int"),
        ("duration_ms", "int"),
    ),
)
STORED_RESPONSES: Final = Table(
    "routing_storedresponse",
    (
        ("response_id", "text"),
        ("agent_id", "text"),
        ("vendor_id", "text"),
        ("model", "text"),
        ("route", "text"),
        ("intent_id", "text"),
        ("created_at", "timestamptz"),
    ),
    "ON CONFLICT DO NOTHING",
)
DATA_KEYS: Final = Table(
    "ledger_datakey",
    (
        ("dek_id", "text"),
        ("scope", "text"),
        ("data_class", "text"),
        ("ring_key_id", "text"),
        ("wrapped_key", "bytea"),
        ("state", "text"),
        ("created_at", "timestamptz"),
    ),
    "ON CONFLICT (dek_id) DO NOTHING",
)

_VERBS: Final = {
    "ok": Verb.CALL_COMPLETED,
    "error": Verb.CALL_FAILED,
    "incomplete": Verb.CALL_CUT,
    "cancelled": Verb.CALL_CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """For whom a call is made: an agent in a run, or an automation of ours."""

    actor: Ref
    stream: str
    scope: str
    data_class: str
    agent_id: str = ""
    key_id: str = ""
    run: RunName | None = None
    acting: Acting | None = None
    span: SpanContext | None = None

    @classmethod
    def of(cls, caller: Caller, run: RunName, span: SpanContext | None = None) -> Subject:
        agent = caller.agent
        return cls(
            actor=Ref("agent", agent.public_id),
            stream=run.run_id,
            scope=agent.public_id,
            data_class=highest(agent.data_classes),
            agent_id=agent.public_id,
            key_id=caller.key.public_id,
            run=run,
            acting=caller.acting,
            span=span,
        )

    def facts(self) -> Mapping[str, Fact]:
        """Say for whom a call is made, where it is not for the agent alone."""
        return self.acting.told if self.acting is not None else _NO_FACTS


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a call on one target, as its intent records it."""

    subject: Subject
    entry_id: str
    route: str
    requested_model: str
    target: Target
    streamed: bool
    decided: Mapping[str, Fact]
    started_at: datetime
    operation: str = "chat"
    call_id: str = ""  # the first attempt's entry: what the attempts of one call share
    number: int = 1  # 0 for a shadow
    fallback_reason: str = ""
    choice: str = ""  # the rule that put this target first
    tools: tuple[str, ...] = ()  # what the call offers
    span_id: str = ""  # where the call belongs to a trace

    @property
    def is_shadow(self) -> bool:
        return self.number == 0

    reserved: Reserved = NOTHING

    def numbered(self) -> dict[str, Fact]:
        """Say which attempt of which call this is, and why the one before did not serve."""
        facts: dict[str, Fact] = {"call": self.call_id or self.entry_id}
        if self.number:
            facts["attempt"] = self.number
        else:
            facts["shadow"] = True
        if self.fallback_reason:
            facts["fallback_reason"] = self.fallback_reason
        if self.subject.acting is not None:
            facts |= self.subject.facts()
        if self.subject.span is not None:
            facts |= self.subject.span.facts(self.span_id)
        return facts


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended, as its result records it."""

    status: str
    http_status: int
    usage: Usage
    payload: bytes
    duration_ms: int
    first_byte_ms: int | None = None
    reported_model: str = ""
    error_code: str = ""
    is_payload_cut: bool = False
    was_withheld: bool = False
    is_substituted: bool = False
    vendor_seconds: float = 0.0  # from the moment it was sent; not on record, where duration is
    response_id: str = ""
    is_kept: bool = False
    facts: Mapping[str, Fact] = field(default_factory=dict)  # of the stages it went through


# Of an attempt whose intent is durable and was said not to be: it did not leave.
NEVER_LEFT: Final = Outcome("error", 0, Usage(), b"", 0, error_code="journal_down")


def highest(data_classes: tuple[str, ...]) -> str:
    """Return the most protected class of some."""

    def rank(name: str) -> tuple[int, str]:
        return (_CLASSES.index(name) if name in _CLASSES else len(_CLASSES)), name

    return max(data_classes, key=rank, default="internal")


def decided_facts(decision: Decision) -> dict[str, Fact]:
    """Say which decision let an attempt through, or did not."""
    return {
        "bundle": decision.bundle_digest,
        "input": decision.input_digest,
        "rule": decision.rule,
    }


class Recorder:
    """Writes the gateway's entries. Each method returns when its entry is durable."""

    def __init__(
        self,
        ledger: Ledger,
        keys: DataKeys,
        on_outcome: Callable[[Attempt, Outcome], None] = lambda attempt, outcome: None,
    ) -> None:
        self._on_outcome = on_outcome
        self._ledger = ledger
        self._keys = keys
        self._runs: OrderedDict[str, None] = OrderedDict()
        self._owed: deque[tuple[Attempt, Outcome]] = deque(maxlen=_OWED_KEPT)
        self._unsure: dict[str, Attempt] = {}
        self._seen = Seen()

    @property
    def levels(self) -> Levels:
        return self._ledger.levels

    async def intend(self, attempt: Attempt, body: bytes) -> None:
        """Record that a call is about to leave, and hold what it may cost.

        Raises: JournalDown leaves; NoRoom where a budget cannot hold it.
        """
        subject, target = attempt.subject, attempt.target
        facts: dict[str, Fact] = {
            **attempt.decided,
            **attempt.numbered(),
            "operation": attempt.operation,
            "route": attempt.route,
            "requested_model": attempt.requested_model,
            "vendor": target.vendor.name,
            "model": target.model.name,
            "region": target.region,
            "key": subject.key_id,
            "streamed": attempt.streamed,
        }
        if attempt.choice:
            facts["choice"] = attempt.choice
        facts |= attempt.reserved.facts
        body = await _kept(body, attempt.operation, facts)
        moves = [hold.taking for hold in attempt.reserved.holds]
        sealed, data_key = await self._seal(body, subject, attempt.entry_id)
        fields = Fields(
            kind="intent",
            verb=Verb.CALL_INTENDED.value,
            actor=subject.actor,
            subject=Ref("model", target.model.public_id),
            recorded_at=attempt.started_at,
            agent_id=subject.agent_id,
            facts=facts,
            payload=sealed,
            entry_id=attempt.entry_id,
        )
        is_first = attempt.number == 1
        rows = self._run_rows(subject, attempt.started_at) if is_first else []
        try:
            await self._append(fields, subject, rows, data_key, is_first=is_first, moves=moves)
        except NotRecordable:
            raise
        except JournalDown:
            # It does not leave; but its intent may be durable, and hold something.
            if len(self._unsure) < _OWED_KEPT:
                self._unsure[attempt.entry_id] = attempt
            raise

    async def conclude(self, attempt: Attempt, outcome: Outcome) -> None:
        """Record how a call ended. Raises: JournalDown leaves.

        What could not be recorded now was refused to the agent, and still happened: it is
        owed to the record.
        """
        self._on_outcome(attempt, outcome)
        try:
            await self._conclude(attempt, outcome)
        except NotRecordable:
            raise
        except JournalDown:
            self._owed.append((attempt, replace(outcome, was_withheld=True)))
            raise

    async def pay_debts(self) -> None:
        """Record the results that are owed, as far as the journal takes them now."""
        if (durable := self._ledger.take_doubts()) is not None:
            unsure, self._unsure = self._unsure, {}
            self._owed.extend(
                (unsure[entry_id], NEVER_LEFT) for entry_id in sorted(durable & unsure.keys())
            )
        while self._owed:
            attempt, outcome = self._owed[0]
            try:
                await self._conclude(attempt, outcome)
            except NotRecordable:
                pass  # somebody has concluded it meanwhile: one result per intent
            except JournalDown:
                return
            self._owed.popleft()

    async def _conclude(self, attempt: Attempt, outcome: Outcome) -> None:
        subject, target, usage = attempt.subject, attempt.target, outcome.usage
        cost = usage.cost_micros(target.model)
        facts: dict[str, Fact] = {
            **attempt.numbered(),
            "status": outcome.status,
            "http_status": outcome.http_status,
            "route": attempt.route,
            "requested_model": attempt.requested_model,
            "vendor": target.vendor.name,
            "model": target.model.name,
            "reported_model": outcome.reported_model,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cached_tokens": usage.cached_tokens,
            "usage_estimated": usage.is_estimated,
            "cost_micros": cost,
            "currency": target.model.currency,
            "duration_ms": outcome.duration_ms,
            "streamed": attempt.streamed,
            **outcome.facts,
        }
        if outcome.first_byte_ms is not None:
            facts["first_byte_ms"] = outcome.first_byte_ms
        if outcome.error_code:
            facts["error"] = outcome.error_code
        if outcome.is_substituted:
            facts["model_substituted"] = True
        if outcome.response_id:
            facts["response_id"] = outcome.response_id
        if outcome.is_payload_cut:
            facts["payload_cut"] = True
        if outcome.was_withheld:
            facts["withheld"] = True
        facts |= attempt.reserved.settled_facts(usage, cost)
        moves = attempt.reserved.settling(usage, cost)
        entry_id = new_id("ent")
        payload = await _kept(outcome.payload, attempt.operation, facts)
        sealed, data_key = await self._seal(payload, subject, entry_id)
        fields = Fields(
            kind="result",
            verb=_VERBS[outcome.status].value,
            actor=subject.actor,
            subject=Ref("model", target.model.public_id),
            recorded_at=clock.now(),
            agent_id=subject.agent_id,
            intent_id=attempt.entry_id,
            facts=facts,
            payload=sealed,
            entry_id=entry_id,
        )
        rows = [_call_row(attempt, outcome, cost)] if subject.run is not None else []
        rows += self._tool_rows(attempt, outcome)
        if outcome.is_kept and not attempt.is_shadow:
            rows.append(_stored_row(attempt, outcome))
        await self._append(fields, subject, rows, data_key, moves=moves)

    async def deny(
        self,
        subject: Subject,
        route: Route,
        target: Target,
        decision: Decision,
        at: datetime,
        *,
        after: Attempt | None = None,
    ) -> str:
        """Record that policy did not let a call through; return the entry's id.

        After an attempt it says only that the call could not go on: the call has its row.
        """
        facts = {**decided_facts(decision), "answer": "ask" if decision.ask else "deny"}
        code = "approval_required" if decision.ask else "call_denied"
        return await self._refuse(
            subject, route, target, facts, told=(403, code), at=at, after=after
        )

    async def withhold(
        self,
        subject: Subject,
        route: Route,
        target: Target,
        withheld: Withheld,
        at: datetime,
        *,
        after: Attempt | None = None,
    ) -> str:
        """Record that a screen let nothing of a call leave; return the entry's id."""
        error = withheld.error
        code = error.code.partition(".")[2]
        facts: dict[str, Fact] = {**withheld.facts, "answer": "deny", "error": code}
        told = error.status, code
        return await self._refuse(subject, route, target, facts, told=told, at=at, after=after)

    async def deny_spending(  # noqa: PLR0913  the same, and how it was told
        self,
        subject: Subject,
        route: Route,
        target: Target,
        refusal: Unaffordable,
        at: datetime,
        *,
        told: tuple[int, str],
        after: Attempt | None = None,
    ) -> str:
        """Record that a budget did not let a call through; return the entry's id."""
        facts: dict[str, Fact] = {**refusal.facts, "answer": "deny"}
        about = Ref("budget", refusal.limit.public_id)
        verb = Verb.CALL_OVER_BUDGET
        return await self._refuse(
            subject, route, target, facts, told=told, at=at, after=after, verb=verb, about=about
        )

    async def _refuse(  # noqa: PLR0913  what an entry and its call's row say
        self,
        subject: Subject,
        route: Route,
        target: Target,
        why: dict[str, Fact],
        *,
        told: tuple[int, str],
        at: datetime,
        after: Attempt | None,
        verb: Verb = Verb.CALL_DENIED,
        about: Ref | None = None,
    ) -> str:
        entry_id = new_id("ent")
        facts: dict[str, Fact] = {
            **why,
            **subject.facts(),
            "route": route.name,
            "vendor": target.vendor.name,
            "model": target.model.name,
            "region": target.region,
            "key": subject.key_id,
        }
        if subject.span is not None:
            facts |= subject.span.facts()
        if after is not None:
            facts |= {"call": after.call_id or after.entry_id, "attempt": after.number + 1}
        fields = Fields(
            kind="decision",
            verb=verb.value,
            actor=subject.actor,
            subject=about or Ref("route", route.public_id),
            recorded_at=clock.now(),
            agent_id=subject.agent_id,
            facts=facts,
            entry_id=entry_id,
        )
        if after is not None:
            await self._append(fields, subject, [], None)
            return entry_id
        attempt = Attempt(
            subject=subject,
            entry_id=entry_id,
            route=route.name,
            requested_model=route.name,
            target=target,
            streamed=False,
            decided={},
            started_at=at,
        )
        outcome = Outcome("denied", told[0], Usage(), b"", 0, error_code=told[1])
        rows = [*self._run_rows(subject, at), _call_row(attempt, outcome, None)]
        if isinstance(refused := why.get("tools_undeclared"), list):
            for use in ("offered", "refused"):
                rows += self._seen.tools(subject.agent_id, refused, use, at)
        await self._append(fields, subject, rows, None, is_first=True)
        return entry_id

    async def _append(
        self,
        fields: Fields,
        subject: Subject,
        rows: list[Row],
        data_key: Row | None,
        *,
        is_first: bool = False,
        moves: Sequence[Move] = (),
    ) -> None:
        if data_key is not None:
            rows = [*rows, data_key]
        is_new = is_first and subject.run is not None and subject.run.is_new
        try:
            await self._ledger.append(
                fields, stream=subject.stream, rows=rows, is_first=is_new, moves=moves
            )
        except NotRecordable:
            # Perhaps the data key was shredded meanwhile: the next call gets another one.
            self._keys.forget(subject.scope)
            self._seen.forget()
            raise
        except JournalDown:
            self._seen.forget()
            raise
        if data_key is not None:
            self._keys.confirm(str(data_key.values[0]))
        if subject.run is not None and not subject.run.is_new:
            self._remember(subject.run.run_id)

    async def _seal(
        self, payload: bytes, subject: Subject, entry_id: str
    ) -> tuple[EncryptedPayload, Row | None]:
        key, made = self._keys.key_for(subject.scope, subject.data_class)
        if len(payload) > _OFFLOAD_BYTES:
            sealed = await asyncio.to_thread(encrypt_payload, payload, key, entry_id)
        else:
            sealed = encrypt_payload(payload, key, entry_id)
        if made is None:
            return sealed, None
        values = (
            made.dek_id,
            made.scope,
            made.data_class,
            made.ring_key_id,
            made.wrapped_key,
            "active",
            made.created_at,
        )
        return sealed, Row(DATA_KEYS, values)

    def _run_rows(self, subject: Subject, at: datetime) -> list[Row]:
        run = subject.run
        if run is None:
            return []
        rows: list[Row] = []
        if run.run_id not in self._runs:
            rows.append(Row(RUNS, (run.run_id, subject.agent_id, run.label, at)))
        if (acting := subject.acting) is not None and acting.parent_run:
            giver, parent = acting.giver or subject.agent_id, acting.parent_run
            rows += self._seen.link(
                (run.run_id, parent, subject.agent_id, giver, acting.delegation_id, at)
            )
        return rows

    def _tool_rows(self, attempt: Attempt, outcome: Outcome) -> list[Row]:
        rows: list[Row] = []
        agent_id, at = attempt.subject.agent_id, attempt.started_at
        if not agent_id or not (attempt.tools or outcome.facts):
            return rows
        for use, names in (
            ("offered", [*attempt.tools]),
            ("called", outcome.facts.get("tool_calls")),
            ("refused", outcome.facts.get("tool_calls_refused")),
        ):
            if isinstance(names, list):
                rows += self._seen.tools(agent_id, names, use, at)
        return rows

    async def note(
        self,
        subject: Subject,
        verb: Verb,
        *,
        about: Ref,
        facts: Mapping[str, Fact],
        rows: Sequence[Row],
    ) -> None:
        """Record what an agent did besides calling. Raises: JournalDown leaves."""
        now = clock.now()
        fields = Fields(
            kind="change",
            verb=verb.value,
            actor=subject.actor,
            subject=about,
            recorded_at=now,
            agent_id=subject.agent_id,
            facts=dict(facts),
            entry_id=new_id("ent"),
        )
        await self._append(fields, subject, [*self._run_rows(subject, now), *rows], None)

    def _remember(self, run_id: str) -> None:
        self._runs[run_id] = None
        self._runs.move_to_end(run_id)
        if len(self._runs) > _RUNS_KEPT:
            self._runs.popitem(last=False)


async def _kept(payload: bytes, operation: str, facts: dict[str, Fact]) -> bytes:
    """Return a payload as it may be recorded, and say in the facts what is not in it."""
    if len(payload) > _OFFLOAD_BYTES:
        payload, removed = await asyncio.to_thread(without_secrets, payload, operation)
    else:
        payload, removed = without_secrets(payload, operation)
    if removed:
        facts["secrets_removed"] = removed
    return payload


def _stored_row(attempt: Attempt, outcome: Outcome) -> Row:
    target = attempt.target
    values = (
        outcome.response_id,
        attempt.subject.agent_id,
        target.vendor.public_id,
        target.model.name,
        attempt.route,
        attempt.entry_id,
        attempt.started_at,
    )
    return Row(STORED_RESPONSES, values)


def _call_row(attempt: Attempt, outcome: Outcome, cost: int | None) -> Row:
    subject, target, usage = attempt.subject, attempt.target, outcome.usage
    assert subject.run is not None  # noqa: S101  callers have looked
    values = (
        attempt.entry_id,
        attempt.call_id,
        attempt.number,
        attempt.fallback_reason,
        attempt.choice,
        attempt.is_shadow,
        outcome.is_substituted,
        subject.run.run_id,
        subject.agent_id,
        subject.key_id,
        attempt.route,
        attempt.requested_model,
        target.vendor.name,
        target.model.name,
        outcome.reported_model,
        outcome.status,
        outcome.http_status,
        outcome.error_code,
        attempt.streamed,
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.is_estimated,
        cost,
        target.model.currency,
        attempt.started_at,
        outcome.first_byte_ms,
        outcome.duration_ms,
    )
    return Row(CALLS, values)
