"""Setting a route: one form for the whole document, and what it would mean before it is set.

Rows are added and removed by buttons of the same form, so it works without scripts. The
revision that was read travels along: what somebody else changed meanwhile is not lost.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from kernel.errors import Conflict, DomainError, Invalid
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in
from routing.actions.route_targets import TargetDraft, drafts_of
from routing.actions.routes import check_route, put_route
from routing.forms.routes import RouteForm, TargetRows, rows_of, target_rows
from routing.models import Model, Route
from routing.outlook import Way, outlook
from routing.queries.routes import route_for
from routing.queries.touching import concerned_by_route
from routing.queries.vendors import models_for
from routing.views.routes import ways_of

_REFUSALS: Final = (Invalid, Conflict)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Make a route."""
    actor.require(Role.PLATFORM)
    return _edited(request, actor, None)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, actor: Actor, route: str) -> HttpResponseBase:
    """Say anew what a route is."""
    actor.require(Role.PLATFORM)
    return _edited(request, actor, route_for(actor, route))


def _edited(request: HttpRequest, actor: Actor, route: Route | None) -> HttpResponseBase:
    models = list(models_for(actor))
    if request.method != "POST":
        rows = rows_of(route) if route else []
        formset = target_rows(models, initial=rows, extra=0 if rows else 1)
        return _page(request, route, RouteForm.of(route), formset)
    form, formset = RouteForm.of(route, request.POST), target_rows(models, request.POST)
    wish = request.POST.get("do", "preview")
    if wish == "add":
        return _with_another_row(request, route, models, formset)
    if not (form.is_valid() and formset.is_valid()):
        return _page(request, route, form, formset, status=422)
    try:
        if wish == "save":
            return _saved(request, actor, route, form, formset)
        preview = _preview(actor, route, form, formset)
    except _REFUSALS as error:
        _refuse(form, error, is_new=route is None)
        return _page(request, route, form, formset, status=422)
    return _page(request, route, form, formset, preview=preview)


def _with_another_row(
    request: HttpRequest, route: Route | None, models: list[Model], formset: TargetRows
) -> HttpResponse:
    typed = {
        name: request.POST.getlist(name) if name == "data_classes" else request.POST.get(name, "")
        for name in ("name", "title", "data_classes", "regions", "revision")
    }
    form = RouteForm.of(route)
    form.initial = typed if route is None else typed | {"name": route.name}
    typed_rows = formset.as_typed()
    filled = [row for row in typed_rows if row["model"]]
    blank = len(typed_rows) - len(filled)
    rows = target_rows(models, initial=filled, extra=blank + 1)
    return _page(request, route, form, rows)


def _saved(
    request: HttpRequest, actor: Actor, route: Route | None, form: RouteForm, formset: TargetRows
) -> HttpResponse:
    result = put_route(
        form.cleaned_data["name"],
        _drafts(formset.ways(), route),
        form.constraints(route),
        actor=actor,
        title=form.cleaned_data["title"],
        options=_kept_options(route),
        expected_revision=form.cleaned_data["revision"],
    )
    word = "is made" if result.created else "is set" if result.changed else "was like that already"
    messages.success(request, f"{result.route.name} {word}.")
    for note in result.notes:
        messages.warning(request, note)
    return redirect("routing:route", result.route.public_id)


def _preview(
    actor: Actor, route: Route | None, form: RouteForm, formset: TargetRows
) -> dict[str, Any]:
    ways, limits = formset.ways(), form.constraints(route)
    given = form.cleaned_data
    notes = check_route(
        given["name"],
        _drafts(ways, route),
        limits,
        actor=actor,
        title=given["title"],
        options=_kept_options(route),
    )
    concerned = concerned_by_route(actor, route) if route is not None else None
    told_of = outlook(concerned.agents, ways, limits) if concerned else []
    return {
        "notes": notes,
        "concerned": concerned,
        "outlook": told_of,
        "refused": sum(1 for each in told_of if each.way is None),
        "changes": _changes(route, ways, limits, given["title"]),
    }


def _changes(
    route: Route | None, ways: list[Way], limits: dict[str, Any], title: str
) -> list[dict[str, str]]:
    before = {_key(way): _order(way) for way in ways_of(route)} if route else {}
    after = {_key(way): _order(way) for way in ways}
    rows = [_row(f"target {key}", before.get(key), after.get(key)) for key in before | after]
    stated = route.constraints if route else {}
    for key in sorted(set(stated) | set(limits)):
        rows.append(_row(f"only {key}", _written(stated.get(key)), _written(limits.get(key))))
    rows.append(_row("title", route.title if route else "", title))
    return [row for row in rows if row]


def _row(path: str, before: str | None, after: str | None) -> dict[str, str]:
    if (before or "") == (after or ""):
        return {}
    kind = "changed" if before and after else "added" if after else "removed"
    return {"kind": kind, "path": path, "before": before or "", "after": after or ""}


def _key(way: Way) -> str:
    return f"{way.name}@{way.region}" if way.region else way.name


def _order(way: Way) -> str:
    return f"priority {way.priority}, weight {way.weight}"


def _written(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)


def _drafts(ways: list[Way], route: Route | None) -> list[TargetDraft]:
    """Return the targets as typed, with what only the API sets as it stands."""
    kept = {(each.vendor, each.model, each.region): each for each in _standing(route)}
    drafts = []
    for way in ways:
        vendor, model = way.model.vendor.name, way.model.name
        draft = TargetDraft(vendor, model, way.weight, way.priority, way.region)
        if (stands := kept.get((vendor, model, way.region))) is not None:
            draft = replace(stands, weight=way.weight, priority=way.priority)
        drafts.append(draft)
    return drafts


def _standing(route: Route | None) -> list[TargetDraft]:
    return drafts_of(route) if route is not None else []


def _kept_options(route: Route | None) -> dict[str, Any]:
    return route.options if route is not None else {}


def _refuse(form: RouteForm, error: DomainError, *, is_new: bool) -> None:
    if is_new and isinstance(error, Conflict):
        form.add_error("name", "There is a route of that name; change it on its own page.")
        return
    field = str(error.facts.get("field") or "")
    form.add_error(field if field in form.fields else None, sentence(error))


def _page(
    request: HttpRequest,
    route: Route | None,
    form: RouteForm,
    formset: TargetRows,
    *,
    preview: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {"route": route, "form": form, "rows": formset, "preview": preview}
    return render(request, "routing/route_edit.html", context, status=status)
