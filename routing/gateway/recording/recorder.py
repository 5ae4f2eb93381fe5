"""What the gateway puts on the record: intents, results and refusals.

Owns when an entry is durable, and what is owed to the record when it could not be written:
an outcome that happened is recorded later, an intent that may be durable is concluded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from kernel import clock
from kernel.errors import Throttled
from kernel.refs import Ref, new_id
from ledger.artifacts import Artifacts
from ledger.entries import EntryTooLarge, Fact, Fields
from ledger.holds import Levels, Move
from ledger.journal import JournalDown, JournalFull, NotRecordable, Row
from ledger.verbs import Verb
from routing.gateway.metering import Usage
from routing.gateway.ports import DataKeys, Ledger
from routing.gateway.recording.annexes import annex_of_intent, annex_of_result
from routing.gateway.recording.attempt import NEVER_LEFT, Attempt, Outcome, Reported, Subject
from routing.gateway.recording.facts import Refusal, intent_facts, result_facts
from routing.gateway.recording.payloads import cleaned, sealed
from routing.gateway.recording.rows import RowsAlongside, call_row, stored_row, vendor_word_row
from routing.gateway.recording.setups import Setups
from routing.gateway.snapshot import Route, Target

_OWED_KEPT: Final = 10_000
_OFFLOAD_BYTES: Final = 256 * 1024

_VERBS: Final = {
    "ok": Verb.CALL_COMPLETED,
    "error": Verb.CALL_FAILED,
    "incomplete": Verb.CALL_CUT,
    "cancelled": Verb.CALL_CANCELLED,
}


class TooManyDataSubjects(Throttled):
    """Raised when an agent names more new data subjects than a process makes keys for."""

    code = "routing.too_many_data_subjects"
    title = "This agent named too many data subjects within an hour"


class Recorder:
    """Writes the gateway's entries. Each method returns when its entry is durable."""

    def __init__(
        self,
        ledger: Ledger,
        keys: DataKeys,
        on_outcome: Callable[[Attempt, Outcome], None] = lambda attempt, outcome: None,
        setups: Setups | None = None,
    ) -> None:
        self._on_outcome = on_outcome
        self._ledger = ledger
        self._keys = keys
        self._rows = RowsAlongside()
        self._owed: deque[tuple[Attempt, Outcome]] = deque(maxlen=_OWED_KEPT)
        self._unsure: dict[str, Attempt] = {}
        self.setups = setups or Setups()
        self.artifacts = Artifacts()
        self.artifacts.learn("setup", self.setups.body)

    @property
    def levels(self) -> Levels:
        return self._ledger.levels

    def admit(self, scope: str, data_class: str) -> None:
        """Let an agent speak of one more data subject. Raises: TooManyDataSubjects."""
        if not self._keys.admits(scope, data_class):
            raise TooManyDataSubjects

    async def intend(self, attempt: Attempt, body: bytes) -> None:
        """Record that a call is about to leave, and hold what it may cost.

        Raises: JournalDown leaves; NoRoom where a budget cannot hold it.
        """
        subject, facts = attempt.subject, intent_facts(attempt)
        body = await cleaned(body, attempt.operation, facts)
        moves = [hold.taking for hold in attempt.reserved.holds]
        annex = annex_of_intent(attempt.left, facts, attempt.operation)
        fields = Fields(
            kind="intent",
            verb=Verb.CALL_INTENDED.value,
            actor=subject.actor,
            subject=Ref("model", attempt.target.model.public_id),
            recorded_at=attempt.started_at,
            agent_id=subject.agent_id,
            facts=facts,
            entry_id=attempt.entry_id,
        )
        said = (body, annex)
        is_first = attempt.number == 1
        rows = self._rows.of_run(subject, attempt.started_at) if is_first else []
        try:
            await self._append_sealed(fields, subject, rows, said, is_first=is_first, moves=moves)
        except (JournalFull, NotRecordable):
            raise  # it was not queued, or was refused: it holds nothing
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
            await self._conclude_at_least(attempt, outcome)
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
                await self._conclude_at_least(attempt, outcome)
            except (NotRecordable, EntryTooLarge):
                pass  # somebody has concluded it meanwhile: one result per intent
            except JournalDown:
                return
            self._owed.popleft()

    async def _conclude_at_least(self, attempt: Attempt, outcome: Outcome) -> None:
        """Record a result; where the ledger does not take it, record at least that there is one.

        Raises: what refused it all the same: what is not on record is not given to an agent.
        """
        try:
            await self._conclude(attempt, outcome)
        except (NotRecordable, EntryTooLarge) as refusal:
            least = Outcome(
                outcome.status,
                outcome.http_status,
                outcome.usage,
                b"",
                outcome.duration_ms,
                error_code=refusal.code.partition(".")[2],
                was_withheld=True,
            )
            await self._conclude(replace(attempt, tools=()), least)
            raise

    async def _conclude(self, attempt: Attempt, outcome: Outcome) -> None:
        subject, model, usage = attempt.subject, attempt.target.model, outcome.usage
        cost = usage.cost_micros(model)
        facts = result_facts(attempt, outcome, cost)
        moves = attempt.reserved.settling(usage, cost)
        entry_id = new_id("ent")
        body = await cleaned(outcome.payload, attempt.operation, facts)
        annex = await _annex_of_result(outcome, body, facts)
        fields = Fields(
            kind="result",
            verb=_VERBS[outcome.status].value,
            actor=subject.actor,
            subject=Ref("model", model.public_id),
            recorded_at=clock.now(),
            agent_id=subject.agent_id,
            intent_id=attempt.entry_id,
            facts=facts,
            entry_id=entry_id,
        )
        rows = [call_row(attempt, outcome, cost)] if subject.run is not None else []
        rows += self._rows.of_tools(attempt, outcome)
        if outcome.said_of_model:
            rows.append(vendor_word_row(attempt, outcome, fields.recorded_at))
        if outcome.limits is not None:
            rows += self._rows.of_limits(attempt, outcome.limits, fields.recorded_at)
        if outcome.is_kept and not attempt.is_shadow:
            rows.append(stored_row(attempt, outcome))
        await self._append_sealed(fields, subject, rows, (body, annex), moves=moves)

    async def refuse(
        self,
        subject: Subject,
        route: Route,
        target: Target,
        refusal: Refusal,
        at: datetime,
        *,
        after: Attempt | None = None,
    ) -> str:
        """Record that a call was not let through; return the entry's id.

        After an attempt it says only that the call could not go on: the call has its row.
        """
        entry_id = new_id("ent")
        fields = Fields(
            kind="decision",
            verb=refusal.verb.value,
            actor=subject.actor,
            subject=refusal.about or Ref("route", route.public_id),
            recorded_at=clock.now(),
            agent_id=subject.agent_id,
            facts=refusal.facts(subject, route, target, after),
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
        outcome = Outcome("denied", refusal.status, Usage(), b"", 0, error_code=refusal.error_code)
        rows = [
            *self._rows.of_run(subject, at),
            call_row(attempt, outcome, None),
            *self._rows.of_refused_tools(subject.agent_id, refusal.why.get("tools_undeclared"), at),
        ]
        await self._append(fields, subject, rows, None, is_first=True)
        return entry_id

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
        await self._append(fields, subject, [*self._rows.of_run(subject, now), *rows], None)

    async def report(self, subject: Subject, said: Reported) -> None:
        """Record what an agent says it did. Raises: JournalDown leaves."""
        facts = {**said.facts}
        body = await cleaned(said.content, "report", facts) if said.content else b""
        fields = Fields(
            kind="report",
            verb=said.verb.value,
            actor=subject.actor,
            subject=Ref("run", subject.stream),
            recorded_at=said.at,
            agent_id=subject.agent_id,
            facts=facts,
            entry_id=said.entry_id,
        )
        rows = [*self._rows.of_run(subject, said.at), *said.rows]
        if said.content:
            await self._append_sealed(fields, subject, rows, (body, b""))
        else:
            await self._append(fields, subject, rows, None)

    async def _append_sealed(
        self,
        fields: Fields,
        subject: Subject,
        rows: list[Row],
        said: tuple[bytes, bytes],
        *,
        is_first: bool = False,
        moves: Sequence[Move] = (),
    ) -> None:
        """Encrypt what was said and record it; once more, should its key be destroyed just now."""
        for is_last in (False, True):
            payload, data_key = await sealed(self._keys, said[0], subject, fields.entry_id, said[1])
            whole = replace(fields, payload=payload)
            try:
                await self._append(whole, subject, rows, data_key, is_first=is_first, moves=moves)
            except NotRecordable:
                if is_last:
                    raise
            else:
                return

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
        if named := self.artifacts.rows(fields.facts or {}, fields.recorded_at):
            rows = [*rows, *named]
        is_new = is_first and subject.run is not None and subject.run.is_new
        try:
            await self._ledger.append(
                fields, stream=subject.stream, rows=rows, is_first=is_new, moves=moves
            )
        except NotRecordable:
            # Perhaps the data key was shredded meanwhile: the next call gets another one.
            self._keys.forget(subject.scope)
            self._rows.forget()
            self.artifacts.forget()
            raise
        except JournalDown:
            self._rows.forget()
            self.artifacts.forget()
            raise
        if named:
            self.artifacts.confirm(named)
        if data_key is not None:
            self._keys.confirm(str(data_key.values[0]))
        if subject.run is not None and not subject.run.is_new:
            self._rows.remember(subject.run.run_id)


async def _annex_of_result(outcome: Outcome, delivered: bytes, facts: dict[str, Fact]) -> bytes:
    received = outcome.received
    if received is not None and len(delivered) > _OFFLOAD_BYTES:
        return await asyncio.to_thread(annex_of_result, received, delivered, facts)
    return annex_of_result(received, delivered, facts)
