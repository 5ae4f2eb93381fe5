"""How agents are, for somebody: the status for everybody, the reason for those who see inside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet

from fleet.health.damping import RANKS
from fleet.health.models import AgentHealth, Check, HealthChange, HealthDay, Status
from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from routing.queries.calls import agents_of_seen_runs

DAYS: Final = 90
MOST_CELLS: Final = 60  # of a team in the picture


@dataclass(frozen=True, slots=True)
class Standing:
    """One agent's status as one viewer sees it."""

    agent: Agent
    status: str
    since: datetime
    reason: str  # empty where it is not for this viewer


@dataclass(frozen=True, slots=True)
class Strip:
    """One team in the picture: how many are how, and the worst of them first."""

    slug: str
    name: str
    counts: dict[str, int]
    cells: list[Standing]
    total: int

    @property
    def rest(self) -> int:
        return self.total - len(self.cells)


@dataclass(frozen=True, slots=True)
class Day:
    """One day of an agent: the worst it was, and how often it was heard of."""

    day: date
    status: str
    beats: int = 0
    late: int = 0
    probes: int = 0
    failed: int = 0


def healths_for(actor: Actor) -> QuerySet[AgentHealth]:
    """Return the agents that are watched, whose headline everybody who is signed in may see."""
    rows = AgentHealth.objects.filter(is_watched=True)
    if actor.ref.kind == "agent":
        rows = rows.filter(agent__public_id=actor.ref.id)
    return rows.annotate(public_id=F("agent__public_id")).select_related(
        "agent__owner", "agent__team"
    )


def counts_of(rows: QuerySet[AgentHealth]) -> dict[str, int]:
    """Count agents by status; every status has a number."""
    found = dict(rows.order_by().values_list("status").annotate(count=Count("pk")))
    return {status: found.get(status, 0) for status in ("down", "degraded", "unknown", "healthy")}


def seen(rows: Iterable[AgentHealth], actor: Actor) -> list[Standing]:
    """Say of each agent what this viewer may know."""
    listed = list(rows)
    inside = _inside(actor, [row.agent_id for row in listed])
    return [
        Standing(row.agent, row.status, row.since, row.reason if row.agent_id in inside else "")
        for row in listed
    ]


def strips(actor: Actor, rows: QuerySet[AgentHealth]) -> list[Strip]:
    """Return the fleet by team, the team with the worst first."""
    grouped: dict[tuple[str, str], dict[str, int]] = {}
    counted = rows.order_by().values_list("agent__team__slug", "agent__team__name", "status")
    for slug, name, status, count in counted.annotate(count=Count("pk")):
        grouped.setdefault((slug or "", name or "No team"), {})[status] = count
    worst = list(rows.filter(rank__gte=1).order_by("-rank", "since", "agent_id")[: MOST_CELLS * 20])
    by_team: dict[str, list[AgentHealth]] = {}
    for row in worst:
        slug = row.agent.team.slug if row.agent.team is not None else ""
        by_team.setdefault(slug, []).append(row)
    found = [
        Strip(slug, name, _ordered(counts), seen(by_team.get(slug, [])[:MOST_CELLS], actor),
              sum(counts.values()))
        for (slug, name), counts in grouped.items()
    ]  # fmt: skip
    return sorted(found, key=_worst_first)


def health_of(agent: Agent) -> AgentHealth | None:
    """Return what is known of an agent; None before it was first looked at."""
    return AgentHealth.objects.filter(agent=agent).first()


def checks_of(agent: Agent) -> list[Check]:
    """Return the ways in which an agent is watched."""
    return list(Check.objects.filter(agent=agent).order_by("source"))


def days_of(agent: Agent, *, days: int = DAYS) -> list[Day]:
    """Return the last days of an agent: the worst status of each, in UTC."""
    today = clock.now().astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    begins = datetime(first.year, first.month, first.day, tzinfo=UTC)
    changes = list(HealthChange.objects.filter(agent=agent, at__gte=begins).order_by("at", "pk"))
    before = HealthChange.objects.filter(agent=agent, at__lt=begins).order_by("-at").first()
    sums = {row.day: row for row in HealthDay.objects.filter(agent=agent, day__gte=first)}
    status = before.status if before is not None else "unknown"
    by_day: dict[date, list[str]] = {}
    for change in changes:
        by_day.setdefault(change.at.astimezone(UTC).date(), []).append(change.status)
    found = []
    for number in range(days):
        day = first + timedelta(days=number)
        during = [status, *by_day.get(day, [])]
        status = during[-1]
        # A day that only began in the dark is told by what was known later in it.
        known = [each for each in during if each != "unknown"] or ["unknown"]
        row = sums.get(day)
        counted = (row.beats, row.late, row.probes, row.failed) if row else (0, 0, 0, 0)
        found.append(Day(day, max(known, key=RANKS.__getitem__), *counted))
    return found


def changes_of(agent: Agent, *, limit: int = 20) -> list[HealthChange]:
    """Return the newest changes of an agent's status."""
    return list(HealthChange.objects.filter(agent=agent).order_by("-at", "-pk")[:limit])


def of_viewer(actor: Actor) -> Q:
    """Return which agents' insides a viewer sees here: their own, their team's, or all."""
    agents = agents_of_seen_runs(actor)
    return Q() if agents is None else Q(agent__in=agents)


def _inside(actor: Actor, agents: list[int]) -> set[int]:
    allowed = agents_of_seen_runs(actor)
    if allowed is None or settings.HEALTH_OPEN:
        return set(agents)
    return set(allowed.filter(pk__in=agents).values_list("pk", flat=True))


def _ordered(counts: dict[str, int]) -> dict[str, int]:
    order = (Status.DOWN, Status.DEGRADED, Status.UNKNOWN, Status.HEALTHY)
    return {str(status): counts[status] for status in order if counts.get(status)}


def _worst_first(strip: Strip) -> tuple[int, int, str]:
    down, degraded = strip.counts.get("down", 0), strip.counts.get("degraded", 0)
    return -down, -degraded, strip.name.lower()
