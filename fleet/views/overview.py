"""An agent at a glance: what is next, what it did and cost, its calls as they come, its past."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from approvals.actions.evidence import ALIKE
from approvals.models import Review
from effects.queries.proposals import newest_proposals
from fleet.campaigns.queries.campaigns import days_left, moves_of
from fleet.cutovers.queries.cutovers import on_the_way
from fleet.discovery.queries.findings import findings_of
from fleet.health.queries.standing import days_of, health_of
from fleet.history import events_of, refs_in
from fleet.queries.progress import open_reviews_of
from fleet.views.frame import agent_page
from kernel.pages import chosen, cut
from registry.actors import Actor
from registry.models import Agent
from registry.portal import signed_in
from registry.queries import (
    agent_for,
    agent_inside_for,
    history_of,
    proposed_version,
    sees_inside,
    similar_of,
)
from registry.queries.directory import names_of
from registry.similarity import Similar
from routing.budgeting import words
from routing.models import Call
from routing.queries.budgets import budgets_of, standings
from routing.queries.calls import calls_for
from routing.queries.routes import routes_for
from routing.queries.usage import UsedBy, total, usage_by_day

DAYS: Final = 30
RECENT: Final = 8
FOUND: Final = 5


@signed_in
@require_GET
def overview(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Show an agent."""
    return overview_of(request, actor, agent_for(actor, name))


def overview_of(
    request: HttpRequest, actor: Actor, agent: Agent, *, status: int = 200, **given: Any
) -> HttpResponse:
    """Render the overview, with what was written and refused where there is something."""
    similar = [Similar(each.other, each.score, each.reasons) for each in similar_of(agent)]
    context: dict[str, Any] = {
        "routes": list(routes_for(actor).filter(name__in=agent.routes)),
        "similar": similar,
        "must_justify": any(each.score >= ALIKE for each in similar),
        "has_run": agent.stage not in (Agent.Stage.DRAFT, Agent.Stage.IN_REVIEW),
        **_waiting(agent),
    }
    if sees_inside(actor, agent):
        days = usage_by_day(actor, days=DAYS, agent=agent)
        context["budgets"] = [
            (each, words(each.budget)) for each in standings(budgets_of(actor, agent))
        ]
        context |= _recent(actor, agent, days) | {"chart": _chart(days), "costs": _costs(days)}
        context["proposals"] = newest_proposals(actor, agent)
        context["unregistered"] = list(findings_of(actor, agent)[:FOUND])
        context["must_move"] = [(each, days_left(each.campaign)) for each in moves_of(agent)]
        context["moving"] = list(on_the_way(agent))
        context |= {"health": health_of(agent), "health_days": days_of(agent)}
    return agent_page(request, actor, agent, "overview", context | given, status=status)


@signed_in
@require_GET
def live(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Answer what changes while one looks: the sums and the newest calls."""
    agent = agent_inside_for(actor, name)
    days = usage_by_day(actor, days=DAYS, agent=agent)
    context = _recent(actor, agent, days) | {"agent": agent}
    return render(request, "fleet/agent/_live.html", context)


@signed_in
@require_GET
def calls(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """List every call of an agent."""
    agent = agent_inside_for(actor, name)
    status = chosen(request, "status", Call.Status.values)
    rows = calls_for(actor, agent)
    if status:
        rows = rows.filter(status=status)
    options = [(each.value, each.label) for each in Call.Status]
    context = {
        "page": cut(request, rows, ordering="-started_at", tie="intent_id", size=50),
        "selects": [
            {"name": "status", "label": "Any outcome", "value": status, "options": options}
        ],
        "is_narrowed": bool(status),
    }
    return agent_page(request, actor, agent, "calls", context)


@signed_in
@require_GET
def history(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Tell what happened to an agent, from the ledger."""
    agent = agent_inside_for(actor, name)
    page = cut(request, history_of(agent), ordering="-recorded_at", tie="entry_id", size=50)
    events = events_of(page, names_of(refs_in(page)))
    return agent_page(request, actor, agent, "history", {"page": page, "events": events})


def _waiting(agent: Agent) -> dict[str, Any]:
    """Return what waits for an answer, or for being submitted."""
    proposed, asked = proposed_version(agent), open_reviews_of(agent)
    runs = agent.stage not in (Agent.Stage.DRAFT, Agent.Stage.IN_REVIEW)
    rows = []
    for review in asked:
        is_version = review.kind == Review.Kind.VERSION
        rows.append(
            {
                "title": review.question,
                "review": review,
                "version": proposed if is_version else None,
            }
        )
    is_free = runs and proposed is not None and not any(row["version"] for row in rows)
    if is_free and proposed is not None:
        rows.append({"title": f"Version {proposed.version}", "review": None, "version": proposed})
    return {"proposed": proposed, "proposed_is_free": is_free, "waiting_rows": rows}


def _recent(actor: Actor, agent: Agent, days: list[UsedBy]) -> dict[str, Any]:
    used = total([day.used for day in days])
    recent = list(calls_for(actor, agent)[:RECENT])
    return {
        "used": used,
        "recent": recent,
        "is_counting": _is_behind(recent, days),
        "calls_series": [day.used.calls for day in days],
        "cost_series": [day.used.cost_micros for day in days],
    }


def _is_behind(recent: list[Call], days: list[UsedBy]) -> bool:
    # Calls are counted into days by a sweep; the newest may not be in yet.
    today = [call for call in recent if call.started_at.date().isoformat() == days[-1].name]
    return len(today) > days[-1].used.calls + days[-1].used.denied


def _chart(days: list[UsedBy]) -> dict[str, Any]:
    good = [day.used.calls - day.used.errors for day in days]
    return {
        "times": _times(days),
        "series": [
            {"label": "Answered", "values": good, "tone": "success"},
            {"label": "Failed", "values": [day.used.errors for day in days], "tone": "error"},
            {"label": "Denied", "values": [day.used.denied for day in days], "tone": "warning"},
        ],
    }


def _costs(days: list[UsedBy]) -> dict[str, Any]:
    return {
        "times": _times(days),
        "series": [{"label": "Cost", "values": [day.used.cost_micros for day in days]}],
    }


def _times(days: list[UsedBy]) -> list[int]:
    return [int(datetime.fromisoformat(day.name).replace(tzinfo=UTC).timestamp()) for day in days]
