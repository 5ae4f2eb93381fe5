"""Connecting a vendor step by step: address, secret, test, models, route.

Which step comes next is read from the vendor itself, so whoever closes the browser in the
middle goes on where they were.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from kernel.errors import Conflict, Invalid
from kernel.pages import asked
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in
from routing.actions.models import ModelDraft
from routing.actions.models import add_models as add
from routing.actions.route_targets import TargetDraft
from routing.actions.routes import put_route
from routing.actions.vendors import VendorDraft, connect_vendor
from routing.forms.presets import PRESETS, Preset, preset_named
from routing.forms.vendors import ConnectForm, FirstRouteForm, ModelsForm, SecretForm
from routing.models import Vendor
from routing.queries.catalogue import lifecycle_for, price_for
from routing.queries.touching import routes_of_vendor
from routing.queries.vendors import found_models, models_of, vendor_for, vendors_for
from routing.views.showing import field_of, lacks_secret, test_shown

STEPS: Final = (
    ("address", "Address"),
    ("secret", "Secret"),
    ("test", "Test"),
    ("models", "Models"),
    ("route", "Route"),
)
_REFUSALS: Final = (Invalid, Conflict)
SHOWN: Final = 300


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def connect(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Ask what to connect and where it is; then go on to its secret."""
    actor.require(Role.PLATFORM)
    preset = preset_named(asked(request, "preset"))
    if request.method != "POST":
        fresh = ConnectForm.of(preset, _free_name(actor, preset)) if preset else None
        return _connect_page(request, preset, fresh)
    form = ConnectForm(request.POST)
    if form.is_valid() and (vendor := _connected(request, actor, form, preset)):
        return redirect("routing:vendor-setup", vendor.name)
    return _connect_page(request, preset, form, status=422)


@signed_in
@require_http_methods(["GET", "HEAD"])
def setup(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Show the step that comes next, or the one that was asked for."""
    actor.require(Role.PLATFORM)
    return _setup_page(request, vendor_for(actor, name))


@signed_in
@require_POST
def add_models(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Add the models that were chosen, and those that were typed."""
    actor.require(Role.PLATFORM)
    vendor = vendor_for(actor, name)
    form = ModelsForm(request.POST, found=found_models(vendor))
    if form.is_valid():
        names = list(dict.fromkeys([*form.cleaned_data["names"], *form.typed()]))
        try:
            added = add(vendor.name, [ModelDraft(each) for each in names], actor=actor)
        except _REFUSALS as error:
            form.add_error(None, sentence(error))
        else:
            word = "model is" if len(added) == 1 else "models are"
            messages.success(request, f"{len(added)} {word} added.")
            return redirect("routing:vendor-setup", vendor.name)
    return _setup_page(request, vendor, "models", status=422, models_form=form)


@signed_in
@require_POST
def make_route(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Make a route to one model of the vendor; a name that is taken stays as it is."""
    actor.require(Role.PLATFORM)
    vendor = vendor_for(actor, name)
    form = FirstRouteForm(request.POST, models=list(models_of(vendor)))
    if form.is_valid():
        route, target = form.cleaned_data["name"], form.cleaned_data["model"]
        region = vendor.regions[0] if len(vendor.regions) == 1 else ""
        try:
            result = put_route(
                route,
                [TargetDraft(vendor.name, target, region=region)],
                actor=actor,
                expected_revision=0,
            )
        except Conflict:
            form.add_error("name", "There is a route of that name; change it on its own page.")
        except Invalid as error:
            form.add_error(field_of(error, form), sentence(error))
        else:
            messages.success(request, f"Agents can call {route} now.")
            return redirect("routing:route", result.route.public_id)
    return _setup_page(request, vendor, "route", status=422, route_form=form)


def _connected(
    request: HttpRequest, actor: Actor, form: ConnectForm, preset: Preset | None
) -> Vendor | None:
    given = form.cleaned_data
    draft = VendorDraft(
        name=given["name"].strip(),
        dialect=given["dialect"],
        base_url=given["base_url"],
        title=given["title"],
        platform=(preset.platform or None) if preset else None,
        auth_scheme=given["auth_scheme"],
        regions=given["regions"],
        data_classes=given["data_classes"],
    )
    try:
        result = connect_vendor(draft, actor=actor)
    except _REFUSALS as error:
        form.add_error(field_of(error, form), sentence(error))
        return None
    messages.success(request, f"{result.vendor.name} is connected. Nothing has called it yet.")
    for note in result.notes:
        messages.info(request, note)
    return result.vendor


def _connect_page(
    request: HttpRequest, preset: Preset | None, form: ConnectForm | None, *, status: int = 200
) -> HttpResponse:
    context = {
        "presets": PRESETS,
        "preset": preset,
        "form": form,
        "steps": _steps("address", set()),
    }
    return render(request, "routing/connect.html", context, status=status)


def _setup_page(
    request: HttpRequest, vendor: Vendor, step: str = "", *, status: int = 200, **given: Any
) -> HttpResponse:
    models = list(models_of(vendor))
    routes = list(routes_of_vendor(vendor)[:20])
    done = _done(vendor, bool(models), bool(routes))
    wanted = step or asked(request, "step")
    names = [name for name, _ in STEPS[1:]]
    step = wanted if wanted in names else next((each for each in names if each not in done), "end")
    context: dict[str, Any] = {
        "vendor": vendor,
        "step": step,
        "done": done,
        "steps": _steps(step, done),
        "here": reverse("routing:vendor-setup", args=[vendor.name]),
        "lacks_secret": lacks_secret(vendor),
        "secret_form": SecretForm(),
        "test": test_shown(vendor),
        "models": models,
        "routes": routes,
    }
    if step == "models":
        found = found_models(vendor)
        context |= {"models_form": ModelsForm(found=found), "found": _priced(vendor, found)}
        context["chosen"] = set(request.POST.getlist("names"))
    if step == "route":
        context["route_form"] = FirstRouteForm(models=models)
    response = render(request, "routing/setup.html", context | given, status=status)
    response["Cache-Control"] = "no-store"
    return response


def _done(vendor: Vendor, has_models: bool, has_routes: bool) -> set[str]:  # noqa: FBT001
    reached = {"address"}
    if not lacks_secret(vendor):
        reached.add("secret")
    if vendor.last_test is not None and vendor.last_test.get("ok") is True:
        reached.add("test")
    if has_models:
        reached.add("models")
    if has_routes:
        reached.add("route")
    return reached


def _steps(current: str, done: set[str]) -> list[dict[str, str]]:
    return [
        {
            "label": label,
            "state": "now" if name == current else "done" if name in done else "next",
        }
        for name, label in STEPS
    ]


def _priced(vendor: Vendor, names: list[str]) -> list[dict[str, Any]]:
    """Put beside each found model what the catalogue says of it."""
    shown = names[:SHOWN]
    keys = {(vendor.platform, name) for name in shown} if vendor.platform else set()
    prices, ends = price_for(keys), lifecycle_for(keys)
    return [
        {
            "name": name,
            "price": prices.get((vendor.platform, name)),
            "lifecycle": ends.get((vendor.platform, name)),
        }
        for name in shown
    ]


def _free_name(actor: Actor, preset: Preset) -> str:
    name = preset.key if preset.key != "other" else ""
    taken = set(vendors_for(actor).filter(name__startswith=name).values_list("name", flat=True))
    if not name or name not in taken:
        return name
    return next(f"{name}-{number}" for number in range(2, 1000) if f"{name}-{number}" not in taken)
