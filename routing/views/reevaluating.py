"""Re-evaluating a run: what it would cost, then how far it has come."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from registry.actors import Actor
from registry.portal import signed_in
from routing.actions.reevaluating import cancel_reevaluation, may_reevaluate, reevaluate
from routing.forms.comparing import TargetForm
from routing.models import Reevaluation
from routing.queries.calls import run_shown_to
from routing.queries.reevaluations import (
    aim_for,
    askable_calls,
    estimate_of,
    reevaluation_for,
    reevaluations_of,
)

SHOWN = 20


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def reevaluations(request: HttpRequest, actor: Actor, run: str) -> HttpResponse:
    """Choose a target, see what it would cost, begin; below, what was made of this run."""
    found = run_shown_to(actor, run)
    is_begun = request.method == "POST"
    given = request.POST if is_begun else request.GET
    form = TargetForm(given if given.get("target") else None)
    preview = None
    if form.is_valid():
        aim = aim_for(form.cleaned_data["target"])
        if is_begun:
            made = reevaluate(found.run_id, aim.name, actor=actor)
            messages.success(request, f"{made.steps} calls are being asked of {made.target}.")
            return redirect("routing:run-reevaluate", found.run_id)
        preview = {
            "target": aim.name,
            "calls": askable_calls(found.run_id).count(),
            "estimate": estimate_of(found.run_id, aim.model),
            "currency": "USD" if aim.model is None else aim.model.currency,
        }
    made_before = list(reevaluations_of(found)[:SHOWN])
    context = {
        "run": found,
        "form": form,
        "preview": preview,
        "made": made_before,
        "is_running": any(one.state == Reevaluation.State.RUNNING for one in made_before),
        "may": may_reevaluate(actor, found),
    }
    return render(request, "routing/run_reevaluate.html", context)


@signed_in
@require_POST
def cancel(request: HttpRequest, actor: Actor, reevaluation: str) -> HttpResponse:
    """End one that runs."""
    ended = cancel_reevaluation(reevaluation_for(actor, reevaluation), actor=actor)
    messages.success(request, f"The re-evaluation on {ended.target} is {ended.state}.")
    return redirect("routing:run-reevaluate", ended.run_id)
