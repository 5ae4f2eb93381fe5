"""The status page: the fleet as a picture, the worst first, and the list beneath it."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from fleet.health.models import Status
from fleet.health.queries.incidents import incidents_for
from fleet.health.queries.standing import counts_of, healths_for, seen, strips
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.models import Role
from registry.portal import signed_in

_STATUSES: Final = {status.value: str(status.label) for status in Status}
_FIRST_INCIDENTS: Final = 5


@signed_in
@require_GET
def board(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show how every agent is."""
    rows = healths_for(actor)
    status, words, team = chosen(request, "status", _STATUSES), asked(request, "search"), ""
    drawn = strips(actor, rows)
    teams = [(strip.slug, strip.name) for strip in drawn if strip.slug]
    team = chosen(request, "team", [slug for slug, _ in teams])
    listed = found(rows, words, "agent__name", "agent__title", "agent__team__name")
    if status:
        listed = listed.filter(status=status)
    if team:
        listed = listed.filter(agent__team__slug=team)
    page = cut(request, listed, ordering="-rank")
    live = incidents_for(actor).filter(resolved_at__isnull=True).order_by("-opened_at")
    context: dict[str, Any] = {
        "page": page,
        "standings": seen(page, actor),
        "counts": counts_of(rows),
        "strips": drawn,
        "incidents": list(live[:_FIRST_INCIDENTS]),
        "selects": [
            _select("status", "Any status", status, list(_STATUSES.items())),
            _select("team", "Any team", team, teams),
        ],
        "is_narrowed": bool(status or team or words),
        "may_publish": actor.has(Role.PLATFORM, Role.SECURITY, Role.AUDITOR),
    }
    return render(request, "health/board.html", context)


def _select(name: str, words: str, value: str, options: list[tuple[str, str]]) -> dict[str, Any]:
    return {"name": name, "label": words, "any": words, "value": value, "options": options}
