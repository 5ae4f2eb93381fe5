"""Golden cases in the portal: adding, reading and changing, retiring, and from the record."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from effects.queries.proposals import proposal_for
from fleet.evaluations.actions.golden import (
    add_golden,
    golden_from_correction,
    golden_from_step,
    read_golden,
    replace_golden,
    retire_golden,
)
from fleet.evaluations.forms.golden import GoldenForm, written
from fleet.evaluations.models import GoldenCase
from fleet.evaluations.queries.evaluations import may_evaluate, require_evaluate
from fleet.evaluations.queries.golden import golden_case_for, versions_of
from kernel.errors import Conflict, DomainError, Invalid
from registry.actors import Actor
from registry.portal import sentence, signed_in
from registry.portal import told as tell
from registry.queries.agents import agent_inside_for
from routing.forms.reasons import ReasonForm


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Add a case by hand."""
    agent = agent_inside_for(actor, name)
    require_evaluate(actor, agent)
    form = GoldenForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = add_golden(agent, form.cleaned_data["name"], form.content(), actor=actor)
        except (Invalid, Conflict) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, f"{made.name} is asked in every evaluation from now on.")
            return redirect("registry:agent-golden", agent.name)
    status = 422 if form.errors else 200
    context = {"agent": agent, "form": form}
    return render(request, "evaluations/golden_new.html", context, status=status)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def golden(request: HttpRequest, actor: Actor, golden: str) -> HttpResponse:
    """Show a case; with a reason, what it says, which can then be changed."""
    found = golden_case_for(actor, golden)
    context: dict[str, Any] = {
        "golden": found,
        "agent": found.agent,
        "versions": list(versions_of(found)[:20]),
        "may": may_evaluate(actor, found.agent),
        "reason_form": ReasonForm(request.POST if "reason" in request.POST else None),
        "form": None,
    }
    status = 200
    if "request" in request.POST:
        answer = _changed(request, actor, found, context)
        if answer is not None:
            return answer
        status = 422
    elif request.method == "POST" and context["reason_form"].is_valid():
        status = _read(actor, found, context)
    elif request.method == "POST":
        status = 422
    response = render(request, "evaluations/golden.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


@signed_in
@require_POST
def retire(request: HttpRequest, actor: Actor, golden: str) -> HttpResponse:
    """Ask a case no more."""
    found = golden_case_for(actor, golden)
    with tell(request):
        retire_golden(found, actor=actor)
        messages.success(request, f"{found.name} is asked no more.")
    return redirect("registry:agent-golden", found.agent.name)


@signed_in
@require_POST
def from_step(request: HttpRequest, actor: Actor, run: str, step: str) -> HttpResponse:
    """Make a recorded step a case."""
    with tell(request):
        made = golden_from_step(run, step, actor=actor)
        return _made(request, made)
    return redirect("routing:run-payloads", run, step)


@signed_in
@require_POST
def from_correction(request: HttpRequest, actor: Actor, proposal: str) -> HttpResponse:
    """Make a reviewer's correction a case."""
    found = proposal_for(actor, proposal)
    with tell(request):
        made = golden_from_correction(found, actor=actor)
        return _made(request, made)
    return redirect("effects:proposal", found.public_id)


def _made(request: HttpRequest, made: GoldenCase) -> HttpResponse:
    messages.success(request, f"{made.name} is a golden case from now on. Look at what it expects.")
    return redirect("evaluations:golden", made.public_id)


def _changed(
    request: HttpRequest, actor: Actor, found: GoldenCase, context: dict[str, Any]
) -> HttpResponse | None:
    given = request.POST.copy()
    given["name"] = found.name
    form = GoldenForm(given)
    context["form"] = form
    if not form.is_valid():
        return None
    try:
        made = replace_golden(found, form.content(), actor=actor)
    except (Invalid, Conflict) as error:
        form.add_error(None, sentence(error))
        return None
    messages.success(request, f"{made.name} has version {made.number}.")
    return redirect("registry:agent-golden", found.agent.name)


def _read(actor: Actor, found: GoldenCase, context: dict[str, Any]) -> int:
    reason = context["reason_form"].cleaned_data["reason"]
    try:
        _, content = read_golden(found.public_id, actor=actor, reason=reason)
    except DomainError as error:
        context["refusal"] = sentence(error)
        return 409
    context["form"] = GoldenForm(initial={"name": found.name, **written(content)})
    return 200
