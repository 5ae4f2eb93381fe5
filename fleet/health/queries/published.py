"""What somebody without an account may know: states, counts, days, and that something is wrong.

Nothing that a person or an agent typed, no vendor, no reason, no address. An agent has a name
here only where whoever made the link chose so, and it is its title. What other teams have is in
nothing that is counted for a link to one team.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.db.models import Prefetch, Q, QuerySet

from fleet.health.damping import worst_of
from fleet.health.errors import StatusLinkNotFound
from fleet.health.models import AgentHealth, Incident, IncidentAgent, StatusLink
from fleet.health.queries.lasting import bars_by_team, in_order, last_days, lasted_by_agent
from fleet.health.uptime import Bar, shown, uptime
from kernel import clock, keys
from registry.actors import Actor
from registry.models import Role
from registry.queries.credentials import digests_of

HISTORY_DAYS: Final = 14
MOST_AGENTS: Final = 100
MOST_INCIDENTS: Final = 200
_KINDS: Final = ("health", "group")  # what is about being there; other kinds are inner affairs
_ORDER: Final = ("down", "degraded", "unknown", "healthy")


@dataclass(frozen=True, slots=True)
class Line:
    """One team, or one agent, as an outsider sees it."""

    name: str
    status: str
    bars: list[Bar]
    counts: dict[str, int] = field(default_factory=dict)
    agents: list[Line] = field(default_factory=list)
    rest: int = 0  # agents that are not listed

    @property
    def uptime(self) -> str:
        return shown(uptime(self.bars))


@dataclass(frozen=True, slots=True)
class Happened:
    """One incident in an outsider's words."""

    title: str
    severity: str
    opened_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class HistoryDay:
    """What began on one day in UTC."""

    day: date
    incidents: list[Happened]


@dataclass(frozen=True, slots=True)
class StatusPage:
    """All that a link shows."""

    title: str
    status: str
    lines: list[Line]
    live: list[Happened]
    history: list[HistoryDay]
    as_of: datetime


def links_for(actor: Actor) -> QuerySet[StatusLink]:
    """Return the links there are and were, for those who govern. Raises: RoleMissing."""
    actor.require(Role.PLATFORM, Role.SECURITY, Role.AUDITOR)
    return StatusLink.objects.select_related("team")


def link_for(actor: Actor, public_id: str) -> StatusLink:
    """Return one link. Raises: RoleMissing, StatusLinkNotFound."""
    found = links_for(actor).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise StatusLinkNotFound
    return found


def link_of(token: str) -> StatusLink | None:
    """Return the link that a token opens now; wrong, revoked and expired ones are alike."""
    if keys.parse(token) is None:
        return None
    rows = StatusLink.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=clock.now()),
        Q(scope=StatusLink.Scope.FLEET) | Q(team__isnull=False),
        digest__in=digests_of(token), revoked_at__isnull=True,
    )  # fmt: skip
    return rows.select_related("team").first()


def page_of(link: StatusLink) -> StatusPage:
    """Return what a link shows now."""
    within = Q() if link.team is None else Q(agent__team=link.team)
    lines = _lines(link, within)
    happened = _happened(link, within)
    live = [each for each in happened if each.resolved_at is None]
    return StatusPage(
        title=link.team.name if link.team is not None else "All agents",
        status=worst_of(line.status for line in lines),
        lines=lines,
        live=live,
        history=_history(happened),
        as_of=clock.now(),
    )


def _lines(link: StatusLink, within: Q) -> list[Line]:
    rows = AgentHealth.objects.filter(within, is_watched=True)
    counts: dict[tuple[str, str], Counter[str]] = {}
    listed = rows.values_list("agent__team__public_id", "agent__team__name", "status")
    for team, name, status in listed.iterator():
        counts.setdefault((team or "", name or "Other agents"), Counter())[status] += 1
    bars, days = bars_by_team(), last_days()
    agents = _agents(rows, days) if link.shows_agents else {}
    found = []
    for (team, name), counted in sorted(counts.items(), key=lambda each: each[0][1].lower()):
        ordered = {status: counted[status] for status in _ORDER if counted[status]}
        inside = agents.get(team, [])
        drawn = bars.get(team) or [Bar(day) for day in days]
        rest = counted.total() - len(inside)
        found.append(Line(name, worst_of(ordered), drawn, ordered, inside, rest))
    return found


def _agents(rows: QuerySet[AgentHealth], days: list[date]) -> dict[str, list[Line]]:
    listed = list(
        rows.select_related("agent__team").order_by("-rank", "agent__title")[:MOST_AGENTS]
    )
    bars = in_order(lasted_by_agent([row.agent_id for row in listed], days), days)
    found: dict[str, list[Line]] = {}
    for row in listed:
        team = row.agent.team.public_id if row.agent.team is not None else ""
        own = bars.get(row.agent.public_id) or [Bar(day) for day in days]
        found.setdefault(team, []).append(Line(row.agent.title, row.status, own))
    return found


def _happened(link: StatusLink, within: Q) -> list[Happened]:
    first = _first_day()
    touched = IncidentAgent.objects.filter(within).select_related("agent__team").order_by("pk")
    rows = Incident.objects.filter(
        Q(opened_at__gte=first) | Q(resolved_at__isnull=True), kind__in=_KINDS,
        pk__in=touched.order_by().values("incident"),
    ).prefetch_related(Prefetch("agents", queryset=touched, to_attr="touched"))  # fmt: skip
    return [
        Happened(
            _words(each, each.touched, names=link.shows_agents), each.severity, each.opened_at,
            each.acknowledged_at, each.resolved_at,
        )
        for each in rows.order_by("-opened_at", "-pk")[:MOST_INCIDENTS]
    ]  # fmt: skip


def _words(incident: Incident, touched: Sequence[IncidentAgent], *, names: bool) -> str:
    """Say what is wrong in words of our own; the incident's own title may name a vendor."""
    what = "down" if incident.severity == Incident.Severity.DOWN else "degraded"
    if len(touched) > 1:
        return f"{len(touched)} agents are {what}"
    agent = touched[0].agent
    if names:
        return f"{agent.title} is {what}"
    return f"An agent of {agent.team.name} is {what}" if agent.team else f"An agent is {what}"


def _first_day() -> datetime:
    today = clock.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=HISTORY_DAYS - 1)


def _history(happened: Sequence[Happened]) -> list[HistoryDay]:
    by_day: dict[date, list[Happened]] = {}
    for each in happened:
        by_day.setdefault(each.opened_at.astimezone(UTC).date(), []).append(each)
    return [HistoryDay(day, by_day.get(day, [])) for day in reversed(last_days(HISTORY_DAYS))]
