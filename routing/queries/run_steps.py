"""The steps of a run, a page at a time: what began each, what answered it, what worked for it.

The ledger's entries are the steps; the rows of calls add what they cost. However many steps
a run has, a page of them is a constant number of questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db.models import Q, QuerySet

from ledger.errors import EvidenceAltered
from ledger.models import Entry
from ledger.queries import SeenEntry, seen
from registry.actors import Actor
from registry.queries.directory import names_of
from routing.models import Call, Run, RunLink, RunSummary
from routing.queries.calls import agents_of_seen_runs
from routing.queries.run_sums import summaries_of

_BEGIN: Final = (
    Entry.Kind.INTENT, Entry.Kind.DECISION, Entry.Kind.PROPOSAL, Entry.Kind.REVIEW,
    Entry.Kind.EFFECT, Entry.Kind.CHANGE, Entry.Kind.REPORT,
)  # fmt: skip
# What a page may be narrowed to, and the kinds of entries that begin such steps.
NARROWER: Final = {
    "model": Q(kind=Entry.Kind.INTENT) | Q(verb="model_call.reported"),
    "tool": Q(verb__in=["tool.reported", "retrieval.reported"]),
    "decision": Q(kind=Entry.Kind.DECISION) | Q(verb="decision.reported"),
    "action": Q(kind__in=[Entry.Kind.PROPOSAL, Entry.Kind.REVIEW, Entry.Kind.EFFECT]),
    "report": Q(kind=Entry.Kind.REPORT),
}
CHILDREN_SHOWN: Final = 100


@dataclass(slots=True)
class StepRow:
    """One step: the entry that began it, its answer, and its call where it was one."""

    entry_id: str
    told: SeenEntry | None  # None: what is stored is no longer what was recorded
    recorded_at: datetime
    answer: SeenEntry | None = None
    call: Call | None = None
    reports: list[SeenEntry] = field(default_factory=list)  # the agent's own of the same call

    @property
    def facts(self) -> dict[str, Any]:
        """What the entry and its answer say; the answer counts where both do."""
        said: dict[str, Any] = dict(self.told.facts) if self.told is not None else {}
        return said | (dict(self.answer.facts) if self.answer is not None else {})


@dataclass(frozen=True, slots=True)
class ChildRun:
    """A run that works for this one, and since when."""

    run_id: str
    label: str
    agent_name: str
    delegation_id: str
    linked_at: datetime
    summary: RunSummary


def steps_of(run: Run, kind: str = "") -> QuerySet[Entry]:
    """Return the entries that begin steps of a run, in the order they were recorded."""
    rows = Entry.objects.filter(stream=run.run_id, kind__in=_BEGIN)
    if kind in NARROWER:
        rows = rows.filter(NARROWER[kind])
    return rows.order_by("recorded_at", "entry_id")


def read_steps(rows: Sequence[Entry]) -> list[StepRow]:
    """Return the steps that these entries begin, each with its answer and its call."""
    named = [row.entry_id for row in rows]
    answers = _answers(named)
    calls = {call.intent_id: call for call in Call.objects.filter(intent_id__in=named)}
    steps: dict[str, StepRow] = {}
    for row in rows:
        told = _told(row)
        step = StepRow(row.entry_id, told, row.recorded_at)
        step.answer, step.call = answers.get(row.entry_id), calls.get(row.entry_id)
        observed = step.facts.get("observed")
        if told is not None and isinstance(observed, str) and observed in steps:
            # The gateway saw that call itself: what the agent says of it stands with it.
            steps[observed].reports.append(told)
            continue
        steps[row.entry_id] = step
    return list(steps.values())


def children_between(
    actor: Actor, run: Run, since: datetime | None, until: datetime | None
) -> list[ChildRun]:
    """Return the runs that began to work for a run in a time, as far as one may see them."""
    links = RunLink.objects.filter(parent_run=run.run_id)
    if since is not None:
        links = links.filter(linked_at__gte=since)
    if until is not None:
        links = links.filter(linked_at__lt=until)
    found = {link.child_run: link for link in links.order_by("linked_at")[:CHILDREN_SHOWN]}
    if not found:
        return []
    runs = Run.objects.filter(run_id__in=list(found))
    if (seen_ones := agents_of_seen_runs(actor)) is not None:
        runs = runs.filter(agent_id__in=seen_ones.values("public_id"))
    shown = list(runs)
    sums, names = summaries_of(shown), names_of(f"agent:{run.agent_id}" for run in shown)
    return [
        ChildRun(
            run_id=child.run_id,
            label=child.label,
            agent_name=names.get(f"agent:{child.agent_id}", child.agent_id),
            delegation_id=found[child.run_id].delegation_id,
            linked_at=found[child.run_id].linked_at,
            summary=sums[child.run_id],
        )
        for child in shown
    ]


def _answers(intents: list[str]) -> Mapping[str, SeenEntry]:
    rows = Entry.objects.filter(kind=Entry.Kind.RESULT, intent_id__in=intents)
    answers = {}
    for row in rows:
        told = _told(row)
        if told is not None and told.intent_id:
            answers[told.intent_id] = told
    return answers


def _told(row: Entry) -> SeenEntry | None:
    with suppress(EvidenceAltered):
        return seen(row)
    return None
