"""The list of links to the status page: made, shown once, and revoked."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from fleet.health.actions.publishing import make_status_link, revoke_status_link
from fleet.health.forms.publishing import StatusLinkForm
from fleet.health.models import StatusLink
from fleet.health.queries.published import link_for, links_for
from kernel import clock
from kernel.errors import DomainError
from kernel.pages import asked, cut, found
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in, told
from registry.queries import teams_for
from registry.queries.directory import names_of


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("made")
def links(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the links, and make one; its address is in the answer, once."""
    rows = found(links_for(actor), asked(request, "search"), "name", "public_id", "team__name")
    teams = dict(teams_for(actor).order_by("name").values_list("slug", "name"))
    sent = request.POST if request.method == "POST" else None
    form = StatusLinkForm(sent, teams=list(teams.items()))
    made = ""
    if request.method == "POST":
        actor.require(Role.PLATFORM, Role.SECURITY)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            made = make_status_link(
                said["name"], shows_agents=said["shows_agents"], days=said["days"], actor=actor,
                team=teams_for(actor).filter(slug=said["team"]).first() if said["team"] else None,
            ).url  # fmt: skip
        except DomainError as error:
            form.add_error(None, sentence(error))
        else:
            form = StatusLinkForm(None, teams=list(teams.items()))
    page, now = cut(request, rows, ordering="-created_at"), clock.now()
    names = names_of({each.made_by for each in page})
    context = {
        "page": page,
        "links": [
            (each, names.get(each.made_by, each.made_by), _state(each, now)) for each in page
        ],
        "form": form,
        "made": made,
        "may_make": actor.has(Role.PLATFORM, Role.SECURITY),
        "is_narrowed": bool(asked(request, "search")),
    }
    answer = render(
        request, "health/status_links.html", context, status=422 if form.errors else 200
    )
    answer["Cache-Control"] = "no-store"
    return answer


@signed_in
@require_POST
def revoke(request: HttpRequest, actor: Actor, link: str) -> HttpResponse:
    """End a link at once."""
    with told(request):
        revoke_status_link(link_for(actor, link), actor=actor)
        messages.success(request, "Revoked. It shows nothing any more.")
    return redirect("health:status-links")


def _state(link: StatusLink, now: datetime) -> str:
    if link.revoked_at is not None:
        return "revoked"
    is_over = link.expires_at is not None and link.expires_at <= now
    return "expired" if is_over else "active"
