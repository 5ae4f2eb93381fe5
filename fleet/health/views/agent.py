"""One agent's health: its last ninety days, how it is watched, and setting that."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from fleet.health.actions.setting import (
    end_mute,
    make_probe_secret,
    set_check,
    set_mute,
    set_runbook,
)
from fleet.health.forms import CheckForm, MuteForm, RunbookForm
from fleet.health.queries.incidents import incidents_of, mute_for, mutes_for
from fleet.health.queries.runbooks import runbook_of
from fleet.health.queries.standing import changes_of, checks_of, days_of, health_of
from kernel import clock
from kernel.errors import Conflict, Invalid
from registry.actors import Actor
from registry.models import Agent
from registry.portal import sentence, signed_in, told
from registry.queries import agent_inside_for, answers_for


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def agent(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Show how an agent is, and take how it is to be watched."""
    one = agent_inside_for(actor, name)
    form = CheckForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            private = form.cleaned_data["allow_private"]
            set_check(one, form.wanted(), actor=actor, allow_private=private)
        except (Invalid, Conflict) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, "Saved. It is looked at from now on.")
            return redirect("health:agent", one.name)
    return _page(request, actor, one, form)


@signed_in
@require_POST
@sensitive_variables()
def secret(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Make a probe secret; it is shown in the answer, once."""
    one = agent_inside_for(actor, name)
    made = ""
    with told(request):
        made = make_probe_secret(one, actor=actor)
    if not made:
        return redirect("health:agent", one.name)
    answer = _page(request, actor, one, CheckForm(), made=made)
    answer["Cache-Control"] = "no-store"
    return answer


@signed_in
@require_POST
def runbook(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Say where it is written what to do."""
    one, form = agent_inside_for(actor, name), RunbookForm(request.POST)
    with told(request):
        if form.is_valid():
            set_runbook(one, form.cleaned_data["address"].strip(), actor=actor)
            messages.success(request, "Saved.")
    return redirect("health:agent", one.name)


@signed_in
@require_POST
def mute(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Tell nobody for a while."""
    one, form, now = agent_inside_for(actor, name), MuteForm(request.POST), clock.now()
    with told(request):
        if form.is_valid():
            ends_at = now + timedelta(hours=form.cleaned_data["hours"])
            set_mute(agent=one, starts_at=now, ends_at=ends_at, actor=actor)
            messages.success(request, "Nobody is told until then.")
    return redirect("health:agent", one.name)


@signed_in
@require_POST
def unmute(request: HttpRequest, actor: Actor, name: str, mute: str) -> HttpResponse:
    """Tell people again."""
    one = agent_inside_for(actor, name)
    with told(request):
        end_mute(mute_for(actor, mute), actor=actor)
    return redirect("health:agent", one.name)


def _page(
    request: HttpRequest, actor: Actor, one: Agent, form: CheckForm, *, made: str = ""
) -> HttpResponse:
    context = {
        "agent": one,
        "health": health_of(one),
        "checks": checks_of(one),
        "days": days_of(one),
        "changes": changes_of(one),
        "incidents": incidents_of(one),
        "mutes": list(mutes_for(actor).filter(agent=one)),
        "runbook": runbook_of(one),
        "may_set": answers_for(actor, one),
        "form": form,
        "mute_form": MuteForm(),
        "runbook_form": RunbookForm(),
        "made": made,
    }
    return render(request, "health/agent.html", context, status=422 if form.errors else 200)
