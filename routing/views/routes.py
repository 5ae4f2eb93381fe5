"""Routes: the names agents call, what serves each, and who calls it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from kernel.errors import Conflict, Invalid
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in, told
from registry.queries import GOVERNING
from routing.actions import routes as act
from routing.actions.route_options import is_over
from routing.actions.route_override import end_override
from routing.forms.reasons import ReasonForm
from routing.models import Route, RouteTarget
from routing.outlook import Way, outlook
from routing.queries.route_use import TargetUse, use_of_targets
from routing.queries.routes import route_for, routes_for
from routing.queries.stops import stops_on_route
from routing.queries.touching import concerned_by_route, declared_counts
from routing.queries.usage import usage_by
from routing.views.attempts import reason_words
from routing.views.option_words import option_words

WEEK: Final = 7
SHOWN: Final = 25
_STATES: Final = (("enabled", "In use"), ("disabled", "Disabled"))
_REFUSALS: Final = (Invalid, Conflict)


@signed_in
@require_GET
def routes(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List routes with their use."""
    state = chosen(request, "state", dict(_STATES))
    rows = found(routes_for(actor), asked(request, "search"), "name", "title")
    if state:
        rows = rows.filter(disabled_at__isnull=state == "enabled")
    page = cut(request, rows, ordering="name")
    counts = declared_counts([route.name for route in page])
    used = {each.name: each.used for each in usage_by(actor, "route", days=WEEK, limit=10_000)}
    context = {
        "page": page,
        "rows": [
            (route, list(route.targets.all()), counts.get(route.name, 0), used.get(route.name))
            for route in page
        ],
        "selects": [{"name": "state", "label": "Any state", "value": state, "options": _STATES}],
        "is_narrowed": bool(state or asked(request, "search")),
        "sees_all": actor.has(*GOVERNING),
        "may_change": actor.has(Role.PLATFORM),
    }
    return render(request, "routing/routes.html", context)


@signed_in
@require_GET
def route(request: HttpRequest, actor: Actor, route: str) -> HttpResponse:
    """Show a route: its targets, what it is kept to, and who calls it."""
    shown = route_for(actor, route)
    concerned = concerned_by_route(actor, shown)
    targets = list(shown.targets.all())
    told_of = outlook(concerned.agents, ways_of(shown), shown.constraints)
    used = {each.name: each.used for each in usage_by(actor, "route", days=WEEK, limit=10_000)}
    sees_all = actor.has(*GOVERNING)
    override = shown.options.get("override")
    context = {
        "route": shown,
        "targets": [(target, _share(target, targets)) for target in targets],
        "levels": _levels(targets),
        "options": option_words(shown.options).items(),
        "override": override if override and not is_over(override) else None,
        "override_until": datetime.fromisoformat(override["until"]) if override else None,
        "use": [_said(one) for one in use_of_targets(shown)] if sees_all else [],
        "concerned": replace(concerned, agents=concerned.agents[:SHOWN]),
        "refused": [each for each in told_of if each.way is None],
        "used": used.get(shown.name),
        "sees_all": sees_all,
        "may_change": actor.has(Role.PLATFORM),
        "may_stop": actor.has(Role.PLATFORM, Role.SECURITY),
        "stops": stops_on_route(shown),
    }
    return render(request, "routing/route.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def disable(request: HttpRequest, actor: Actor, route: str) -> HttpResponseBase:
    """Show whom it would stop, then stop every call to a route."""
    actor.require(Role.PLATFORM, Role.SECURITY)
    shown = route_for(actor, route)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            act.disable_route(shown.name, actor=actor, reason=form.cleaned_data["reason"])
        except _REFUSALS as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, f"{shown.name} is disabled: agents that call it are refused.")
            return redirect("routing:route", shown.public_id)
    context = {
        "title": f"Disable {shown.name}",
        "what": "Agents that call it are refused within a second. Its name stays taken and its "
        "history stays.",
        "form": form,
        "concerned": concerned_by_route(actor, shown),
        "routes": None,
        "section": ("Routes", reverse("routing:routes")),
        "back": reverse("routing:route", args=[shown.public_id]),
        "name": shown.name,
        "button": "Disable the route",
    }
    status = 422 if form.errors else 200
    return render(request, "routing/disable.html", context, status=status)


@signed_in
@require_POST
def enable(request: HttpRequest, actor: Actor, route: str) -> HttpResponse:
    """Let calls use a route again."""
    shown = route_for(actor, route)
    with told(request):
        act.enable_route(shown.name, actor=actor)
        messages.success(request, f"Agents can call {shown.name} again.")
    return redirect("routing:route", shown.public_id)


@signed_in
@require_POST
def end(request: HttpRequest, actor: Actor, route: str) -> HttpResponse:
    """End an override before its time."""
    shown = route_for(actor, route)
    with told(request):
        end_override(shown.name, actor=actor)
        messages.success(request, f"The override of {shown.name} has ended.")
    return redirect("routing:route", shown.public_id)


def ways_of(route: Route) -> list[Way]:
    """Return the targets of a route as they stand."""
    return [
        Way(target.model, target.region, target.weight, target.priority)
        for target in route.targets.all()
    ]


def _share(target: RouteTarget, targets: list[RouteTarget]) -> float:
    """Return a canary's share of runs, else the share among equals."""
    if target.canary_percent is not None:
        return target.canary_percent / 100
    level = sum(
        other.weight
        for other in targets
        if other.priority == target.priority and other.canary_percent is None
    )
    return target.weight / level if level else 0.0


def _levels(targets: list[RouteTarget]) -> list[dict[str, Any]]:
    """Say who gets what: first what canaries take, then each priority with its shares."""
    canaries = [target for target in targets if target.canary_percent is not None]
    usual = [target for target in targets if target.canary_percent is None]
    levels = []
    if canaries:
        left = 100 - sum(target.canary_percent or 0 for target in canaries)
        items = [_part(target, (target.canary_percent or 0) / 100) for target in canaries]
        rest = {"label": "everybody else, below", "value": left, "display": f"{left}%"}
        levels.append({"title": "Canaries", "parts": [*items, rest]})
    for number, (priority, group) in enumerate(groupby(usual, key=lambda each: each.priority)):
        title = "Tried first" if number == 0 else "Tried when those before fail"
        items = [_part(target, _share(target, targets)) for target in group]
        levels.append({"title": f"{title} (priority {priority})", "parts": items})
    return levels


def _part(target: RouteTarget, share: float) -> dict[str, Any]:
    region = f" in {target.region}" if target.region else ""
    return {
        "label": f"{target.model.vendor.name}/{target.model.name}{region}",
        "value": round(share * 100),
        "display": f"{share:.0%}",
    }


def _said(one: TargetUse) -> tuple[TargetUse, str]:
    return one, ", ".join(f"{reason_words(why)}: {count}" for why, count in one.reasons)
