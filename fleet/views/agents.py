"""The inventory: every agent, searched, narrowed and ordered, with what it did lately."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from fleet.queries.inventory import SUMS, Figures, figures_of, inventory_for, with_sum
from kernel.pages import asked, chosen, cut, wanted_order
from registry.actors import Actor
from registry.models import Agent, Role, Team
from registry.portal import signed_in
from registry.queries import matching, teams_for
from registry.queries.references import data_classes

_COLUMNS: Final = {
    "title": "shown_title",
    "owner": "shown_owner",
    "stage": "stage",
    "registered": "created_at",
    "calls": "calls_week",
    "cost": "cost_month",
}
_HALTED: Final = "suspended"


@signed_in
@require_GET
def agents(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List agents."""
    teams = list(teams_for(actor).order_by("name"))
    narrowed = _Narrowed(request, actor, teams)
    rows = narrowed.of(matching(inventory_for(actor), asked(request, "search")))
    order = wanted_order(request, _COLUMNS, "shown_title")
    if (column := order.removeprefix("-")) in SUMS:
        rows = with_sum(actor, rows, column)
    page = cut(request, rows, ordering=order)
    figures = figures_of(actor, page)
    context = {
        "page": page,
        "rows": [(agent, figures.get(agent.public_id, _UNSEEN)) for agent in page],
        "selects": narrowed.selects,
        "is_narrowed": narrowed.any or bool(asked(request, "search")),
        "may_register": actor.has(Role.EMPLOYEE, Role.PLATFORM),
    }
    return render(request, "fleet/agents.html", context)


_UNSEEN: Final = Figures()


class _Narrowed:
    """What the filters of a request leave of the list."""

    def __init__(self, request: HttpRequest, actor: Actor, teams: list[Team]) -> None:
        self.actor = actor
        stages = [(stage.value, stage.label) for stage in Agent.Stage]
        every = [*stages, (_HALTED, "Suspended or killed")]
        classes = [(name, name.capitalize()) for name in data_classes()]
        slugs = [(team.slug, team.name) for team in teams]
        whose = [("mine", "Mine"), ("backup", "I back up"), ("my-team", "My team's")]
        self.stage = chosen(request, "stage", [value for value, _ in every])
        self.team = chosen(request, "team", [value for value, _ in slugs])
        self.owner = chosen(request, "owner", [value for value, _ in whose])
        self.data_class = chosen(request, "data_class", [value for value, _ in classes])
        self.any = any((self.stage, self.team, self.owner, self.data_class))
        self.selects: list[dict[str, Any]] = [
            {"name": "stage", "label": "Any stage", "value": self.stage, "options": every},
            {"name": "owner", "label": "Anybody's", "value": self.owner, "options": whose},
            {"name": "team", "label": "Any team", "value": self.team, "options": slugs},
            {
                "name": "data_class",
                "label": "Any data",
                "value": self.data_class,
                "options": classes,
            },
        ]

    def of(self, agents: QuerySet[Agent]) -> QuerySet[Agent]:
        person = self.actor.person
        if self.stage == _HALTED:
            agents = agents.filter(suspended_at__isnull=False)
        elif self.stage:
            agents = agents.filter(stage=self.stage)
        if self.owner == "mine":
            agents = agents.filter(owner=person)
        elif self.owner == "backup":
            agents = agents.filter(backup_owner=person)
        elif self.owner == "my-team":
            agents = agents.filter(team__isnull=False, team=person.team if person else None)
        if self.team:
            agents = agents.filter(team__slug=self.team)
        if self.data_class:
            agents = agents.filter(data_classes__contains=[self.data_class])
        return agents
