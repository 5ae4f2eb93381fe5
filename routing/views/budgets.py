"""Budgets: how each stands, what it stopped, and setting one with a look at last month first."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from kernel.errors import Conflict, Invalid
from kernel.pages import cut
from ledger.headers import read_header
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in
from registry.queries import GOVERNING, agents_for
from routing.actions import budgets as act
from routing.budgeting import words
from routing.forms.budgets import BudgetForm, CapForm
from routing.forms.reasons import ReasonForm
from routing.models import Budget
from routing.queries.budgets import (
    Standing,
    budget_for,
    budgets_for,
    by_day,
    refused_by,
    standing,
    standings,
    would_have_stopped,
)

_REFUSALS: Final = (Invalid, Conflict)


@signed_in
@require_GET
def budgets(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List budgets with how full each is."""
    page = cut(request, budgets_for(actor), ordering="subject_kind", tie="id")
    context = {
        "page": page,
        "rows": [(each, words(each.budget)) for each in standings(list(page))],
        "may_set": actor.has(*act.SETTING),
        "sees_all": actor.has(*GOVERNING),
    }
    return render(request, "routing/budgets.html", context)


@signed_in
@require_GET
def budget(request: HttpRequest, actor: Actor, budget: str) -> HttpResponse:
    """Show a budget: where it stands, what was used by day, what it refused lately."""
    found = standing(budget_for(actor, budget))
    is_of_people = found.budget.source == Budget.Source.PEOPLE
    context = {
        "found": found,
        "budget": found.budget,
        "what": words(found.budget),
        "chart": _chart(found, by_day(found.budget)),
        "refused": _refused(actor, found.budget),
        "notices": found.budget.notices.order_by("-noticed_at")[:10],
        "may_change": is_of_people and actor.has(*act.SETTING),
        "may_end": is_of_people and actor.has(Role.PLATFORM),
    }
    return render(request, "routing/budget.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Set a budget, or only look at what it would have stopped last month."""
    actor.require(*act.SETTING)
    initial = {
        "thresholds": ["50", "80", "95"],
        "subject_kind": request.GET.get("kind", "organisation")[:20],
        "subject": request.GET.get("subject", "")[:200],
    }
    form = BudgetForm(request.POST if request.method == "POST" else None, initial=initial)
    preview: int | None = None
    if request.method == "POST" and form.is_valid():
        try:
            if "preview" in request.POST:
                preview = would_have_stopped(act.checked(form.draft()), settings.BUDGET_TIME_ZONE)
            else:
                made = act.set_budget(form.draft(), actor=actor)
                messages.success(request, "The budget holds, in every gateway within a second.")
                return redirect("routing:budget", made.public_id)
        except _REFUSALS as error:
            form.add_error(_field(error, form), sentence(error))
    return _edited(request, form, preview, None)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, actor: Actor, budget: str) -> HttpResponseBase:
    """Change a budget's cap, thresholds, or what becomes of models without a price."""
    actor.require(*act.SETTING)
    shown = budget_for(actor, budget)
    form = CapForm.of(shown, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            act.change_budget(shown.public_id, form.changes(shown), actor=actor)
        except _REFUSALS as error:
            form.add_error(_field(error, form), sentence(error))
        else:
            messages.success(request, "The budget is changed, in every gateway within a second.")
            return redirect("routing:budget", shown.public_id)
    return _edited(request, form, None, standing(shown))


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def end(request: HttpRequest, actor: Actor, budget: str) -> HttpResponseBase:
    """End a budget: it holds nobody back any more."""
    actor.require(Role.PLATFORM)
    found = standing(budget_for(actor, budget))
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            act.end_budget(found.budget.public_id, actor=actor, reason=form.cleaned_data["reason"])
        except _REFUSALS as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, "The budget has ended: it holds nobody back any more.")
            return redirect("routing:budgets")
    context = {"found": found, "what": words(found.budget), "form": form}
    return render(request, "routing/budget_end.html", context, status=422 if form.errors else 200)


def _edited(
    request: HttpRequest, form: CapForm, preview: int | None, found: Standing | None
) -> HttpResponse:
    context = {
        "form": form,
        "preview": preview,
        "has_preview": "preview" in request.POST and form.is_valid(),
        "found": found,
        "what": words(found.budget) if found is not None else "",
        "zone": settings.BUDGET_TIME_ZONE,
        "back": reverse("routing:budget", args=[found.budget.public_id])
        if found is not None
        else reverse("routing:budgets"),
    }
    status = 422 if form.errors else 200
    return render(request, "routing/budget_edit.html", context, status=status)


def _field(error: Invalid | Conflict, form: CapForm) -> str | None:
    name = {"cap": "amount", "period": "measure"}.get(
        said := str(error.facts.get("field", "")), said
    )
    return name if name in form.fields else None


def _chart(found: Standing, days: list[tuple[date, int]]) -> dict[str, Any]:
    return {
        "times": [int(datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp()) for d, _ in days],
        "series": [{"label": "Used", "values": [used for _, used in days], "tone": found.tone}],
    }


def _refused(actor: Actor, budget: Budget) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for entry in refused_by(budget):
        facts = read_header(bytes(entry.header)).facts
        rows.append(
            {
                "at": entry.recorded_at,
                "agent_id": entry.agent_id,
                "run": entry.stream,
                "model": facts.get("model"),
                "asked": facts.get("asked"),
                "spent": facts.get("spent"),
                "held": facts.get("held"),
            }
        )
    named = agents_for(actor).filter(public_id__in={row["agent_id"] for row in rows})
    agents = {agent.public_id: agent for agent in named}
    return [row | {"agent": agents.get(row["agent_id"])} for row in rows]
