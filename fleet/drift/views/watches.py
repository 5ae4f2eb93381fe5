"""The drift page: each route and model, what gateways saw of it, and what rose."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from fleet.drift.queries.watches import changes_for, seen_of, watches_for
from kernel.pages import asked, cut
from registry.actors import Actor
from registry.portal import signed_in
from routing.queries.own_calls import own_calls


@signed_in
@require_GET
def watches(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show every watch, those that served last first."""
    words = asked(request, "search")
    page = cut(request, watches_for(actor, words=words), ordering="-last_at")
    context = {
        "page": page,
        "seen": seen_of(page),
        "changes": list(changes_for(actor)[:20]),
        "is_narrowed": bool(words),
        "own": own_calls(actor),
    }
    return render(request, "drift/watches.html", context)
