"""Teams: which there are, and adding one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from kernel.errors import Conflict, Invalid
from kernel.pages import asked, cut, found, wanted_order
from registry.actions import people as act
from registry.actors import Actor
from registry.forms.people import TeamForm
from registry.models import Role
from registry.portal import sentence, signed_in
from registry.queries.directory import teams_with_counts

_COLUMNS = {"name": "name", "people": "people_count", "agents": "agent_count"}


@signed_in
@require_GET
def teams(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the teams."""
    return _shown(request, actor)


@signed_in
@require_POST
def add_team(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Add a team."""
    actor.require(Role.PLATFORM)
    form = TeamForm(request.POST)
    if form.is_valid():
        try:
            team = act.add_team(form.cleaned_data["name"], actor=actor)
        except (Invalid, Conflict) as error:
            form.add_error("name", sentence(error))
        else:
            messages.success(request, f"The team {team} is there. People and agents can join it.")
            return redirect("registry:teams")
    return _shown(request, actor, status=422, form=form)


def _shown(request: HttpRequest, actor: Actor, *, status: int = 200, **given: Any) -> HttpResponse:
    words = asked(request, "search")
    rows = found(teams_with_counts(actor), words, "name", "slug")
    context = {
        "page": cut(request, rows, ordering=wanted_order(request, _COLUMNS, "name")),
        "may_add": actor.has(Role.PLATFORM),
        "form": TeamForm(),
        "is_narrowed": bool(words),
    } | given
    return render(request, "registry/teams.html", context, status=status)
