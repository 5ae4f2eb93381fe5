"""Incidents as pages: the list, one with its story, and what people do about it."""

from __future__ import annotations

from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from fleet.health.actions.incidents import (
    LONGEST_NOTE,
    acknowledge_incident,
    close_incident,
    note_on_incident,
)
from fleet.health.actions.together import STEPS
from fleet.health.queries.incidents import (
    incident_for,
    incidents_for,
    may_act,
    require_acting,
    story_of,
    touched_by,
)
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.portal import signed_in, told
from registry.queries.directory import names_of

_STATES: Final = {"live": "Not over", "open": "Open", "acknowledged": "Taken", "resolved": "Over"}
_MOST_AGENTS: Final = 100


@signed_in
@require_GET
def incidents(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the incidents, the newest first."""
    state, words = chosen(request, "state", _STATES), asked(request, "search")
    rows = found(incidents_for(actor), words, "title", "public_id", "agent__name")
    if state == "live":
        rows = rows.filter(resolved_at__isnull=True)
    elif state:
        rows = rows.filter(state=state)
    select = {
        "name": "state", "label": "State", "any": "All", "value": state,
        "options": list(_STATES.items()),
    }  # fmt: skip
    context = {
        "page": cut(request, rows, ordering="-opened_at"),
        "selects": [select],
        "is_narrowed": bool(state or words),
        "steps": list(STEPS.items()),
    }
    return render(request, "health/incidents.html", context)


@signed_in
@require_GET
def incident(request: HttpRequest, actor: Actor, incident: str) -> HttpResponse:
    """Show one incident and its story."""
    one = incident_for(actor, incident)
    story = story_of(one)
    names = names_of({event.actor for event in story})
    context = {
        "incident": one,
        "story": [(event, names.get(event.actor, event.actor)) for event in story],
        "agents": list(touched_by(one)[:_MOST_AGENTS]),
        "may_act": may_act(actor, one),
        "longest": LONGEST_NOTE,
    }
    return render(request, "health/incident.html", context)


@signed_in
@require_POST
def act(request: HttpRequest, actor: Actor, incident: str, step: str) -> HttpResponse:
    """Take an incident, note on it, or say that it is over."""
    one = incident_for(actor, incident)
    require_acting(actor, one)
    text = request.POST.get("text", "").replace("\0", "").strip()
    with told(request):
        if step == "take":
            acknowledge_incident(one, actor=actor)
            messages.success(request, "It is yours. It escalates no further.")
        elif step == "note" and text:
            note_on_incident(one, text, actor=actor)
        elif step == "close":
            close_incident(one, why=text, actor=actor)
            messages.success(request, "It is over.")
    return redirect("health:incident", one.public_id)
