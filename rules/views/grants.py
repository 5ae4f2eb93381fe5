"""The pages of grants: who may send what where, until when; asking for one, and ending it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from kernel import clock
from kernel.errors import Conflict, Denied, Invalid, NotFound
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in, told
from registry.queries.agents import answers_for
from rules.actions.granting import Wish, ask_grant, revoke_grant
from rules.forms.grants import GrantForm
from rules.models import Grant
from rules.ports import classes_by_vendor
from rules.queries.grants import grants_for, open_grant


@signed_in
@require_GET
def grants(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the grants that the viewer may know of."""
    rows, now = grants_for(actor), clock.now()
    state = chosen(request, "state", Grant.State.values)
    if state:
        rows = rows.filter(state=state)
    rows = found(rows, asked(request, "search"), "agent__name", "vendor", "data_class")
    page = cut(request, rows, ordering="-asked_at")
    shown = [
        {
            "grant": grant,
            "is_over": grant.state == "given" and grant.until <= now,
            "may_revoke": grant.state == "given"
            and grant.until > now
            and (actor.has(Role.SECURITY) or answers_for(actor, grant.agent)),
        }
        for grant in page
    ]
    context = {"page": page, "rows": shown, "state": state, "states": Grant.State.choices}
    return render(request, "rules/grants.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Ask for a grant; where the same is asked for already, go to its review."""
    agent, vendor = asked(request, "agent"), asked(request, "vendor")
    waiting = open_grant(actor, agent, vendor)
    if request.method != "POST" and waiting is not None:
        return redirect("approvals:review", waiting.review_id)
    initial = {"agent": agent, "vendor": vendor, "data_class": "regulated", "days": "90"}
    form = GrantForm(request.POST or None, vendors=list(classes_by_vendor()), initial=initial)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            grant = ask_grant(Wish(**form.wished()), actor=actor, reason=reason)
        except (Invalid, Conflict, Denied, NotFound) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, "Security is asked. Until they agree, nothing changes.")
            return redirect("approvals:review", grant.review_id)
    status = 422 if form.errors else 200
    return render(request, "rules/grant_new.html", {"form": form}, status=status)


@signed_in
@require_POST
def revoke(request: HttpRequest, actor: Actor, grant: str) -> HttpResponse:
    """End a grant before its time."""
    with told(request):
        revoke_grant(grant, actor=actor, reason=request.POST.get("reason", ""))
        messages.success(request, "The grant has ended; calls are asked about again.")
    return redirect("rules:grants")
