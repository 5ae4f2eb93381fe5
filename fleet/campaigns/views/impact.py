"""What would break if a model went: before there is a campaign, and as a file to take away.

Everybody may ask; agents are shown as far as the viewer sees them.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from fleet.campaigns.queries.campaigns import open_campaign_of
from fleet.campaigns.queries.effects import effects_on
from fleet.campaigns.queries.impact import (
    WAYS,
    Asked,
    TouchedAgent,
    exposure_of,
    touched_agents,
)
from fleet.campaigns.queries.naming import named_in
from kernel.pages import Page, asked, chosen
from kernel.sheets import table
from registry.actors import Actor
from registry.models import Role
from registry.portal import signed_in
from registry.queries import GOVERNING
from routing.queries.fate import fate_of
from routing.queries.vendors import model_for

SIZE: Final = 50
COLUMNS: Final = (
    "agent", "title", "owner", "ways", "data_classes", "calls", "cost_micros", "unpriced_calls",
    "input_tokens", "output_tokens", "last_called_at",
)  # fmt: skip


@signed_in
@require_GET
def impact(request: HttpRequest, actor: Actor, model: str) -> HttpResponse:
    """Show which agents a change of a model concerns, and what changed of it."""
    row = model_for(actor, model)
    way = chosen(request, "way", WAYS)
    start = _start(request)
    agents = touched_agents(
        row, viewer=actor, limit=SIZE + 1, start=start, asked=_asked(request)
    )  # fmt: skip
    page = Page(
        agents[:SIZE],
        str(start + SIZE) if len(agents) > SIZE else "",
        str(max(start - SIZE, 0)) if start else "",
    )
    query = request.GET.copy()
    query.pop("cursor", None)
    campaign = open_campaign_of(actor, row)
    context: dict[str, Any] = {
        "model": row,
        "fate": fate_of(row),
        "exposure": exposure_of([row], viewer=actor)[row.public_id],
        "page": page,
        "effects": effects_on(actor, row),
        "repositories": named_in(actor, row),
        "campaign": campaign,
        "may_open": actor.has(Role.PLATFORM) and campaign is None,
        "sees_all": actor.has(*GOVERNING),
        "selects": [
            {
                "name": "way", "label": "Any way", "value": way,
                "options": [(each, each) for each in WAYS],
            }
        ],
        "is_narrowed": bool(way or asked(request, "search")),
        "here": reverse("campaigns:impact", args=[row.public_id]),
        "query": query.urlencode(),
    }  # fmt: skip
    return render(request, "campaigns/impact.html", context)


@signed_in
@require_GET
def impact_csv(request: HttpRequest, actor: Actor, model: str) -> HttpResponse:
    """Give every agent that a change of a model concerns as a table."""
    row = model_for(actor, model)
    agents = touched_agents(row, viewer=actor, asked=_asked(request))
    sheet = table(COLUMNS, map(_cells, agents))
    answer = HttpResponse(sheet, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="impact-{row.public_id}.csv"'
    return answer


def _asked(request: HttpRequest) -> Asked:
    return Asked(search=asked(request, "search"), way=chosen(request, "way", WAYS))


def _cells(agent: TouchedAgent) -> list[Any]:
    figures = agent.figures
    last = agent.last_called_at
    return [
        agent.name, agent.title, agent.owner_email, " ".join(agent.ways),
        " ".join(agent.data_classes), figures.calls, figures.cost_micros, figures.unpriced_calls,
        figures.input_tokens, figures.output_tokens, last.isoformat() if last else "",
    ]  # fmt: skip


def _start(request: HttpRequest) -> int:
    said = asked(request, "cursor")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 7 else 0
