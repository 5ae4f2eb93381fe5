"""Changed prices: what they come to, and for whom."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from fleet.drift.queries.prices import (
    is_comparable,
    lines_of,
    parts_of,
    price_effect_for,
    price_effects_for,
    teams_of,
)
from kernel.pages import asked, cut, found
from registry.actors import Actor
from registry.portal import signed_in

MOST: Final = 200


@signed_in
@require_GET
def prices(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List changed prices, the newest first."""
    words = asked(request, "search")
    rows = found(price_effects_for(actor), words, "change__model_name", "change__platform")
    page = cut(request, rows, ordering="-counted_at")
    return render(request, "drift/prices.html", {"page": page, "is_narrowed": bool(words)})


@signed_in
@require_GET
def price(request: HttpRequest, actor: Actor, change: str) -> HttpResponse:
    """Show one changed price by team and by agent."""
    effect = price_effect_for(actor, change)
    parts = parts_of(actor, effect)
    context = {
        "effect": effect,
        "lines": lines_of(effect),
        "is_known": is_comparable(effect.change.before, effect.change.after),
        "parts": list(parts[:MOST]),
        "teams": teams_of(parts),
    }
    return render(request, "drift/price.html", context)
