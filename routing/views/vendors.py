"""Vendors: the list, one vendor, and the changes to it.

Everybody sees which vendors there are and which data may go there. Where each is reached
and how its secret stands is for those who govern; changes are for the platform role.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from kernel.errors import Conflict, Invalid, Unavailable
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in, told, way_back
from routing.actions import probing
from routing.actions import vendors as act
from routing.forms.reasons import ReasonForm
from routing.forms.vendors import ChangeForm, SecretForm
from routing.queries.lifecycle import limits_of_vendor, listing_of, no_longer_listed
from routing.queries.limits import limits_line
from routing.queries.stops import stops_on_vendor
from routing.queries.touching import concerned_by_vendor, routes_of_vendor, touched_by_models
from routing.queries.vendors import models_of, sees_addresses, vendor_for, vendors_for
from routing.views.showing import field_of, lacks_secret, state_of, test_shown

SHOWN: Final = 12
_STATES: Final = (("enabled", "In use"), ("disabled", "Disabled"))
_REFUSALS: Final = (Invalid, Conflict, Unavailable)


@signed_in
@require_GET
def vendors(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List vendors."""
    state = chosen(request, "state", dict(_STATES))
    rows = found(vendors_for(actor), asked(request, "search"), "name", "title", "platform")
    if state:
        rows = rows.filter(disabled_at__isnull=state == "enabled")
    page = cut(request, rows, ordering="name")
    context = {
        "page": page,
        "rows": [(vendor, state_of(vendor), test_shown(vendor)) for vendor in page],
        "sees": sees_addresses(actor),
        "selects": [
            {"name": "state", "label": "Any state", "value": state, "options": _STATES},
        ],
        "is_narrowed": bool(state or asked(request, "search")),
        "may_change": actor.has(Role.PLATFORM),
    }
    return render(request, "routing/vendors.html", context)


@signed_in
@require_GET
def vendor(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Show a vendor: how it stands, what it serves, whom it concerns."""
    shown = vendor_for(actor, name)
    models = list(models_of(shown)[:200])
    touched = touched_by_models(models)
    context = {
        "vendor": shown,
        "state": state_of(shown),
        "lacks_secret": lacks_secret(shown),
        "test": test_shown(shown),
        "models": [(model, touched.get(model.pk)) for model in models],
        "routes": list(routes_of_vendor(shown)[:100]),
        "concerned": concerned_by_vendor(actor, shown, limit=SHOWN),
        "sees": sees_addresses(actor),
        "may_change": actor.has(Role.PLATFORM),
        "may_stop": actor.has(Role.PLATFORM, Role.SECURITY),
        "secret_form": SecretForm(),
        "stops": stops_on_vendor(shown),
        "listing": listing_of(shown),
        "gone": no_longer_listed(shown),
        "limits": [(each, limits_line(each)) for each in limits_of_vendor(shown)],
    }
    return render(request, "routing/vendor.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, actor: Actor, name: str) -> HttpResponseBase:
    """Change what is known of a vendor; a new address asks for the secret again."""
    actor.require(Role.PLATFORM)
    shown = vendor_for(actor, name)
    form = ChangeForm.of(shown, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        changes = {key: form.cleaned_data[key] for key in form.changed_data}
        try:
            result = act.change_vendor(shown.name, changes, actor=actor)
        except _REFUSALS as error:
            form.add_error(field_of(error, form), sentence(error))
        else:
            messages.success(request, f"{result.vendor.name} is changed.")
            _note(request, result.notes)
            return redirect("routing:vendor", shown.name)
    status = 422 if form.errors else 200
    context = {"vendor": shown, "form": form}
    return render(request, "routing/vendor_change.html", context, status=status)


@signed_in
@require_POST
def secret(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Seal a secret; it is in no page, message or log afterwards."""
    shown = vendor_for(actor, name)
    form = SecretForm(request.POST)
    if form.is_valid():
        with told(request):
            act.set_vendor_secret(shown.name, form.cleaned_data["value"], actor=actor)
            messages.success(request, "The secret is sealed. Only the gateway can open it.")
    else:
        actor.require(Role.PLATFORM)
        messages.error(request, "Nothing was sealed: the secret was empty or too long.")
    return redirect(way_back(request, reverse("routing:vendor", args=[shown.name])))


@signed_in
@require_POST
def test(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Let the gateway try a vendor: list its models, make one small call."""
    shown = vendor_for(actor, name)
    with told(request):
        outcome = probing.test_vendor(
            shown.name, actor=actor, model=request.POST.get("model", "")[:200]
        )
        if outcome.ok:
            messages.success(request, f"{shown.name} answers.")
        else:
            messages.warning(request, f"{shown.name} does not answer as it should; see below.")
    return redirect(way_back(request, reverse("routing:vendor", args=[shown.name])))


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def disable(request: HttpRequest, actor: Actor, name: str) -> HttpResponseBase:
    """Show whom it would stop, then stop every call to a vendor."""
    actor.require(Role.PLATFORM, Role.SECURITY)
    shown = vendor_for(actor, name)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            act.disable_vendor(shown.name, actor=actor, reason=form.cleaned_data["reason"])
        except _REFUSALS as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, f"{shown.name} is disabled: no call goes there any more.")
            return redirect("routing:vendor", shown.name)
    context = {
        "title": f"Disable {shown.title or shown.name}",
        "what": "Every call to it is refused within a second, on all routes; streams are cut. "
        "Routes with another target go on with that one.",
        "form": form,
        "concerned": concerned_by_vendor(actor, shown),
        "routes": list(routes_of_vendor(shown)[:100]),
        "section": ("Vendors", reverse("routing:vendors")),
        "back": reverse("routing:vendor", args=[shown.name]),
        "name": shown.name,
        "button": "Disable the vendor",
    }
    status = 422 if form.errors else 200
    return render(request, "routing/disable.html", context, status=status)


@signed_in
@require_POST
def enable(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Let calls go to a vendor again."""
    shown = vendor_for(actor, name)
    with told(request):
        act.enable_vendor(shown.name, actor=actor)
        messages.success(request, f"Calls go to {shown.name} again.")
    return redirect("routing:vendor", shown.name)


def _note(request: HttpRequest, notes: list[Any]) -> None:
    for note in notes:
        messages.warning(request, note)
