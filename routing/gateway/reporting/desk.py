"""Recording what agents report: each step once, in its run, marked as their word.

Owns that nothing is said to be recorded that is not durable, that a step which comes again is
the same entry, and that a report of a call which the gateway saw is tied to it, not added.
Steps are recorded a few at a time: calls of others are in the same commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from kernel import clock
from kernel.refs import new_id
from ledger.entries import EntryTooLarge, Fact
from ledger.journal import NotRecordable, Row
from routing.gateway.authenticate import Caller
from routing.gateway.delegation.tables import RUN_LINKS
from routing.gateway.recording.attempt import Reported, Subject
from routing.gateway.recording.recorder import Recorder
from routing.gateway.reporting.errors import ReportsBusy
from routing.gateway.reporting.known import Call, Known, Question, ReportIndex
from routing.gateway.reporting.pace import Pace, Turns
from routing.gateway.reporting.rows import reported_row
from routing.gateway.reporting.screening import ReportScreen
from routing.gateway.reporting.steps import LONGEST_WORD, Step
from routing.gateway.runs import RunName

AT_ONCE: Final = 32
_AROUND: Final = timedelta(minutes=2)
_LONGEST_LOOK: Final = timedelta(hours=6)
_WAITS: Final = 250
_WAIT_SECONDS: Final = 0.02

RunOf = Callable[[Step, Known], RunName]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a step: its entry, unless the ledger refused this one."""

    entry_id: str
    run_id: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports, and how that is looked at."""

    caller: Caller
    screen: ReportScreen
    tag: str = ""  # whose data it is about

    @property
    def agent_id(self) -> str:
        return self.caller.agent.public_id


class Desk:
    """Takes steps of any agent. One in each process."""

    def __init__(
        self,
        recorder: Recorder,
        index: ReportIndex,
        pace: Pace,
        tell: Callable[[str, str], None] = lambda source, outcome: None,
    ) -> None:
        self._recorder = recorder
        self._index = index
        self._pace = pace
        self._tell = tell
        self._doing: set[tuple[str, str]] = set()

    async def take(
        self, reporter: Reporter, steps: Sequence[Step], run_of: RunOf
    ) -> list[Taken | None]:
        """Return what became of each step, once that is durable; None: the ledger refused it.

        Raises: ReportsThrottled, ReportsBusy, NotGoverned, JournalDown leaves; what was
        recorded before that is known again when it comes again.
        """
        keys = {(reporter.agent_id, step.report_key) for step in steps if step.report_key}
        await self._wait_for(keys)
        self._doing |= keys
        try:
            known = await self._index.look(_question(reporter.agent_id, steps))
            return await self._take(reporter, steps, run_of, known)
        finally:
            self._doing -= keys

    async def _wait_for(self, keys: set[tuple[str, str]]) -> None:
        """Let an earlier request with the same steps end first: a client may have lost patience."""
        for _ in range(_WAITS):
            if self._doing.isdisjoint(keys):
                return
            await asyncio.sleep(_WAIT_SECONDS)
        raise ReportsBusy("The same steps are being recorded already.")

    async def _take(
        self, reporter: Reporter, steps: Sequence[Step], run_of: RunOf, known: Known
    ) -> list[Taken | None]:
        found: dict[str, Taken] = {
            key: Taken(entry_id, run_id, is_new=False)
            for key, (entry_id, run_id) in known.entries.items()
        }
        new: list[Step] = []
        seen: set[str] = set(found)
        for step in steps:
            if not step.report_key or step.report_key not in seen:
                new.append(step)
                seen.add(step.report_key)
        self._count(len(steps) - len(new), steps, "repeated")
        made: dict[int, Taken] = {}
        turns, position = Turns(), 0
        while position < len(new):
            size = self._pace.take(reporter.agent_id, min(AT_ONCE, len(new) - position))
            some = new[position : position + size]
            for step, taken in await self._record(reporter, some, run_of, known, turns):
                made[id(step)] = taken
                if step.report_key:
                    found[step.report_key] = taken
            position += size
        return [made.get(id(step)) or found.get(step.report_key) for step in steps]

    async def _record(
        self,
        reporter: Reporter,
        steps: Sequence[Step],
        run_of: RunOf,
        known: Known,
        turns: Turns,
    ) -> list[tuple[Step, Taken]]:
        writing = []
        for step in steps:
            await turns.give()
            subject = Subject.of(reporter.caller, run_of(step, known), tag=reporter.tag)
            writing.append(self._write(reporter, subject, step, _observed(step, known)))
        outcomes = await asyncio.gather(*writing, return_exceptions=True)
        taken: list[tuple[Step, Taken]] = []
        for step, outcome in zip(steps, outcomes, strict=True):
            match outcome:
                case Taken():
                    taken.append((step, outcome))
                case NotRecordable() | EntryTooLarge():
                    if again := await self._known_meanwhile(reporter, step):
                        taken.append((step, again))
                case BaseException():
                    raise outcome
        self._count(len(taken), steps, "recorded")
        self._count(len(steps) - len(taken), steps, "refused")
        return taken

    async def _write(
        self, reporter: Reporter, subject: Subject, step: Step, call: Call | None
    ) -> Taken:
        entry_id, now = new_id("ent"), clock.now()
        screened = reporter.screen.screened(step)
        facts: dict[str, Fact] = {
            **subject.facts(),
            **step.facts(screened.words, now),
            **screened.facts,
            "key": subject.key_id,
        }
        rows: list[Row] = []
        if call is not None:
            facts["observed"] = call.intent_id
            if call.run_id != subject.stream:
                # The call came without the name of its session: its run worked for this one.
                agent = subject.agent_id
                rows.append(Row(RUN_LINKS, (call.run_id, subject.stream, agent, agent, "", now)))
        observed = call.intent_id if call is not None else ""
        rows.append(reported_row(entry_id, subject, step, screened.words, observed, now))
        said = Reported(entry_id, step.verb, now, facts, screened.content, tuple(rows))
        await self._recorder.report(subject, said)
        return Taken(entry_id, subject.stream, is_new=True)

    async def _known_meanwhile(self, reporter: Reporter, step: Step) -> Taken | None:
        """Look whether another gateway recorded it just then: that is why ours was refused."""
        if not step.report_key:
            return None
        known = await self._index.look(Question(reporter.agent_id, (step.report_key,)))
        found = known.entries.get(step.report_key)
        return Taken(*found, is_new=False) if found is not None else None

    def _count(self, count: int, steps: Sequence[Step], outcome: str) -> None:
        for _ in range(count):
            self._tell(steps[0].source, outcome)


def _question(agent_id: str, steps: Sequence[Step]) -> Question:
    calls = [step for step in steps if step.type == "model"]
    times = [one for step in calls for one in (step.started_at, step.ended_at) if one is not None]
    now = clock.now()
    since = max(min(times, default=now) - _AROUND, now - timedelta(days=7))
    return Question(
        agent_id,
        tuple({step.report_key for step in steps if step.report_key}),
        tuple({step.trace_id for step in steps if step.trace_id}),
        tuple({step.response_id for step in calls if _may_be_known(step.response_id)}),
        tuple({caller for step in calls for caller in step.callers}),
        since,
        min(max(times, default=now) + _AROUND, since + _LONGEST_LOOK),
    )


def _may_be_known(response_id: str) -> bool:
    return 0 < len(response_id) <= LONGEST_WORD and response_id.isprintable()


def _observed(step: Step, known: Known) -> Call | None:
    """Return the call of ours that a step is a report of."""
    if step.type != "model":
        return None
    # Of several calls under one span the last is the one that was not tried again; the id of
    # the answer tells it, where the agent says one.
    around = [known.calls[caller] for caller in step.callers if caller in known.calls]
    answered = known.calls.get(step.response_id)
    if answered is not None and (not around or answered in around):
        return answered
    return around[-1] if around else None
