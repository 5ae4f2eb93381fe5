"""Changed rate limits: what they would have refused, and of whom."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from fleet.drift.models import LimitEffect
from fleet.drift.queries.limits import limit_effect_for, limit_effects_for, limit_parts_of
from kernel.pages import asked, cut, found
from registry.actors import Actor
from registry.portal import signed_in
from registry.queries import GOVERNING
from routing.queries.limits import limit_words

MOST: Final = 200


@signed_in
@require_GET
def limits(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List changed limits, the newest first."""
    words = asked(request, "search")
    rows = found(limit_effects_for(actor), words, "change__model_name", "change__platform")
    page = cut(request, rows, ordering="-counted_at")
    context = {
        "page": page,
        "rows": [(each, *_words(each)) for each in page],
        "is_narrowed": bool(words),
    }
    return render(request, "drift/limits.html", context)


@signed_in
@require_GET
def limit(request: HttpRequest, actor: Actor, change: str) -> HttpResponse:
    """Show one changed limit with the agents that it concerns."""
    effect = limit_effect_for(actor, change)
    before, after = _words(effect)
    context = {
        "effect": effect,
        "before": before,
        "after": after,
        "parts": list(limit_parts_of(actor, effect)[:MOST]),
        "sees_all": actor.has(*GOVERNING),
    }
    return render(request, "drift/limit.html", context)


def _words(effect: LimitEffect) -> tuple[str, str]:
    return limit_words(effect.change.before), limit_words(effect.change.after)
