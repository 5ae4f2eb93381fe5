"""How an agent connects: code for every client, and whether the first call has arrived."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from fleet.snippets import snippets
from fleet.views.frame import agent_page
from kernel.pages import chosen
from registry.actors import Actor
from registry.portal import signed_in
from registry.queries import agent_for, sees_inside
from routing.queries.calls import calls_for
from routing.queries.reported import reports_since


@signed_in
@require_GET
def connect(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Show the code for one of the agent's routes."""
    agent = agent_for(actor, name)
    route = chosen(request, "route", agent.routes) or (agent.routes or ["sandbox"])[0]
    sees = sees_inside(actor, agent)
    last = calls_for(actor, agent).first() if sees else None
    context = {
        "gateway": f"{settings.GATEWAY_URL}/v1",
        "route": route,
        "snippets": snippets(settings.GATEWAY_URL, route),
        "last_call": last,
        "reports": reports_since(agent) if sees else {},
        "is_waiting": request.htmx and last is None,  # type: ignore[attr-defined]
    }
    return agent_page(request, actor, agent, "connect", context)
