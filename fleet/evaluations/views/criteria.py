"""The criteria of an agent's gate: shown to whoever answers for it, set by platform and security.

Owns that nobody sets them unseen: what standing reports would say is shown first.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from fleet.evaluations.actions.criteria import set_criteria
from fleet.evaluations.actions.previewing import preview_criteria
from fleet.evaluations.errors import CriteriaInvalid
from fleet.evaluations.forms.criteria import CriteriaForm
from fleet.evaluations.queries.criteria import criteria_of, criteria_rows
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in
from registry.queries.agents import agent_inside_for
from registry.queries.directory import names_of


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def criteria(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Show the bounds; with new ones what they would change; confirmed, set them."""
    agent = agent_inside_for(actor, name)
    is_sent = request.method == "POST"
    if is_sent:
        actor.require(Role.PLATFORM, Role.SECURITY)
    form = CriteriaForm(criteria_of(agent), request.POST if is_sent else None)
    context: dict[str, Any] = {"agent": agent, "form": form, "preview": None}
    if is_sent and form.is_valid():
        try:
            if request.POST.get("sure") == "yes":
                set_criteria(agent, form.said(), actor=actor)
                messages.success(request, "The criteria are set. What passed by others is stale.")
                return redirect("evaluations:criteria", agent.name)
            context["preview"] = preview_criteria(agent, form.said())
        except CriteriaInvalid as error:
            form.add_error(None, sentence(error))
    rows = list(criteria_rows(agent)[:20])
    names = names_of({row.set_by for row in rows})
    context |= {
        "rows": [(row, names.get(row.set_by, row.set_by)) for row in rows],
        "may": actor.has(Role.PLATFORM, Role.SECURITY),
    }
    status = 422 if form.errors else 200
    return render(request, "evaluations/criteria.html", context, status=status)
