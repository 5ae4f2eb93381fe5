"""The pages of campaigns: the list of them, one of them with its moves, opening one by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fleet.campaigns.actions.opening import close_campaign, open_campaign
from fleet.campaigns.forms import CampaignForm
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.campaigns import (
    burn_down,
    campaign_for,
    campaigns_for,
    changes_of,
    days_left,
    entries_of,
    falls_due_at,
    moves_for,
    my_open_moves,
    progress_of,
)
from fleet.campaigns.queries.impact import WAYS, exposure_of
from fleet.campaigns.queries.naming import named_in
from fleet.history import events_of, refs_in
from kernel.errors import Conflict, Invalid
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in, told
from registry.queries.directory import names_of
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
@require_GET
def campaign(request: HttpRequest, actor: Actor, campaign: str) -> HttpResponse:
    """Show a campaign: what changed, how far it is, and every move of it."""
    row = campaign_for(actor, campaign)
    state = chosen(request, "state", Move.State.values)
    way = chosen(request, "way", WAYS)
    moves = moves_for(actor, row)
    if state:
        moves = moves.filter(state=state)
    if way:
        moves = moves.filter(ways__contains=[way])
    moves = found(moves, asked(request, "search"), *_MOVES_SEARCHED)
    page = cut(request, moves, ordering="-cost_micros", size=SHOWN)
    events = list(entries_of(row)[:20])
    context: dict[str, Any] = {
        "campaign": row,
        "progress": progress_of(actor, [row]).get(row.pk),
        "exposure": exposure_of([row.model], viewer=actor)[row.model.public_id],
        "days_left": days_left(row),
        "falls_due_at": falls_due_at(row),
        "changes": changes_of(row),
        "repositories": named_in(actor, row.model),
        "page": page,
        "selects": [
            _select("state", "Any state", state, Move.State.choices),
            _select("way", "Any way", way, [(each, each) for each in WAYS]),
        ],
        "is_narrowed": bool(state or way or asked(request, "search")),
        "here": reverse("campaigns:campaign", args=[row.public_id]),
        "chart": _chart(row),
        "events": events_of(events, names_of(refs_in(events))),
        "may_change": actor.has(Role.PLATFORM) and row.is_open,
        "models": _models(actor, row) if row.is_open else [],
    }
    return render(request, "campaigns/campaign.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Open a campaign by hand."""
    actor.require(Role.PLATFORM)
    models = [(each.public_id, str(each)) for each in models_for(actor)]
    given = request.POST if request.method == "POST" else None
    form = CampaignForm(given, models=models, initial={"model": asked(request, "model")})
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


@signed_in
@require_POST
def close(request: HttpRequest, actor: Actor, campaign: str) -> HttpResponse:
    """End a campaign that is not needed."""
    row = campaign_for(actor, campaign)
    with told(request):
        close_campaign(row, why=request.POST.get("reason", ""), actor=actor)
        messages.success(request, "The campaign has ended.")
    return redirect("campaigns:campaign", row.public_id)


def _models(actor: Actor, campaign: Campaign) -> list[tuple[str, str]]:
    usable = models_for(actor).filter(disabled_at__isnull=True, vendor__disabled_at__isnull=True)
    return [(each.public_id, str(each)) for each in usable.exclude(pk=campaign.model_id)]


def _chart(campaign: Campaign) -> dict[str, Any]:
    days = burn_down(campaign)
    times = [int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) for day, _ in days]
    return {
        "times": times,
        "series": [{"label": "Left to move", "values": [left for _, left in days]}],
    }


def _select(name: str, label: str, value: str, options: Any) -> dict[str, Any]:
    return {"name": name, "label": label, "value": value, "options": options}
