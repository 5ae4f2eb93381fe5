"""Checking runs against what was declared when they began: each once, and again when it goes on.

A sweep follows the summaries of runs by their newest moment. What a run adds lies beside it, so
a run that is due again, or older than the window, is first taken out by what it added. The mark
is held while a batch is summed, so two sweeps never count one run twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from effects.models import Operation
from fleet.conformance.actions.summing import Sums
from fleet.conformance.aligning import END, START, Alignment, align, collapsed
from fleet.conformance.declared import Process
from fleet.conformance.models import CheckedRun, ConformanceMark
from fleet.conformance.queries.processes import process_at, processes_of
from fleet.conformance.seen import MOST, Recorded, Trace, trace_of
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Role
from routing.models import RunSummary
from routing.models.run_summary import QUIET

WINDOW: Final = timedelta(days=90)
BATCH: Final = 200
# A summary may come late by as much as this; once a day everything is gone over.
_OVERLAP: Final = timedelta(hours=1)
_WHOLE: Final = timedelta(days=1)
_MARK: Final = "runs"
_READ: Final = (Entry.Kind.INTENT, Entry.Kind.RESULT, Entry.Kind.PROPOSAL, Entry.Kind.REPORT)
_LONG: Final = 500  # entries; longer runs are read one at a time, and cut


def check_runs(*, actor: Actor, batch: int = BATCH) -> int:
    """Check every run that is over and was not checked as it stands; return how many.

    Each batch is a transaction of its own, so a long backlog can be stopped anywhere.
    Records: nothing; the sums are an index of what is on record already.
    Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    begin = clock.now() - WINDOW
    ConformanceMark.objects.bulk_create(
        [ConformanceMark(name=_MARK, checked_to=begin, whole_at=clock.now())],
        ignore_conflicts=True,
    )
    counted = 0
    while (taken := _check_batch(batch)) > 0:
        counted += taken
    while _forget_batch(begin, batch) > 0:
        pass
    return counted


@transaction.atomic
def _check_batch(batch: int) -> int:
    # The lock first and the rows in a later statement, which then sees what its holder wrote.
    mark = ConformanceMark.objects.select_for_update().get(name=_MARK)
    now = clock.now()
    since, is_whole = mark.checked_to - _OVERLAP, now - mark.whole_at >= _WHOLE
    if is_whole:
        since = now - WINDOW
    runs = list(_due(max(since, now - WINDOW), now - QUIET)[:batch])
    if runs:
        _count(runs)
    mark.checked_to = max(mark.checked_to, runs[-1].last_at) if runs else now - QUIET
    fields = ["checked_to"]
    if is_whole and len(runs) < batch:
        mark.whole_at, fields = now, [*fields, "whole_at"]
    mark.save(update_fields=fields)
    return len(runs)


def _due(since: datetime, until: datetime) -> QuerySet[RunSummary]:
    known = CheckedRun.objects.filter(run_id=OuterRef("run_id"), last_at__gte=OuterRef("last_at"))
    # What models answer to what we ask in its place says nothing of an agent.
    own = Q(own_count__gt=0, own_count__gte=F("call_count"))
    return RunSummary.objects.filter(
        ~Exists(known), ~own, last_at__gt=since, last_at__lte=until, in_flight__lte=0
    ).order_by("last_at", "run_id")


def _count(runs: Sequence[RunSummary]) -> None:
    before = {row.run_id: row for row in CheckedRun.objects.filter(pk__in=[r.pk for r in runs])}
    processes = processes_of({run.agent_id for run in runs})
    sums, checked = Sums(), []
    traces = _traces(runs, processes)
    for run in runs:
        process = process_at(processes.get(run.agent_id, ()), run.started_at)
        added = contribution(run, traces.get(run.run_id, Trace(())), process)
        if (row := before.get(run.run_id)) is not None:
            sums.take_out(row)
        new = CheckedRun(
            run_id=run.run_id, agent_id=run.agent_id, process=process.digest,
            last_at=run.last_at, added=added,
        )  # fmt: skip
        sums.put_in(new, process)
        checked.append(new)
    sums.write()
    CheckedRun.objects.bulk_create(
        checked, update_conflicts=True, unique_fields=["run_id"],
        update_fields=["agent_id", "process", "last_at", "added"],
    )  # fmt: skip


def contribution(run: RunSummary, trace: Trace, process: Process) -> dict[str, Any]:
    """Return what one run adds to the sums; nothing where no step of it was seen."""
    if not trace.events:
        return {}
    events = collapsed(trace.events)
    found = align(events, process.asked, process.fits) if process.steps else _as_seen(events)
    deviations: dict[tuple[str, str, str], int] = defaultdict(int)
    for each in found.findings:
        deviations[(each.kind, each.step, each.after)] += 1
    return {
        "fitness": found.fitness_permille,
        "deviates": int(bool(process.steps) and found.deviates),
        "model": run.model_steps,
        "deterministic": run.deterministic_steps,
        "cut": int(trace.is_cut),
        "edges": _edges(collapsed(found.path)),
        "deviations": [[*key, times] for key, times in sorted(deviations.items())],
    }


def _as_seen(events: Sequence[str]) -> Alignment:
    return Alignment(tuple(events), (), 0, len(events))


def _edges(path: Sequence[str]) -> list[list[Any]]:
    """Each pair of steps in a row, how often, and where the second stood, in thousandths."""
    whole = [START, *path, END]
    counted: dict[tuple[str, str], list[int]] = {}
    for at, (source, target) in enumerate(pairwise(whole)):
        place = round(1000 * at / max(len(path), 1))
        each = counted.setdefault((source, target), [0, 0])
        each[0] += 1
        each[1] += place
    return [[*pair, *each] for pair, each in sorted(counted.items())]


def _traces(
    runs: Sequence[RunSummary], processes: Mapping[str, Sequence[tuple[datetime, Process]]]
) -> dict[str, Trace]:
    by_run = {run.run_id: run for run in runs}
    recorded = _recorded(runs)
    names = _operations(recorded)
    found = {}
    for run_id, entries in recorded.items():
        run = by_run[run_id]
        process = process_at(processes.get(run.agent_id, ()), run.started_at)
        found[run_id] = trace_of(entries, process, names)
    return found


def _recorded(runs: Sequence[RunSummary]) -> dict[str, list[Recorded]]:
    short = [run.run_id for run in runs if _length(run) <= _LONG]
    found = {
        run_id: [*rows]
        for run_id, rows in groupby(_entries(Q(stream__in=short)), attrgetter("stream"))
    }
    for run in runs:
        if _length(run) > _LONG:
            # Each call is an intent and a result: twice as many entries as steps, and some more.
            found[run.run_id] = [*_entries(Q(stream=run.run_id))[: 3 * MOST]]
    return found


def _length(run: RunSummary) -> int:
    return 2 * run.attempt_count + run.reported_count + 4 * run.proposal_count


def _entries(which: Q) -> Any:
    rows = Entry.objects.filter(which, kind__in=_READ).order_by("stream", "recorded_at", "id")
    return _Rows(rows.values_list("stream", "kind", "verb", "header"))


class _Rows:
    """Entries as tuples with names, in order; sliced before they are read."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows

    def __iter__(self) -> Any:
        return (Recorded(*row) for row in self._rows)

    def __getitem__(self, part: slice) -> _Rows:
        return _Rows(self._rows[part])


def _operations(recorded: Mapping[str, Iterable[Recorded]]) -> dict[str, str]:
    if not any(each.kind == Entry.Kind.PROPOSAL for rows in recorded.values() for each in rows):
        return {}
    rows = Operation.objects.values_list("public_id", F("connection__name"), "name")
    return {public_id: f"{place}.{name}" for public_id, place, name in rows}


@transaction.atomic
def _forget_batch(before: datetime, batch: int) -> int:
    ConformanceMark.objects.select_for_update().get(name=_MARK)
    old = list(CheckedRun.objects.filter(last_at__lt=before).order_by("last_at")[:batch])
    if not old:
        return 0
    sums = Sums()
    for row in old:
        sums.take_out(row)
    sums.write()
    CheckedRun.objects.filter(pk__in=[row.pk for row in old]).delete()
    return len(old)
