"""The form that begins a cutover: what it would be is shown first, and begun on a second yes."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from fleet.cutovers.actions.beginning import begin_cutover
from fleet.cutovers.plan import STEPS
from fleet.cutovers.queries.proposed import MOST, group_on, preview_of
from kernel.errors import DomainError
from registry.actors import Actor
from registry.models import Agent, Role
from registry.portal import sentence, signed_in
from registry.queries import agents_for
from routing.models import Model
from routing.queries.vendors import model_for, models_for


@signed_in
@require_http_methods(["GET", "POST"])
def begin(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form; what a cutover would be; and begin it when that was confirmed."""
    given = request.POST if request.method == "POST" else request.GET
    said = {
        name: given.get(name, "").replace("\x00", "").strip()
        for name in ("model", "to", "agents", "group", "override_reason", "do")
    }
    context: dict[str, Any] = {
        "said": said,
        "models": models_for(actor).filter(disabled_at=None).order_by("name")[:500],
        "steps": STEPS,
        "may_override": actor.has(Role.PLATFORM),
    }
    status = 200
    if request.method == "POST" and not (said["model"] and said["to"]):
        context["refusal"], status = "Choose the model that serves now, and the one to come.", 422
    if said["model"] and said["to"]:
        try:
            source, target = model_for(actor, said["model"]), model_for(actor, said["to"])
            agents, unknown = _agents(actor, said, source)
            if request.method == "POST" and said["do"] == "begin" and not unknown:
                made = begin_cutover(
                    agents=agents, source=source, target=target, evaluations={}, subject=None,
                    actor=actor, override_reason=said["override_reason"],
                )  # fmt: skip
                return redirect("cutovers:cutover", made.public_id)
            context |= {"source": source, "target": target, "unknown": unknown}
            context["preview"] = preview_of(agents, source, target, actor=actor)
        except DomainError as error:
            context["refusal"], status = sentence(error), error.status
    return render(request, "cutovers/begin.html", context, status=status)


def _agents(actor: Actor, said: dict[str, str], source: Model) -> tuple[list[Agent], list[str]]:
    """Return who was named, or everybody on the model; and the names that nobody has."""
    if said["group"]:
        return list(group_on(actor, source)[:MOST]), []
    names = list(dict.fromkeys(said["agents"].replace(",", " ").split()))[:MOST]
    found = list(agents_for(actor).filter(name__in=names).order_by("name"))
    return found, sorted(set(names) - {agent.name for agent in found})
