"""The retirement calendar: a picture, a table, a calendar file, and the same as JSON.

Everybody may look: models and their ends are no secret inside. What depends on them is shown
as far as the viewer sees agents.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from fleet.campaigns.calendar_file import calendar_file
from fleet.campaigns.queries.calendar import (
    DEFAULT_DAYS,
    NOTICES,
    WINDOWS,
    Asked,
    End,
    ends_for,
    platforms_in_use,
)
from fleet.campaigns.shapes import end_told
from kernel.pages import Page, asked, chosen
from registry.actors import Actor
from registry.portal import signed_in
from registry.queries import GOVERNING
from routing.queries.ends import platforms
from routing.queries.vendors import vendors_for

SIZE: Final = 50
_SCOPES: Final = (("all", "The whole catalogue"),)
_OWNERS: Final = (("me", "My agents"),)


@signed_in
@require_GET
def calendar(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show what ends when."""
    wanted = _asked(request, actor)
    ends = ends_for(actor, wanted)
    page = _page(request, ends)
    query = request.GET.copy()
    query.pop("cursor", None)
    context = {
        "ends": ends,
        "page": page,
        "total": len(ends),
        "drawn": [_drawn(end) for end in ends],
        "picture": _words(ends, wanted.days),
        "days": wanted.days,
        "notices": NOTICES,
        "selects": _selects(actor, wanted),
        "is_narrowed": any(name in request.GET for name in _NARROWING),
        "sees_all": actor.has(*GOVERNING),
        "query": query.urlencode(),
    }
    return render(request, "campaigns/calendar.html", context)


@signed_in
@require_GET
def calendar_ics(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Give the calendar as a file that calendar programs read (RFC 5545)."""
    ends = ends_for(actor, _asked(request, actor))
    text = calendar_file(ends, link=request.build_absolute_uri(reverse("campaigns:calendar")))
    answer = HttpResponse(text, content_type="text/calendar; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="retirements.ics"'
    return answer


@signed_in
@require_GET
def calendar_json(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Give the calendar as JSON."""
    ends = ends_for(actor, _asked(request, actor))
    return JsonResponse({"results": [end_told(end) for end in ends]})


_NARROWING: Final = ("vendor", "platform", "days", "scope", "owner", "search")


def _asked(request: HttpRequest, actor: Actor) -> Asked:
    days = chosen(request, "days", {str(days) for days in WINDOWS})
    return Asked(
        days=int(days) if days else DEFAULT_DAYS,
        vendor=asked(request, "vendor"),
        platform=asked(request, "platform"),
        search=asked(request, "search"),
        whole=asked(request, "scope") == "all",
        mine=asked(request, "owner") == "me",
    )


def _selects(actor: Actor, wanted: Asked) -> list[dict[str, Any]]:
    vendors = vendors_for(actor).values_list("name", "title")
    named = platforms() if wanted.whole else platforms_in_use()
    return [
        _select("scope", "In use here", "all" if wanted.whole else "", _SCOPES),
        _select("vendor", "Any vendor", wanted.vendor, [(n, title or n) for n, title in vendors]),
        _select("platform", "Any platform", wanted.platform, [(name, name) for name in named]),
        _select(
            "days", f"Within {DEFAULT_DAYS} days",
            "" if wanted.days == DEFAULT_DAYS else str(wanted.days),
            [(str(days), f"Within {days} days") for days in WINDOWS if days != DEFAULT_DAYS],
        ),
        _select("owner", "Anybody's agents", "me" if wanted.mine else "", _OWNERS),
    ]  # fmt: skip


def _select(name: str, label: str, value: str, options: Any) -> dict[str, Any]:
    return {"name": name, "label": label, "value": value, "options": options}


def _page(request: HttpRequest, ends: list[End]) -> Page:
    said = asked(request, "cursor")
    start = int(said) if said.isascii() and said.isdigit() and len(said) < 7 else 0
    start = start if start < len(ends) else 0
    following = str(start + SIZE) if start + SIZE < len(ends) else ""
    before = str(max(start - SIZE, 0)) if start else ""
    return Page(ends[start : start + SIZE], following, before)


def _drawn(end: End) -> dict[str, Any]:
    agents = end.exposure.agents if end.exposure else 0
    return {
        "group": end.group,
        "name": end.name,
        "ends_on": end.ends_on,
        "announced_on": end.announced_on,
        "precision": end.precision,
        "note": f"{agents} agent{'' if agents == 1 else 's'}" if end.exposure else "",
    }


def _words(ends: list[End], days: int) -> str:
    return f"Timeline of {len(ends)} models that end within {days} days; the table below names them"
