"""Models: what vendors serve here, when each ends, what it costs, and whom it concerns."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from kernel import clock
from kernel.errors import Conflict, Invalid
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in, told
from registry.queries import GOVERNING
from routing.actions import models as act
from routing.actions.overriding import MAY_OVERRIDE
from routing.forms.models import ModelForm
from routing.forms.reasons import ReasonForm
from routing.models import Model
from routing.queries.ends import ending_soon, models_by_end
from routing.queries.fate import fate_of
from routing.queries.lifecycle import changes_of, limits_of, listed_as, override_of
from routing.queries.limits import limits_line
from routing.queries.routes import routes_to
from routing.queries.substitutions import DAYS, substitutions_for
from routing.queries.touching import concerned_by_model, touched_by_models
from routing.queries.vendors import model_for, vendors_for
from routing.views.change_words import told as change_told
from routing.views.showing import field_of

SHOWN: Final = 25
WINDOW_DAYS: Final = 365
WINDOW_WORDS: Final = (
    ("30", "Ends within 30 days"),
    ("90", "Ends within 90 days"),
    ("180", "Ends within 180 days"),
    ("365", "Ends within a year"),
    ("past", "Has ended"),
    ("unknown", "No known end"),
)
_REFUSALS: Final = (Invalid, Conflict)


@signed_in
@require_GET
def models(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List what vendors serve here, the soonest end first."""
    vendors = list(vendors_for(actor).values_list("name", flat=True))
    window = chosen(request, "window", dict(WINDOW_WORDS))
    vendor = chosen(request, "vendor", vendors)
    rows = found(
        models_by_end(actor, window=window, vendor=vendor),
        asked(request, "search"), "name", "vendor__name", "vendor__title",
    )  # fmt: skip
    page = cut(request, rows, ordering="ends")
    touched = touched_by_models(page.rows)
    context = {
        "page": page,
        "rows": [(model, touched.get(model.pk), days_left(model)) for model in page],
        "selects": [
            _select("vendor", "Any vendor", vendor, [(name, name) for name in vendors]),
            _select("window", "Any end", window, WINDOW_WORDS),
        ],
        "is_narrowed": bool(window or vendor or asked(request, "search")),
        "tabs": tabs("models"),
        "ending": [_ending(model) for model in ending_soon(actor, days=WINDOW_DAYS)],
        "window_days": WINDOW_DAYS,
        "may_change": actor.has(Role.PLATFORM),
    }
    return render(request, "routing/models.html", context)


@signed_in
@require_GET
def substitutions(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show where another model answered than the one that was called."""
    context = {
        "rows": substitutions_for(actor),
        "days": DAYS,
        "tabs": tabs("substitutions"),
        "sees_all": actor.has(*GOVERNING),
    }
    return render(request, "routing/substitutions.html", context)


@signed_in
@require_GET
def model(request: HttpRequest, actor: Actor, model: str) -> HttpResponse:
    """Show a model."""
    shown = model_for(actor, model)
    context = {
        "model": shown,
        "days_left": days_left(shown),
        "routes": list(routes_to(shown)),
        "concerned": concerned_by_model(actor, shown, limit=SHOWN),
        "may_change": actor.has(Role.PLATFORM),
        "may_stop": actor.has(Role.PLATFORM, Role.SECURITY),
        "fate": fate_of(shown),
        "listed": listed_as(shown),
        "override": override_of(shown),
        "limits": (limits := limits_of(shown)),
        "limits_line": limits_line(limits) if limits else "",
        "may_override": actor.has(*MAY_OVERRIDE),
        "changes": [(change, change_told(change)) for change in changes_of(shown)],
    }
    return render(request, "routing/model.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, actor: Actor, model: str) -> HttpResponseBase:
    """Change a model's prices, limits and dates, each with where it is from."""
    actor.require(Role.PLATFORM)
    shown = model_for(actor, model)
    form = ModelForm.of(shown, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            act.change_model(shown.public_id, form.changes(), actor=actor)
        except _REFUSALS as error:
            form.add_error(field_of(error, form), sentence(error))
        else:
            messages.success(request, f"{shown.name} is changed.")
            return redirect("routing:model", shown.public_id)
    status = 422 if form.errors else 200
    return render(
        request, "routing/model_change.html", {"model": shown, "form": form}, status=status
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def disable(request: HttpRequest, actor: Actor, model: str) -> HttpResponseBase:
    """Show whom it would stop, then stop every call to a model."""
    actor.require(Role.PLATFORM, Role.SECURITY)
    shown = model_for(actor, model)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            act.disable_model(shown.public_id, actor=actor, reason=form.cleaned_data["reason"])
        except _REFUSALS as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, f"{shown.name} is disabled: no call goes there any more.")
            return redirect("routing:model", shown.public_id)
    context = {
        "title": f"Disable {shown.name}",
        "what": "Every call to it is refused within a second, on all routes. Routes with another "
        "target go on with that one.",
        "form": form,
        "concerned": concerned_by_model(actor, shown),
        "routes": list(routes_to(shown)),
        "section": ("Models", reverse("routing:models")),
        "back": reverse("routing:model", args=[shown.public_id]),
        "name": shown.name,
        "button": "Disable the model",
    }
    status = 422 if form.errors else 200
    return render(request, "routing/disable.html", context, status=status)


@signed_in
@require_POST
def enable(request: HttpRequest, actor: Actor, model: str) -> HttpResponse:
    """Let calls go to a model again."""
    shown = model_for(actor, model)
    with told(request):
        act.enable_model(shown.public_id, actor=actor)
        messages.success(request, f"Calls go to {shown.name} again.")
    return redirect("routing:model", shown.public_id)


def tabs(current: str) -> list[dict[str, Any]]:
    """Return the tabs of models and catalogue."""
    return [
        {"label": label, "url": reverse(f"routing:{name}"), "is_current": name == current}
        for name, label in (
            ("models", "In use here"),
            ("catalogue", "Catalogue"),
            ("sources", "Sources"),
            ("substitutions", "Answered as"),
        )
    ]


def days_left(model: Model) -> int | None:
    """Return how many days a model has left, negative when it has ended."""
    return None if model.retires_on is None else (model.retires_on - clock.now().date()).days


def _ending(model: Model) -> dict[str, Any]:
    left = days_left(model) or 0
    return {
        "label": model.name,
        "on": model.retires_on,
        "note": f"{model.vendor.name}, {left} days left" if left >= 0 else "has ended",
    }


def _select(name: str, label: str, value: str, options: Any) -> dict[str, Any]:
    return {"name": name, "label": label, "value": value, "options": options}
