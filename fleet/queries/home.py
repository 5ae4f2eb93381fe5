"""The home page: what needs a decision today, and how the fleet is doing.

Those who govern see the whole fleet, everybody else the agents they answer for. However
many agents there are, it takes the same number of questions, each of which an index or a
pre-counted table answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db.models import Count, Q

from approvals.models import Review
from approvals.queries import waiting_count, waiting_for
from fleet.queries.attention import Concern, concerns_for
from fleet.queries.retiring import Retiring, retiring_for
from registry.actors import Actor
from registry.models import Agent
from routing.queries.calls import seen_agents
from routing.queries.usage import (
    Used,
    UsedBy,
    counted_at,
    dearest_agents,
    total,
    usage_by_day,
)

PERIODS: Final = (7, 30, 90)
SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class TeamCount:
    """How many agents of each stage a team has; agents without a team stand under none."""

    name: str
    slug: str
    stages: dict[str, int]

    @property
    def agents(self) -> int:
        return sum(self.stages.values())


@dataclass(frozen=True, slots=True)
class Home:
    """Everything the home page shows."""

    is_whole_fleet: bool
    stages: dict[str, int]
    suspended: int
    teams: list[TeamCount]
    days: list[UsedBy]
    total: Used
    dearest: list[UsedBy]  # in this calendar month
    retiring: list[Retiring]
    reviews: list[Review]
    reviews_waiting: int
    concerns: list[Concern]
    counted_at: datetime | None

    @property
    def agents(self) -> int:
        return sum(self.stages.values())

    @property
    def until(self) -> date | None:
        return date.fromisoformat(self.days[-1].name) if self.days else None


def home_for(actor: Actor, *, days: int = 30, within_days: int = 90) -> Home:
    """Return the home page of this viewer; ``days`` is one of 7, 30 and 90."""
    period = days if days in PERIODS else 30
    stages, suspended, teams = _counts(actor)
    by_day = usage_by_day(actor, days=period)
    reviews = list(waiting_for(actor)[:SHOWN])
    return Home(
        is_whole_fleet=seen_agents(actor) is None,
        stages=stages,
        suspended=suspended,
        teams=teams,
        days=by_day,
        total=total(day.used for day in by_day),
        dearest=dearest_agents(actor, limit=SHOWN),
        retiring=retiring_for(actor, within_days=within_days),
        reviews=reviews,
        # All of them are here, unless there are as many as are shown.
        reviews_waiting=len(reviews) if len(reviews) < SHOWN else waiting_count(actor),
        concerns=concerns_for(actor),
        counted_at=counted_at(),
    )


def _counts(actor: Actor) -> tuple[dict[str, int], int, list[TeamCount]]:
    seen = seen_agents(actor)
    agents = Agent.objects.all() if seen is None else seen
    rows = (
        agents.values("stage", "team__name", "team__slug")
        .annotate(
            count=Count("id"),
            stopped=Count("id", filter=Q(suspended_at__isnull=False) & ~Q(stage="retired")),
        )
        .order_by("team__name", "stage")
    )
    stages = dict.fromkeys(Agent.Stage.values, 0)
    teams: dict[str, TeamCount] = {}
    suspended = 0
    for row in rows:
        stages[row["stage"]] += row["count"]
        suspended += row["stopped"]
        slug = row["team__slug"] or ""
        team = teams.setdefault(
            slug, TeamCount(row["team__name"] or "No team", slug, dict.fromkeys(stages, 0))
        )
        team.stages[row["stage"]] += row["count"]
    ordered = sorted(teams.values(), key=lambda team: (-team.agents, team.name))
    return stages, suspended, ordered
