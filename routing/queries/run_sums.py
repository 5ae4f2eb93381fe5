"""What calls and entries after a place come to, by run: for the sweep, and for who reads.

The sweep writes what this returns; a reader adds it to what was written, so that a list
shows a run from its first entry on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from ledger.models import Entry
from routing.models import Call, Run, RunLink, RunSummary, UsageMark
from routing.models.run_summary import COUNTS
from routing.steps import MOST_FACETS, Delta, add_call, add_entry

CALLS: Final = "runs:calls"
ENTRIES: Final = "runs:entries"
# Of one run, behind the marks: what a page adds up at most.
SHOWN: Final = 20_000
_STREAMS: Final = "run_"
_LONGEST: Final = 4000
_DEEPEST: Final = 5  # as deep as work is delegated
_AFTER: Final = '("{table}".xid, "{table}".id) > (%s::text::xid8, %s)'
_FINAL: Final = '"{table}".xid < pg_snapshot_xmin(pg_current_snapshot())'
Place = tuple[int, int]


_CALL: Final = (
    "xid", "id", "run_id", "status", "attempt", "is_shadow", "is_substituted", "usage_estimated",
    "cost_micros", "input_tokens", "output_tokens", "started_at", "duration_ms", "route", "model",
    "vendor", "error_code", "requested_model", "reported_model", "made_for",
)  # fmt: skip
_ENTRY: Final = ("xid", "id", "stream", "kind", "verb", "recorded_at", "header")


class _Told(NamedTuple):
    """An entry as far as sums need it."""

    kind: str
    verb: str
    facts: dict[str, Any]
    recorded_at: datetime


@dataclass(slots=True)
class Fresh:
    """Calls and entries behind the marks, in the order of their commits."""

    calls: list[Any] = field(default_factory=list)  # their columns, by name
    entries: list[Any] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.calls) + len(self.entries)

    @property
    def last_call(self) -> Place | None:
        return _place(self.calls)

    @property
    def last_entry(self) -> Place | None:
        return _place(self.entries)


def after(
    marks: Mapping[str, UsageMark], *, limit: int, is_final: bool = False, agent_id: str = "",
    run_ids: Collection[str] = (),
) -> Fresh:  # fmt: skip
    """Return what lies behind the marks: only what is final, or all that is visible."""
    calls = _behind(Call.objects.all(), _CALL, marks.get(CALLS), is_final=is_final)
    entries = _behind(Entry.objects.all(), _ENTRY, marks.get(ENTRIES), is_final=is_final)
    if agent_id:
        calls, entries = calls.filter(agent_id=agent_id), entries.filter(agent_id=agent_id)
    if run_ids:
        calls = calls.filter(run_id__in=list(run_ids))
        entries = entries.filter(stream__in=list(run_ids))
    return Fresh(list(calls[:limit]), list(entries[:limit]))


def deltas_of(fresh: Fresh) -> dict[str, Delta]:
    """Return what these come to, by run. An entry that cannot be read counts as seen only."""
    deltas: dict[str, Delta] = {}
    for call in fresh.calls:
        add_call(deltas.setdefault(call.run_id, Delta(call.run_id)), call)
    for row in fresh.entries:
        if row.stream.startswith(_STREAMS):
            delta = deltas.setdefault(row.stream, Delta(row.stream))
            # Its columns and its facts as they stand: whether they are what was recorded is
            # for those who verify. Reading a header strictly takes ten times as long.
            facts = _facts_of(row.header)
            if facts is not None:
                add_entry(delta, _Told(row.kind, row.verb, facts, row.recorded_at))
    return deltas


def _facts_of(header: bytes) -> dict[str, Any] | None:
    try:
        facts = orjson.loads(bytes(header))["facts"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return facts if isinstance(facts, dict) else None


def summed(deltas: Mapping[str, Delta]) -> tuple[list[RunSummary], set[tuple[str, str]]]:
    """Return the summaries of runs with what is new in them, and the words that find them.

    A run that somebody works for is among them: it goes on while they do.
    """
    parents = _parents({name: each.last_at for name, each in deltas.items() if each.last_at})
    named = [*deltas, *parents]
    stored = {row.run_id: row for row in RunSummary.objects.filter(run_id__in=named)}
    missing = [name for name in named if name not in stored]
    for run in Run.objects.filter(run_id__in=missing):
        stored[run.run_id] = RunSummary(
            run_id=run.run_id, agent_id=run.agent_id, label=run.label, started_at=run.started_at,
            last_at=run.started_at, searchable=f"{run.label} {run.run_id}".lower(),
        )  # fmt: skip
    for name, at in parents.items():
        if name in stored:
            stored[name].child_at = max(at, stored[name].child_at or at)
    words = set()
    for name, delta in deltas.items():
        if name in stored:
            _add(stored[name], delta)
            words |= {(name, word) for word in delta.words}
    return list(stored.values()), words


def summary_of(run: Run) -> RunSummary:
    """Return what one run comes to at this moment."""
    return summaries_of([run])[run.run_id]


def summaries_of(runs: Collection[Run]) -> dict[str, RunSummary]:
    """Return what runs come to at this moment, by their ids."""
    named = [run.run_id for run in runs]
    if not named:
        return {}
    marks = {mark.name: mark for mark in UsageMark.objects.filter(name__in=(CALLS, ENTRIES))}
    deltas = deltas_of(after(marks, limit=SHOWN, run_ids=named))
    rows, _ = summed({name: deltas.get(name, Delta(name)) for name in named})
    return {row.run_id: row for row in rows if row.run_id in named}


def _parents(moments: dict[str, datetime]) -> dict[str, datetime]:
    """Return the runs that these work for, at any remove, and when these last did something."""
    found: dict[str, datetime] = {}
    for _ in range(_DEEPEST):
        above: dict[str, datetime] = {}
        links = RunLink.objects.filter(child_run__in=list(moments))
        for child, parent in links.values_list("child_run", "parent_run"):
            above[parent] = max(moments[child], above.get(parent, moments[child]))
        for parent, at in above.items():
            found[parent] = max(at, found.get(parent, at))
        if not above:
            break
        moments = above
    return found


def _add(row: RunSummary, delta: Delta) -> None:
    for name in COUNTS:
        setattr(row, name, getattr(row, name) + delta.counts[name])
    row.last_at = max(row.last_at, delta.last_at or row.last_at)
    row.length_ms = max(0, round((row.last_at - row.started_at).total_seconds() * 1000))
    if delta.last_call_at is not None:
        row.last_call_at = max(row.last_call_at or delta.last_call_at, delta.last_call_at)
    if delta.ended_at is not None:
        row.ended_at = max(row.ended_at or delta.ended_at, delta.ended_at)
    known = set(row.facets)
    row.facets = [*row.facets, *sorted(delta.facets - known)][:MOST_FACETS]
    for name in sorted(delta.names):
        if name.lower() not in row.searchable and len(row.searchable) < _LONGEST:
            row.searchable = f"{row.searchable} {name.lower()}"


def _behind(
    rows: QuerySet[Any], columns: Sequence[str], mark: UsageMark | None, *, is_final: bool
) -> QuerySet[Any]:
    table = rows.model._meta.db_table
    xid, place = (mark.xid, mark.call_id) if mark is not None else (0, 0)
    wanted = [_true(_AFTER.format(table=table), str(xid), place)]
    if is_final:
        wanted.append(_true(_FINAL.format(table=table)))
    return rows.filter(*wanted).order_by("xid", "id").values_list(*columns, named=True)


def _true(text: str, *values: str | int) -> RawSQL:
    # Our own words and the name of a table; values go beside them.
    return RawSQL(text, values, output_field=BooleanField())  # noqa: S611


def _place(rows: Sequence[Any]) -> Place | None:
    return (int(rows[-1].xid), rows[-1].id) if rows else None
