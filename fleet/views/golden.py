"""The golden cases of an agent, and the evaluations that asked them."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from fleet.evaluations.queries.evaluations import evaluations_for, may_evaluate
from fleet.evaluations.queries.golden import golden_cases_for
from fleet.views.frame import agent_page
from kernel.pages import asked, cut, found
from registry.actors import Actor
from registry.portal import signed_in
from registry.queries import agent_inside_for

SHOWN: Final = 10


@signed_in
@require_GET
def golden(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """List the cases in use, and the newest evaluations."""
    agent = agent_inside_for(actor, name)
    words = asked(request, "search")
    rows = found(golden_cases_for(actor, agent), words, "name", "source_id")
    newest = evaluations_for(actor, agent).prefetch_related("arms").order_by("-id")
    context = {
        "page": cut(request, rows, ordering="name"),
        "evaluations": list(newest[:SHOWN]),
        "may": may_evaluate(actor, agent),
        "is_narrowed": bool(words),
    }
    return agent_page(request, actor, agent, "golden", context)
