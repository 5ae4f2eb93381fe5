"""The steps of a run, as two runs are compared by: each answered call, each refusal, each report.

Owns what of an entry is compared, and by what two steps are known to be the same one. An
attempt that did not serve is not a step of its own: the call is, with what it came to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field

from ledger.entries import Fact
from routing.comparing.spoken import Answer, Question, answer_of, question_of
from routing.gateway.replaying.recorded import RecordedEntry, RecordedRun

CALL = "call"
REFUSAL = "refusal"
REPORT = "report"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one run."""

    entry_id: str
    kind: str
    name: str  # the operation of a call, the verb of anything else
    facts: Mapping[str, Fact] = field(repr=False)
    question: Question | None = field(default=None, repr=False)
    answer: Answer | None = field(default=None, repr=False)
    unread: str = ""  # why what was said is not here
    attempts: int = 1
    of: str = ""  # the step of another run that this one answers again

    @property
    def signature(self) -> Hashable:
        """What a step is known again by: its kind, and what was asked last."""
        if self.kind != CALL:
            return self.kind, self.name, self.facts.get("tool") or self.facts.get("rule")
        turns = self.question.turns if self.question is not None else ()
        last = (
            hashlib.sha256(turns[-1].text.encode("utf-8", "replace")).hexdigest() if turns else ""
        )
        return self.kind, len(turns), last

    def fact(self, name: str) -> Fact:
        return self.facts.get(name)


def steps_of(run: RecordedRun) -> list[Step]:
    """Return the steps of a run in their order."""
    return [*_steps(run)]


def _steps(run: RecordedRun) -> Iterator[Step]:
    results = run.results
    last: dict[str, RecordedEntry] = {}
    counts: dict[str, int] = {}
    for entry in run.entries:
        if entry.kind == "intent" and not entry.facts.get("shadow"):
            call = entry.text("call") or entry.entry_id
            last[call] = entry
            counts[call] = counts.get(call, 0) + 1
    done: set[str] = set()
    for entry in run.entries:
        if entry.kind == "intent":
            call = entry.text("call") or entry.entry_id
            if entry.facts.get("shadow") or call in done:
                continue
            done.add(call)
            yield _call(last[call], results.get(last[call].entry_id), counts[call])
        elif entry.verb in {"call.denied", "call.over_budget"} and not entry.facts.get("call"):
            yield Step(entry.entry_id, REFUSAL, entry.verb, entry.facts)
        elif entry.facts.get("reported"):
            yield Step(entry.entry_id, REPORT, entry.verb, entry.facts, unread=entry.unread)


def _call(intent: RecordedEntry, result: RecordedEntry | None, attempts: int) -> Step:
    facts = {**intent.facts, **(result.facts if result is not None else {"status": "open"})}
    answer = result.payload if result is not None else None
    return Step(
        intent.entry_id,
        CALL,
        intent.text("operation"),
        facts,
        None if intent.payload is None else question_of(intent.payload),
        None if answer is None else answer_of(answer),
        intent.unread or (result.unread if result is not None else ""),
        attempts,
        intent.text("of"),
    )
