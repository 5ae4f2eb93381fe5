"""The page of mutes: those in force or ahead, a form for another, and the way to end one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from fleet.health.actions.setting import end_mute, set_mute
from fleet.health.forms import WindowForm
from fleet.health.queries.incidents import mute_for, mutes_for
from kernel import clock
from kernel.errors import DomainError
from kernel.pages import asked, cut, found
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in, told
from registry.queries import agent_for, teams_for
from registry.queries.people import team_for


@signed_in
@require_http_methods(["GET", "POST"])
def mutes(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the mutes that the viewer sees, and set another."""
    teams, status = _teams(actor), 200
    form = WindowForm(request.POST or None, teams=teams)
    if request.method == "POST":
        status = 422
        if form.is_valid():
            said = form.cleaned_data
            try:
                set_mute(
                    agent=agent_for(actor, said["agent"]) if said["agent"] else None,
                    team=team_for(said["team"]) if said["team"] else None,
                    starts_at=said["starts_at"] or clock.now(),
                    ends_at=said["ends_at"],
                    reason=said["reason"],
                    actor=actor,
                )
            except DomainError as error:
                form.add_error(None, sentence(error))
                status = error.status
            else:
                messages.success(request, "Nobody is told in that time.")
                return redirect("health:mutes")
    rows = found(mutes_for(actor), asked(request, "search"), "agent__name", "team__name", "reason")
    context = {"page": cut(request, rows, ordering="ends_at"), "form": form}
    return render(request, "health/mutes.html", context, status=status)


@signed_in
@require_POST
def end(request: HttpRequest, actor: Actor, mute: str) -> HttpResponse:
    """Tell people again."""
    with told(request):
        end_mute(mute_for(actor, mute), actor=actor)
        messages.success(request, "People are told again.")
    return redirect("health:mutes")


def _teams(actor: Actor) -> list[tuple[str, str]]:
    """Return the teams that the viewer may mute: one's own, or all for the platform."""
    rows = teams_for(actor).order_by("name")
    if not actor.has(Role.PLATFORM):
        team = actor.person.team_id if actor.person is not None else None
        rows = rows.filter(pk=team) if team is not None else rows.none()
    return list(rows.values_list("slug", "name"))
