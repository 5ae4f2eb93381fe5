"""The page of one campaign: how long, how far, who is late, and what each move waits for.

The platform team changes its day and its rule there, and ends it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from fleet.campaigns.actions.opening import change_campaign, close_campaign
from fleet.campaigns.errors import CampaignUnusable
from fleet.campaigns.models import PAUSE, Campaign, Move
from fleet.campaigns.queries.campaigns import (
    burn_down,
    campaign_for,
    changes_of,
    days_left,
    entries_of,
    falls_due_at,
    may_decide,
    moves_for,
    progress_of,
)
from fleet.campaigns.queries.glance import (
    NEEDS,
    late_states,
    narrowed,
    next_steps,
    parts_of,
    waiting_for,
)
from fleet.campaigns.queries.impact import WAYS, exposure_of
from fleet.campaigns.queries.naming import named_in
from fleet.campaigns.queries.words import rule_words
from fleet.history import events_of, refs_in
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.models import Role
from registry.portal import signed_in, told
from registry.queries.directory import names_of
from routing.queries.vendors import models_for

SHOWN: Final = 50
SEARCHED: Final = (
    "public_id", "agent__name", "agent__title", "agent__owner__email", "agent__owner__name",
    "agent__team__name", "candidate__name",
)  # fmt: skip
NARROWING: Final = ("state", "way", "need", "search")


@signed_in
@require_GET
def campaign(request: HttpRequest, actor: Actor, campaign: str) -> HttpResponse:
    """Show a campaign: what changed, how far it is, and every move of it."""
    row = campaign_for(actor, campaign)
    here = reverse("campaigns:campaign", args=[row.public_id])
    every = moves_for(actor, row)
    moves = chosen_moves(request, every, row, actor)
    page = cut(request, moves, ordering="-cost_micros", size=SHOWN)
    events = list(entries_of(row)[:20])
    answers = {move.pk: may_decide(actor, move) for move in page}
    context: dict[str, Any] = {
        "campaign": row,
        "progress": progress_of(actor, [row]).get(row.pk),
        "parts": parts_of(every, here),
        "waiting": waiting_for(every, row, actor) if row.is_open else [],
        "late": late_states(row),
        "exposure": exposure_of([row.model], viewer=actor)[row.model.public_id],
        "days_left": days_left(row),
        "falls_due_at": falls_due_at(row),
        "rule": rule_words(row.fallback),
        "changes": changes_of(row),
        "repositories": named_in(actor, row.model),
        "page": page,
        "rows": next_steps(actor, page, answers=answers),
        "total": moves.count(),
        "selects": _selects(request),
        "narrowing": [(name, asked(request, name)) for name in NARROWING],
        "is_narrowed": any(asked(request, name) for name in NARROWING),
        "here": here,
        "chart": _chart(row),
        "events": events_of(events, names_of(refs_in(events))),
        "may_change": actor.has(Role.PLATFORM) and row.is_open,
        "may_group": row.is_open and (actor.has(Role.PLATFORM) or any(answers.values())),
        "models": _models(actor, row) if row.is_open else [],
    }
    return render(request, "campaigns/campaign.html", context)


def chosen_moves(
    request: HttpRequest, moves: QuerySet[Move], campaign: Campaign, actor: Actor
) -> QuerySet[Move]:
    """Return the moves that the query narrows to."""
    state, way = chosen(request, "state", Move.State.values), chosen(request, "way", WAYS)
    if state:
        moves = moves.filter(state=state)
    if way:
        moves = moves.filter(ways__contains=[way])
    moves = narrowed(moves, campaign, actor, need=chosen(request, "need", NEEDS))
    return found(moves, asked(request, "search"), *SEARCHED)


@signed_in
@require_POST
def change(request: HttpRequest, actor: Actor, campaign: str) -> HttpResponse:
    """Change the day of a campaign that no source dates, and the rule of its deadline."""
    row = campaign_for(actor, campaign)
    with told(request):
        to = request.POST.get("rule", "")
        rule = None if not to else PAUSE if to == "pause" else {"rule": "move", "to": to}
        change_campaign(row, due_on=_day(request), fallback=rule, actor=actor)
        messages.success(request, "The campaign is changed.")
    return redirect("campaigns:campaign", row.public_id)


@signed_in
@require_POST
def close(request: HttpRequest, actor: Actor, campaign: str) -> HttpResponse:
    """End a campaign that is not needed."""
    row = campaign_for(actor, campaign)
    with told(request):
        close_campaign(row, why=request.POST.get("reason", ""), actor=actor)
        messages.success(request, "The campaign has ended.")
    return redirect("campaigns:campaign", row.public_id)


def _day(request: HttpRequest) -> date | None:
    said = request.POST.get("due_on", "")
    if not said:
        return None
    try:
        return date.fromisoformat(said)
    except ValueError:
        raise CampaignUnusable("Write the day as YYYY-MM-DD.", field="due_on") from None


def _models(actor: Actor, campaign: Campaign) -> list[tuple[str, str]]:
    """Return what could take its place: what the vendor names first, and nothing that ends too."""
    stays = Q(retires_on__isnull=True) | Q(retires_on__gt=campaign.due_on)
    usable = models_for(actor).filter(
        stays, disabled_at__isnull=True, vendor__disabled_at__isnull=True
    )
    found = sorted(
        usable.exclude(pk=campaign.model_id),
        key=lambda each: (not campaign.names(each), str(each)),
    )
    return [(each.public_id, str(each)) for each in found]


def _chart(campaign: Campaign) -> dict[str, Any]:
    days = burn_down(campaign)
    times = [int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) for day, _ in days]
    return {
        "times": times,
        "series": [{"label": "Left to move", "values": [left for _, left in days]}],
    }


def _selects(request: HttpRequest) -> list[dict[str, Any]]:
    return [
        _select(request, "state", "Any state", Move.State.choices),
        _select(request, "need", "Whatever they wait for", list(NEEDS.items())),
        _select(request, "way", "Any way", [(each, each) for each in WAYS]),
    ]


def _select(request: HttpRequest, name: str, label: str, options: Any) -> dict[str, Any]:
    value = chosen(request, name, [value for value, _ in options])
    return {"name": name, "label": label, "value": value, "options": options}
