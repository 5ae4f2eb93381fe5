"""The worth of one agent: its figures, week by week, and the values its owner declares."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from effects.queries.offers import offered_operations
from fleet.views.frame import agent_page
from fleet.worth.actions.declaring import declare_value, end_value
from fleet.worth.earning import WEEKS
from fleet.worth.errors import ActionUnknown
from fleet.worth.queries.figures import Figures, figures_between, last_weeks
from fleet.worth.queries.lists import newest_listed, standing_for, values_of
from kernel import clock
from registry.actors import Actor
from registry.portal import signed_in, told
from registry.queries import agent_for, agent_inside_for
from registry.queries.directory import names_of

MICROS: Final = 1_000_000


@signed_in
@require_GET
def worth(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Show what an agent costs and what of it is accepted."""
    agent, now = agent_inside_for(actor, name), clock.now()
    since, until = last_weeks(now.date(), WEEKS)
    found = figures_between(since, until, [agent]).get(agent.public_id)
    figures = found or Figures(agent.public_id)
    values = values_of(agent)
    names = names_of(value.declared_by for value in values)
    outcomes = figures.outcomes()
    context: dict[str, Any] = {
        "figures": figures.facts(WEEKS, now),
        "standing": standing_for(agent),
        "outcomes": outcomes,
        "values": [(value, names.get(value.declared_by, value.declared_by)) for value in values],
        "actions": sorted({"run", *(each.action for each in outcomes), *_offered()}),
        "chart": _chart(figures, since),
        "listed": newest_listed(agent),
        "minute": settings.REVIEWER_MINUTE_CENTS * 10_000,
        "cap": settings.REVIEW_MINUTES_CAP,
    }
    return agent_page(request, actor, agent, "worth", context)


@signed_in
@require_POST
def declare(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Declare what an accepted outcome is worth, or take it back."""
    agent = agent_for(actor, name)
    action = request.POST.get("action", "")
    with told(request):
        if request.POST.get("end"):
            end_value(agent.name, action, actor=actor)
            messages.success(request, "Taken back.")
        else:
            declare_value(
                agent.name, action, _micros(request.POST.get("value", "")), actor=actor,
                because=request.POST.get("because", ""),
            )  # fmt: skip
            messages.success(request, "Declared, with your name.")
    return redirect("registry:agent-worth", agent.name)


def _offered() -> list[str]:
    return [operation.target for operation in offered_operations()[:200]]


def _micros(text: str) -> int:
    try:
        value = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        raise ActionUnknown("Say the value in US dollars, such as 2.50.") from None
    if not value.is_finite() or abs(value) > MICROS:
        raise ActionUnknown("Say the value in US dollars, from 0 to 1,000,000.")
    return int(value * MICROS)


def _chart(figures: Figures, since: Any) -> dict[str, Any]:
    weeks = range(WEEKS)
    starts = [datetime.combine(since + timedelta(days=7 * n), time(), UTC) for n in weeks]
    return {
        "times": [int(start.timestamp()) for start in starts],
        "series": [
            {"label": "Cost", "values": [figures.weeks[n].costs.whole for n in weeks]},
            {"label": "Earned, less cost", "values": figures.nets(WEEKS), "tone": "success"},
        ],
    }
