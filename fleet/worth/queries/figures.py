"""The figures of agents over some weeks: a constant number of statements, however many agents.

Everything is read from sums by day; nothing here scans calls, runs or entries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, Max, Q

from fleet.conformance.models import ProcessSum
from fleet.health.models import AgentHealth, Status
from fleet.worth.earning import Costs, Earned, Outcomes, bounds, earned, weeks_negative
from fleet.worth.models import DeclaredValue
from registry.models import Agent, AgentKey
from routing.models import ModelUse

_USE = """
SELECT agent_id, (day - %(since)s::date) / 7, sum(calls), sum(errors), sum(cost_micros),
       count(DISTINCT day) FILTER (WHERE calls > 0)
FROM routing_usageday WHERE day >= %(since)s AND day < %(until)s AND {some} GROUP BY 1, 2
"""
_WORK = """
SELECT agent_id, (day - %(since)s::date) / 7, sum(runs), sum(good_runs), sum(tool_micros),
       sum(answers), sum(review_seconds)
FROM worth_worthday WHERE day >= %(since)s AND day < %(until)s AND {some} GROUP BY 1, 2
"""
_OUTCOMES = """
SELECT agent_id, (day - %(since)s::date) / 7, action, sum(accepted), sum(edited),
       sum(kept_permille), sum(rejected), sum(failed)
FROM worth_outcomeday WHERE day >= %(since)s AND day < %(until)s AND {some} GROUP BY 1, 2, 3
"""


@dataclass(slots=True)
class Week:
    """One week of one agent."""

    calls: int = 0
    errors: int = 0
    model_micros: int = 0
    days: int = 0
    runs: int = 0
    good_runs: int = 0
    tool_micros: int = 0
    answers: int = 0
    review_seconds: int = 0
    outcomes: dict[str, list[int]] = field(default_factory=dict)

    @property
    def costs(self) -> Costs:
        return Costs(
            self.model_micros, self.tool_micros,
            self.review_seconds * settings.REVIEWER_MINUTE_CENTS * 10_000 // 60,
        )  # fmt: skip


@dataclass(slots=True)
class Figures:
    """One agent over the whole time, and week by week."""

    agent_id: str
    weeks: dict[int, Week] = field(default_factory=lambda: defaultdict(Week))
    values: dict[str, int] = field(default_factory=dict)  # declared, by action
    last_call_at: datetime | None = None
    callers: int = 0
    gap_lower: float | None = None
    broken_since: datetime | None = None  # its health is down
    broken_because: str = ""

    def outcomes(self, weeks: Collection[int] | None = None) -> list[Outcomes]:
        """Return what became of its actions, of each kind."""
        sums: dict[str, list[int]] = {}
        for number, week in self.weeks.items():
            if weeks is None or number in weeks:
                for action, counts in week.outcomes.items():
                    known = sums.setdefault(action, [0] * 5)
                    sums[action] = [a + b for a, b in zip(known, counts, strict=True)]
        return [
            Outcomes(action, counts[0], counts[1], counts[2], counts[3], counts[4], value)
            for action, counts in sorted(sums.items())
            for value in [self.values.get(action)]
        ]

    def total(self, name: str) -> int:
        return sum(int(getattr(week, name)) for week in self.weeks.values())

    @property
    def costs(self) -> Costs:
        each = [week.costs for week in self.weeks.values()]
        return Costs(
            sum(one.model_micros for one in each), sum(one.tool_micros for one in each),
            sum(one.review_micros for one in each),
        )  # fmt: skip

    @property
    def earned(self) -> Earned | None:
        runs = self._runs(self.total("good_runs"), self.total("runs"))
        return earned(self.outcomes(), self.costs, runs)

    def nets(self, weeks: int) -> list[int | None]:
        """Return what each week earned less its cost; None for one without work or value."""
        found: list[int | None] = []
        for number in range(weeks):
            week = self.weeks.get(number)
            if week is None or not (week.calls or week.outcomes or week.answers):
                found.append(None)
                continue
            runs = self._runs(week.good_runs, week.runs)
            net = earned(self.outcomes({number}), week.costs, runs)
            is_valued = bool(self.values)
            found.append(net.value_micros if net else -week.costs.whole if is_valued else None)
        return found

    def _runs(self, good: int, runs: int) -> Outcomes | None:
        value = self.values.get(DeclaredValue.RUN)
        if value is None:
            return None
        return Outcomes(DeclaredValue.RUN, good, rejected=max(runs - good, 0), value_micros=value)

    def facts(self, weeks: int, now: datetime) -> dict[str, Any]:
        """As rows and files keep it: plain values, millionths of US dollars."""
        outcomes, net, costs = self.outcomes(), self.earned, self.costs
        decided = sum(each.decided for each in outcomes)
        counted = sum(each.counted for each in outcomes)
        lower, upper = bounds(counted, decided)
        nets = self.nets(weeks)
        return {
            "model_micros": costs.model_micros, "tool_micros": costs.tool_micros,
            "review_micros": costs.review_micros, "cost_micros": costs.whole,
            "calls": self.total("calls"), "errors": self.total("errors"),
            "days": self.total("days"), "runs": self.total("runs"), "callers": self.callers,
            "answers": self.total("answers"), "review_seconds": self.total("review_seconds"),
            "decided": decided, "accepted": sum(each.accepted for each in outcomes),
            "edited": sum(each.edited for each in outcomes),
            "rejected": sum(each.rejected for each in outcomes),
            "failed": sum(each.failed for each in outcomes),
            "accepted_milli": round(1000 * counted),
            "accepted_lower": round(lower, 4), "accepted_upper": round(upper, 4),
            "is_valued": bool(self.values), "is_measured": bool(net and net.is_measured),
            "net_micros": net.value_micros if net else None,
            "net_lower_micros": net.lower_micros if net else None,
            "net_upper_micros": net.upper_micros if net else None,
            "weeks": nets, "weeks_negative": weeks_negative(nets),
            "idle_days": None if self.last_call_at is None else (now - self.last_call_at).days,
            "gap_lower": None if self.gap_lower is None else round(self.gap_lower, 4),
            "broken_days": None if self.broken_since is None else (now - self.broken_since).days,
            "broken_because": self.broken_because,
        }  # fmt: skip


def figures_between(
    since: date, until: date, agents: Collection[Agent] | None = None
) -> Mapping[str, Figures]:
    """Return the figures of agents in [since, until), of all where none are named."""
    ids = None if agents is None else [agent.public_id for agent in agents]
    found: dict[str, Figures] = {}

    def of(agent_id: str) -> Figures:
        return found.setdefault(agent_id, Figures(agent_id))

    for agent_id, week, *sums in _rows(_USE, since, until, ids):
        one = of(agent_id).weeks[int(week)]
        one.calls, one.errors, one.model_micros, one.days = map(int, sums)
    for agent_id, week, *sums in _rows(_WORK, since, until, ids):
        one = of(agent_id).weeks[int(week)]
        one.runs, one.good_runs, one.tool_micros, one.answers, one.review_seconds = map(int, sums)
    for agent_id, week, action, *sums in _rows(_OUTCOMES, since, until, ids):
        of(agent_id).weeks[int(week)].outcomes[action] = [int(each) for each in sums]
    _add_rest(of, since, ids)
    return found


def _add_rest(of: Any, since: date, ids: list[str] | None) -> None:
    some = Q() if ids is None else Q(agent__public_id__in=ids)
    named = Q() if ids is None else Q(agent_id__in=ids)
    values = DeclaredValue.objects.filter(some, ended_at__isnull=True)
    for agent_id, action, value in values.values_list("agent__public_id", "action", "value_micros"):
        of(agent_id).values[action] = value
    uses = ModelUse.objects.filter(named).values_list("agent_id").order_by()
    for agent_id, at in uses.annotate(at=Max("last_called_at")):
        of(agent_id).last_call_at = at
    began = datetime.combine(since, time(), UTC)
    keys = AgentKey.objects.filter(some, last_used_at__gte=began)
    for agent_id, number in keys.values_list("agent__public_id").order_by().annotate(n=Count("id")):
        of(agent_id).callers = number
    down = AgentHealth.objects.filter(some, status=Status.DOWN, is_watched=True)
    for agent_id, at, why in down.values_list("agent__public_id", "since", "reason"):
        of(agent_id).broken_since, of(agent_id).broken_because = at, why[:200]
    gaps = ProcessSum.objects.filter(named).exclude(process="").order_by("last_at")
    for agent_id, deviating, runs in gaps.values_list("agent_id", "deviating", "runs"):
        of(agent_id).gap_lower = bounds(deviating, runs)[0]


def _rows(statement: str, since: date, until: date, ids: list[str] | None) -> list[tuple[Any, ...]]:
    some = "true" if ids is None else "agent_id = ANY(%(ids)s)"
    with connection.cursor() as cursor:
        cursor.execute(statement.format(some=some), {"since": since, "until": until, "ids": ids})
        return list(cursor.fetchall())


def last_weeks(today: date, weeks: int) -> tuple[date, date]:
    """Return the last whole weeks and today: from when, and the first day that is not in."""
    until = today + timedelta(days=1)
    return until - timedelta(days=7 * weeks), until
