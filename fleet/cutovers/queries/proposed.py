"""What a cutover would be, before it is begun: who would move, and what keeps the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from fleet.cutovers.queries.cutovers import under_way
from fleet.evaluations.queries.many import reports_of
from registry.actors import Actor
from registry.models import Agent, Role
from registry.queries import agents_for
from routing.models import Model, Route, RouteTarget
from routing.queries.shifts import obstacles, paused_for

MOST = 2000


@dataclass(frozen=True, slots=True)
class Proposed:
    """One agent that would be moved: its evaluation, and what keeps it; nothing where nothing."""

    agent: Agent
    evaluation: str
    has_passed: bool
    obstacle: str


@dataclass(frozen=True, slots=True)
class Preview:
    """Everybody who would be moved, and what keeps all of them."""

    rows: list[Proposed]
    obstacles: list[str]

    @property
    def lacking(self) -> int:
        return sum(not row.has_passed for row in self.rows)

    @property
    def may_begin(self) -> bool:
        return bool(self.rows) and not self.obstacles and not any(row.obstacle for row in self.rows)


def group_on(actor: Actor, model: Model) -> QuerySet[Agent]:
    """Return the agents whose routes lead to a model: all for the platform, else one's own."""
    on = RouteTarget.objects.filter(model=model).values("route_id")
    names = list(Route.objects.filter(pk__in=on).values_list("name", flat=True))
    found = agents_for(actor).filter(routes__overlap=names, stage__in=Agent.CALLABLE)
    if not actor.has(Role.PLATFORM):
        found = found.filter(owner=actor.person) if actor.has(Role.EMPLOYEE) else found.none()
    return found.order_by("name")


def preview_of(
    agents: Sequence[Agent], source: Model, target: Model, *, actor: Actor | None = None
) -> Preview:
    """Look at what beginning would look at, by ``actor`` if one is named; nothing is written."""
    paused = frozenset() if actor and actor.has(Role.PLATFORM) else paused_for(agents, source)
    busy = {row.agent_id: row.cutover.public_id for row in under_way(agents, source.pk)}
    reports = reports_of(agents, source, target, {})
    rows = []
    for agent in agents:
        report = reports.get(agent.pk)
        keeps = f"It is on its way by {busy[agent.pk]}." if agent.pk in busy else ""
        if agent.public_id in paused:
            keeps = "It is paused: the platform team moves it, or resumes it first."
        rows.append(
            Proposed(
                agent,
                report.evaluation.public_id if report else "",
                has_passed=bool(report and report.is_good and report.evaluation.digest),
                obstacle=keeps,
            )
        )
    same = ["Name two different models."] if source.pk == target.pk else []
    return Preview(rows, same or obstacles(agents, source, target)[:20])
