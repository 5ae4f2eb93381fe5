"""The list of campaigns, and opening one by hand."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from fleet.campaigns.actions.opening import open_campaign
from fleet.campaigns.forms import CampaignForm
from fleet.campaigns.models import Campaign
from fleet.campaigns.queries.campaigns import (
    campaigns_for,
    days_left,
    my_open_moves,
    progress_of,
)
from fleet.campaigns.queries.effects import effect_of
from kernel.errors import Conflict, Invalid
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in
from routing.queries.vendors import model_for, models_for

SHOWN: Final = 50
_SEARCHED: Final = ("public_id", "model__name", "model__vendor__name", "replacement")
_MOVES_SEARCHED: Final = (
    "public_id", "agent__name", "agent__title", "agent__owner__email", "agent__team__name",
)  # fmt: skip


@signed_in
@require_GET
def campaigns(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the campaigns this viewer may see, the soonest day first."""
    state = chosen(request, "state", Campaign.State.values)
    kind = chosen(request, "kind", Campaign.Kind.values)
    rows = campaigns_for(actor)
    if state:
        rows = rows.filter(state=state)
    if kind:
        rows = rows.filter(kind=kind)
    rows = found(rows, asked(request, "search"), *_SEARCHED)
    page = cut(request, rows, ordering="due_on")
    progress = progress_of(actor, page.rows)
    is_narrowed = bool(state or kind or asked(request, "search"))
    context = {
        "page": page,
        "rows": [(each, progress.get(each.pk), days_left(each)) for each in page],
        "mine": [(move, days_left(move.campaign)) for move in my_open_moves(actor)[:SHOWN]],
        "selects": [
            _select("state", "Any state", state, Campaign.State.choices),
            _select("kind", "Any change", kind, Campaign.Kind.choices),
        ],
        "is_narrowed": is_narrowed,
        "here": reverse("campaigns:campaigns"),
        "may_open": actor.has(Role.PLATFORM),
    }
    return render(request, "campaigns/campaigns.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Open a campaign by hand."""
    actor.require(Role.PLATFORM)
    models = [(each.public_id, str(each)) for each in models_for(actor)]
    given = request.POST if request.method == "POST" else None
    form = CampaignForm(given, models=models, initial=_begun(request, actor))
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            made = open_campaign(
                model_for(actor, said["model"]), due_on=said["due_on"], kind=said["kind"],
                note=said["note"], actor=actor,
            )  # fmt: skip
        except (Invalid, Conflict) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, "The campaign is open.")
            return redirect("campaigns:campaign", made.public_id)
    status = 422 if form.errors else 200
    return render(request, "campaigns/new.html", {"form": form}, status=status)


def _begun(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """Return what the form begins with: a model, its day, or the change that is answered."""
    begun: dict[str, Any] = {
        "model": asked(request, "model"), "due_on": asked(request, "due_on"),
    }  # fmt: skip
    if change := asked(request, "change"):
        effect = effect_of(actor, model_for(actor, begun["model"]), change)
        if effect is not None and effect.kind:
            begun |= {"kind": effect.kind, "note": f"{effect.words} ({effect.change.source})"}
    return begun


def _select(name: str, label: str, value: str, options: Any) -> dict[str, Any]:
    return {"name": name, "label": label, "value": value, "options": options}
