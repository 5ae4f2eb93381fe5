"""Searching runs: the summaries a sweep has written, with what is newer added to them.

Owns who sees which run in a list, every filter, and the promise that a list is as new as
the ledger: runs with entries behind the sweep's marks are summed anew for the reader, and
take the place of their stored rows under the same filters and the same order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, Self

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest

from kernel import clock
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Agent
from routing.models import RunSummary, RunWord, UsageMark
from routing.models.run_summary import QUIET
from routing.queries.calls import agents_of_seen_runs
from routing.queries.run_sums import CALLS, ENTRIES, after, deltas_of, summed

# What a reader sums at most; a sweep that is further behind is waited for.
TAIL: Final = 2000
_MOST_WORDS: Final = 8
_MOST_NAMED: Final = 500
_FEW: Final = 5000
_TABLE: Final = RunSummary._meta.db_table
_COLUMNS: Final = [each.attname for each in RunSummary._meta.concrete_fields]
HAS: Final = {
    "tool": "Tool calls",
    "denied": "Denials",
    "fallback": "Fallbacks",
    "substitution": "Another model answered",
    "finding": "Findings of data protection",
    "proposal": "Proposals",
    "effect": "Effects",
    "report": "Reported steps",
    "shadow": "Shadows",
}


class SummedRuns(QuerySet[RunSummary]):
    """Summaries, with newer ones in the place of those that are stored. Ordered, and cut."""

    newer: Sequence[RunSummary] = ()

    def with_newer(self, newer: Sequence[RunSummary]) -> Self:
        """Return the same list with these in it."""
        rows = self.all()
        rows.newer = newer
        return rows

    def _clone(self) -> Self:
        rows: Self = super()._clone()  # type: ignore[misc]
        rows.newer = self.newer
        return rows

    def _fetch_all(self) -> None:
        if self._result_cache is None and self.newer:
            self._result_cache = self._merged()
        super()._fetch_all()

    def _merged(self) -> list[RunSummary]:
        low, high = self.query.low_mark, self.query.high_mark
        stored = self.query.clone()
        stored.clear_limits()
        stored.add_q(~Q(run_id__in=[row.run_id for row in self.newer]))
        stored.set_limits(high=high)
        rows = list(QuerySet(self.model, query=stored, using=self.db)) + self._from_newer(high)
        for name in reversed([str(name) for name in self.query.order_by]):
            rows.sort(key=attrgetter(name.removeprefix("-")), reverse=name.startswith("-"))
        return rows[low:high]

    def _from_newer(self, high: int | None) -> list[RunSummary]:
        """Ask the same of the newer rows: the database reads them in the table's place."""
        asked = self.query.clone()
        asked.clear_limits()
        asked.set_limits(high=high)
        text, values = asked.sql_with_params()
        before, after_it = text.split(f'FROM "{_TABLE}"', 1)
        place = f'FROM jsonb_populate_recordset(NULL::"{_TABLE}", %s::jsonb) AS "{_TABLE}"'
        said = [{name: getattr(row, name) for name in _COLUMNS} for row in self.newer]
        split = before.count("%s")
        given = (*values[:split], json.dumps(said, cls=_Exact), *values[split:])
        return list(self.model._default_manager.raw(before + place + after_it, given))


class _Exact(DjangoJSONEncoder):
    """Writes moments with all their digits: rows are compared by them."""

    def default(self, o: Any) -> Any:
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a search over runs asks for; everything that is said must hold."""

    words: str = ""
    agent: Agent | None = None
    owner: str = ""  # an address or an id of a person
    team: str = ""  # a team's slug
    state: str = ""
    outcome: str = ""
    error: str = ""
    model: str = ""
    vendor: str = ""
    route: str = ""
    tool: str = ""
    has: Sequence[str] = field(default_factory=tuple)
    since: datetime | None = None
    until: datetime | None = None
    least_cost: int | None = None
    most_cost: int | None = None
    least_ms: int | None = None
    most_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """As of when summaries stand, where a list cannot be as new as the ledger."""

    at: datetime | None = None


def found_runs(actor: Actor, wanted: Wanted) -> tuple[SummedRuns, Standing]:
    """Return the runs that fit and that this viewer may see, in no order yet."""
    marks = {mark.name: mark for mark in UsageMark.objects.filter(name__in=(CALLS, ENTRIES))}
    agent = wanted.agent
    fresh = after(marks, limit=TAIL, agent_id=agent.public_id if agent is not None else "")
    newer, words = summed(deltas_of(fresh)) if fresh.calls or fresh.entries else ([], set())
    is_cut = max(len(fresh.calls), len(fresh.entries)) >= TAIL
    known = [mark.counted_at for mark in marks.values()]
    rows = SummedRuns(RunSummary).with_newer(newer)
    if agent is not None:
        rows = rows.filter(agent_id=agent.public_id)
    if (seen := agents_of_seen_runs(actor)) is not None:
        rows = rows.filter(agent_id__in=seen.values("public_id"))
    for about in [*_about(wanted, words), *_with_facets(wanted, [row.run_id for row in newer])]:
        rows = rows.filter(about)
    name = Agent.objects.filter(public_id=OuterRef("agent_id")).values("name")[:1]
    rows = rows.annotate(agent_name=Subquery(name), public_id=F("run_id"))
    return rows, Standing(min(known) if is_cut and known else None)


def _about(wanted: Wanted, newer_words: set[tuple[str, str]]) -> list[Q]:
    asked = [_has_word(word, newer_words) for word in wanted.words.split()[:_MOST_WORDS]]
    if wanted.owner:
        owners = Agent.objects.filter(
            Q(owner__email__iexact=wanted.owner) | Q(owner__public_id=wanted.owner)
        )
        asked.append(Q(agent_id__in=owners.values("public_id")))
    if wanted.team:
        teams = Agent.objects.filter(team__slug=wanted.team)
        asked.append(Q(agent_id__in=teams.values("public_id")))
    for name, value in (
        ("started_at__gte", wanted.since), ("started_at__lt", wanted.until),
        ("cost_micros__gte", wanted.least_cost), ("cost_micros__lte", wanted.most_cost),
        ("length_ms__gte", wanted.least_ms), ("length_ms__lte", wanted.most_ms),
    ):  # fmt: skip
        if value is not None:
            asked.append(Q(**{name: value}))
    if wanted.outcome:
        asked.append(_with_outcome(wanted.outcome))
    if wanted.state:
        asked.append(_in_state(wanted.state))
    return asked


def _with_facets(wanted: Wanted, newer: list[str]) -> list[Q]:
    named = {
        "error": wanted.error, "model": wanted.model, "vendor": wanted.vendor,
        "route": wanted.route, "tool": wanted.tool,
    }  # fmt: skip
    facets = [f"{kind}:{value}" for kind, value in named.items() if value]
    facets += [f"has:{one}" for one in wanted.has]
    if not facets:
        return []
    asked = Q(facets__contains=facets)
    if wanted.agent is not None:
        return [asked]
    # The planner takes a name it has never seen for a common one, and would read the whole
    # list in its order to find none: what few runs have is fetched first.
    fitting = RunSummary.objects.filter(asked).order_by("-started_at", "-run_id")
    few = list(fitting.values_list("run_id", flat=True)[: _FEW + 1])
    return [asked] if len(few) > _FEW else [asked & Q(run_id__in=[*few, *newer])]


def _has_word(word: str, newer_words: set[tuple[str, str]]) -> Q:
    place = Q(searchable__contains=word.lower())
    # The ids are fetched first, so that every part of the question has an index.
    agents = Agent.objects.filter(name__icontains=word).values_list("public_id", flat=True)
    named = list(agents[:_MOST_NAMED])
    if named:
        place |= Q(agent_id__in=named)
    runs = {run_id for run_id, one in newer_words if one == word}
    found = RunWord.objects.filter(word=word).values_list("run_id", flat=True)
    runs |= set(found[:_MOST_NAMED])
    if word.startswith("ent_"):
        runs |= set(Entry.objects.filter(entry_id=word).values_list("stream", flat=True))
    if runs:
        place |= Q(run_id__in=sorted(runs))
    return place


def _with_outcome(outcome: str) -> Q:
    failed, denied = Q(failed_count__gt=0), Q(denied_count__gt=0)
    if outcome == RunSummary.Outcome.FAILED:
        return failed
    if outcome == RunSummary.Outcome.DENIED:
        return denied
    has_some = Q(call_count__gt=0) | Q(reported_count__gt=0) | Q(effect_count__gt=0)
    if outcome == RunSummary.Outcome.CLEAN:
        return Q(failed_count__lte=0, denied_count=0) & has_some
    return Q(failed_count__lte=0, denied_count=0) & ~has_some


def _in_state(state: str) -> Q:
    if state == RunSummary.State.IN_FLIGHT:
        return Q(in_flight__gt=0)
    since = clock.now() - QUIET
    is_recent = Q(last_at__gt=since) | Q(child_at__isnull=False, child_at__gt=since)
    active = Greatest(F("last_at"), Coalesce(F("child_at"), F("last_at")))
    was_ended = Q(ended_at__isnull=False, ended_at__gte=active)
    if state == RunSummary.State.OPEN:
        return Q(in_flight__lte=0) & is_recent & ~was_ended
    return Q(in_flight__lte=0) & (~is_recent | was_ended)
