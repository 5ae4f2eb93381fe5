"""Setting a route: one form for the whole document, and what it would mean before it is set.

Rows are added and removed by buttons of the same form, so it works without scripts. The
revision that was read travels along: what somebody else changed meanwhile is not lost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from routing.forms.route_options import OptionsForm
from routing.forms.routes import RouteForm, TargetRows, rows_of, target_rows
from routing.models import Model, Route
from routing.outlook import outlook
from routing.queries.routes import route_for
from routing.queries.touching import concerned_by_route
from routing.queries.vendors import models_for
from routing.views.option_words import option_words

_REFUSALS: Final = (Invalid, Conflict)


@dataclass(frozen=True, slots=True)
class Forms:
    """What the page asks: the route, its targets, its options."""

    route: Route | None
    form: RouteForm
    rows: TargetRows
    options: OptionsForm

    def are_valid(self) -> bool:
        asked = not self.options.is_bound or self.options.is_valid()
        return all([self.form.is_valid(), self.rows.is_valid(), asked])


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
        return _page(request, Forms(route, RouteForm.of(route), formset, _asked(route, models)))
    forms = Forms(
        route,
        RouteForm.of(route, request.POST),
        target_rows(models, request.POST),
        _asked(route, models, request.POST),
    )
    wish = request.POST.get("do", "preview")
    if wish == "add":
        return _with_another_row(request, forms, models)
    if not forms.are_valid():
        return _page(request, forms, status=422)
    try:
        if wish == "save":
            return _saved(request, actor, forms)
        preview = _preview(actor, forms)
    except _REFUSALS as error:
        _refuse(forms, error)
        return _page(request, forms, status=422)
    return _page(request, forms, preview=preview)


def _asked(route: Route | None, models: list[Model], data: Any = None) -> OptionsForm:
    sent = data if data is not None and "options-choose" in data else None
    return OptionsForm.of(route, models, sent)


def _with_another_row(request: HttpRequest, forms: Forms, models: list[Model]) -> HttpResponse:
    route, formset = forms.route, forms.rows
    typed = {
        name: request.POST.getlist(name) if name == "data_classes" else request.POST.get(name, "")
        for name in ("name", "title", "aliases", "data_classes", "regions", "revision")
    }
    form = RouteForm.of(route)
    form.initial = typed if route is None else typed | {"name": route.name}
    typed_rows = formset.as_typed()
    filled = [row for row in typed_rows if row["model"]]
    blank = len(typed_rows) - len(filled)
    rows = target_rows(models, initial=filled, extra=blank + 1)
    return _page(request, replace(forms, form=form, rows=rows))


def _saved(request: HttpRequest, actor: Actor, forms: Forms) -> HttpResponse:
    route, form = forms.route, forms.form
    result = put_route(
        form.cleaned_data["name"],
        _drafts(forms.rows, route),
        form.constraints(route),
        actor=actor,
        title=form.cleaned_data["title"],
        options=_options(forms.options, route),
        aliases=_names(forms),
        expected_revision=form.cleaned_data["revision"],
    )
    word = "is made" if result.created else "is set" if result.changed else "was like that already"
    messages.success(request, f"{result.route.name} {word}.")
    for note in result.notes:
        messages.warning(request, note)
    return redirect("routing:route", result.route.public_id)


def _preview(actor: Actor, forms: Forms) -> dict[str, Any]:
    route, form = forms.route, forms.form
    ways, limits = forms.rows.ways(), form.constraints(route)
    given = form.cleaned_data
    notes = check_route(
        given["name"],
        _drafts(forms.rows, route),
        limits,
        actor=actor,
        title=given["title"],
        options=_options(forms.options, route),
        aliases=_names(forms),
    )
    concerned = concerned_by_route(actor, route) if route is not None else None
    told_of = outlook(concerned.agents, ways, limits) if concerned else []
    return {
        "notes": notes,
        "concerned": concerned,
        "outlook": told_of,
        "refused": sum(1 for each in told_of if each.way is None),
        "changes": [*_changes(forms, limits, given["title"]), *_option_changes(forms)],
    }


def _changes(forms: Forms, limits: dict[str, Any], title: str) -> list[dict[str, str]]:
    route = forms.route
    before = {_key(one): _order(one) for one in drafts_of(route)} if route else {}
    after = {_key(one): _order(one) for one in _drafts(forms.rows, route)}
    rows = [_row(f"target {key}", before.get(key), after.get(key)) for key in before | after]
    stated = route.constraints if route else {}
    for key in sorted(set(stated) | set(limits)):
        rows.append(_row(f"only {key}", _written(stated.get(key)), _written(limits.get(key))))
    names = _written(sorted(_names(forms)))
    rows.append(_row("further names", _written(route.aliases) if route else "", names))
    rows.append(_row("title", route.title if route else "", title))
    return [row for row in rows if row]


def _option_changes(forms: Forms) -> list[dict[str, str]]:
    before = option_words(forms.route.options if forms.route else {})
    after = option_words(_options(forms.options, forms.route))
    rows = [_row(name.lower(), before.get(name), after.get(name)) for name in before | after]
    return [row for row in rows if row]


def _row(path: str, before: str | None, after: str | None) -> dict[str, str]:
    if (before or "") == (after or ""):
        return {}
    kind = "changed" if before and after else "added" if after else "removed"
    return {"kind": kind, "path": path, "before": before or "", "after": after or ""}


def _key(one: TargetDraft) -> str:
    return f"{one.vendor}/{one.model}@{one.region}" if one.region else f"{one.vendor}/{one.model}"


def _order(one: TargetDraft) -> str:
    said = f"priority {one.priority}, weight {one.weight}"
    if one.canary_percent is not None:
        said = f"canary for {one.canary_percent} % of runs"
    return said if one.first_byte_ms is None else f"{said}, {one.first_byte_ms / 1000:g} s"


def _written(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)


def _drafts(formset: TargetRows, route: Route | None) -> list[TargetDraft]:
    """Return the targets as typed, with what was not asked as it stands."""
    standing = drafts_of(route) if route is not None else []
    kept = {(each.vendor, each.model, each.region): each for each in standing}
    drafts = []
    for form in formset.meant():
        way = form.way()
        stands = kept.get((way.model.vendor.name, way.model.name, way.region))
        drafts.append(form.draft(stands))
    return drafts


def _names(forms: Forms) -> list[str]:
    """Return the further names as typed, or as they stand where they were not asked."""
    if forms.route is not None and "aliases" not in forms.form.data:
        return forms.route.aliases
    names: list[str] = forms.form.cleaned_data["aliases"]
    return names


def _options(options: OptionsForm, route: Route | None) -> dict[str, Any]:
    stored = route.options if route is not None else {}
    return options.options(stored) if options.was_asked else stored


def _refuse(forms: Forms, error: DomainError) -> None:
    form = forms.form
    if forms.route is None and isinstance(error, Conflict):
        form.add_error("name", "There is a route of that name; change it on its own page.")
        return
    field = str(error.facts.get("field") or "")
    if (asked := forms.options.field_of(field)) is not None and forms.options.is_bound:
        forms.options.add_error(asked, sentence(error))
        return
    form.add_error(field if field in form.fields else None, sentence(error))


def _page(
    request: HttpRequest,
    forms: Forms,
    *,
    preview: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "route": forms.route,
        "form": forms.form,
        "rows": forms.rows,
        "options": forms.options,
        "preview": preview,
    }
    return render(request, "routing/route_edit.html", context, status=status)
