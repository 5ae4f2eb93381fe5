"""How the fleet's use moves: sums of a period beside those of the one before it.

Reads days that are counted ahead. A day is a day in UTC; the one that is still running is
shown as such and is never compared with a whole one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, QuerySet, Sum, Window

from fleet.queries.attention import SHOWN, UNUSED_DAYS, Concern, Concerned
from kernel import clock
from registry.actors import Actor
from registry.models import Agent, Team
from routing.models import ModelUse, UsageDay
from routing.queries.calls import seen_agents
from routing.queries.usage import Used, UsedBy, first_day, total, usage_by_day

SPARK_DAYS: Final = 14
_LOOKS_BACK: Final = 62
_SUMMED: Final = ("calls", "errors", "denied", "cost_micros")
_BY_TEAM: Final = """
SELECT coalesce(team.name, 'No team'), coalesce(team.slug, ''), sum(used.cost_micros) AS cost
FROM routing_usagemonth AS used
JOIN registry_agent AS agent ON agent.public_id = used.agent_id
LEFT JOIN registry_team AS team ON team.id = agent.team_id
WHERE used.month = %(month)s
GROUP BY 1, 2 HAVING sum(used.cost_micros) > 0 ORDER BY cost DESC, 1 LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Change:
    """A sum, and the one it is compared with."""

    now: float
    before: float

    @property
    def ratio(self) -> float | None:
        return (self.now - self.before) / self.before if self.before else None


@dataclass(frozen=True, slots=True)
class Trend:
    """The figures of the tiles, each with the days behind it."""

    days: list[UsedBy]  # the last two weeks, today included
    today: Used
    yesterday: Used
    calls_week: Change
    error_rate_week: Change
    cost_month: Change  # so far, beside as many days of the month before
    month: date


def trend_for(actor: Actor) -> Trend:
    """Return how use moves, of the agents whose inside this viewer sees."""
    days = usage_by_day(actor, days=_LOOKS_BACK)
    week, before = total_of(days[-8:-1]), total_of(days[-15:-8])
    today = clock.now().date()
    return Trend(
        days=days[-SPARK_DAYS:],
        today=days[-1].used,
        yesterday=days[-2].used,
        calls_week=Change(week.calls, before.calls),
        error_rate_week=Change(week.error_rate, before.error_rate),
        cost_month=_month(days, today),
        month=today.replace(day=1),
    )


def team_days(actor: Actor, team: Team, *, days: int) -> list[UsedBy]:
    """Return the sums of one team's agents for each of the last days."""
    agents = _seen(actor).filter(team=team)
    rows: Any = (
        UsageDay.objects.filter(agent_id__in=agents.values("public_id"), day__gte=first_day(days))
        .values("day")
        .annotate(**{name: Sum(F(name)) for name in _SUMMED})
    )
    found = {row["day"]: Used(**{name: int(row[name] or 0) for name in _SUMMED}) for row in rows}
    first = first_day(days)
    every = (first + timedelta(days=number) for number in range(days))
    return [UsedBy(day.isoformat(), found.get(day, Used())) for day in every]


def dearest_teams(actor: Actor, *, limit: int = 8) -> list[tuple[str, str, int]]:
    """Return name, slug and cost of the teams that cost most in this calendar month so far.

    Only for those who see the whole fleet: a team's sum is no single person's to see.
    """
    if seen_agents(actor) is not None:
        return []
    month = clock.now().date().replace(day=1)
    with connection.cursor() as cursor:
        cursor.execute(_BY_TEAM, {"month": month, "limit": limit})
        return [(name, slug, int(cost)) for name, slug, cost in cursor.fetchall()]


def never_called(actor: Actor) -> Concern:
    """Return the agents that may call since a short while and have not done so yet."""
    since = clock.now() - timedelta(days=UNUSED_DAYS)
    used = ModelUse.objects.filter(agent_id=OuterRef("public_id"))
    agents = (
        _seen(actor)
        .filter(
            ~Exists(used),
            stage__in=Agent.CALLABLE,
            suspended_at__isnull=True,
            stage_changed_at__gte=since,
        )
        .order_by("stage_changed_at", "name")
        .values("name", "title", "stage_changed_at")
        .annotate(count=Window(Count("*")))
    )
    rows = list(agents[:SHOWN])
    listed = [
        Concerned(row["name"], row["title"], f"may call since {row['stage_changed_at']:%Y-%m-%d}")
        for row in rows
    ]
    return Concern("never_called", rows[0]["count"] if rows else 0, listed)


def total_of(days: Iterable[UsedBy]) -> Used:
    """Add days up."""
    return total(day.used for day in days)


def _month(days: list[UsedBy], today: date) -> Change:
    first = today.replace(day=1)
    before = (first - timedelta(days=1)).replace(day=1)
    # The same days of the month before; a shorter month ends earlier.
    until = min(before + (today - first), first - timedelta(days=1))
    dated = [(date.fromisoformat(day.name), day.used.cost_micros) for day in days]
    return Change(
        sum(cost for day, cost in dated if day >= first),
        sum(cost for day, cost in dated if before <= day <= until),
    )


def _seen(actor: Actor) -> QuerySet[Agent]:
    seen = seen_agents(actor)
    return Agent.objects.all() if seen is None else seen
