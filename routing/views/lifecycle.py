"""The end of a model set by hand, and a vendor asked for its own list."""

from __future__ import annotations

from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from kernel.errors import Conflict, Invalid
from registry.actors import Actor
from registry.portal import sentence, signed_in, told
from routing.actions import listing, overriding
from routing.forms.models import EndForm
from routing.queries.fate import fate_of
from routing.queries.routes import routes_to
from routing.queries.touching import concerned_by_model
from routing.queries.vendors import model_for, vendor_for
from routing.views.showing import field_of

_REFUSALS: Final = (Invalid, Conflict)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def override(request: HttpRequest, actor: Actor, model: str) -> HttpResponseBase:
    """Show whom it concerns, then say by hand when a model ends."""
    actor.require(*overriding.MAY_OVERRIDE)
    shown = model_for(actor, model)
    form = EndForm.of(shown, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            overriding.override_fate(shown.public_id, form.draft(), actor=actor)
        except _REFUSALS as error:
            form.add_error(field_of(error, form), sentence(error))
        else:
            messages.success(request, f"The end of {shown.name} is set by hand.")
            return redirect("routing:model", shown.public_id)
    context = {
        "model": shown,
        "form": form,
        "fate": fate_of(shown),
        "concerned": concerned_by_model(actor, shown),
        "routes": list(routes_to(shown)),
    }
    status = 422 if form.errors else 200
    return render(request, "routing/model_end.html", context, status=status)


@signed_in
@require_POST
def lift(request: HttpRequest, actor: Actor, model: str) -> HttpResponse:
    """Let other sources say again when a model ends."""
    shown = model_for(actor, model)
    with told(request):
        reason = request.POST.get("reason", "").replace("\x00", "")
        overriding.lift_override(shown.public_id, actor=actor, reason=reason)
        messages.success(request, f"Other sources say again when {shown.name} ends.")
    return redirect("routing:model", shown.public_id)


@signed_in
@require_POST
def ask(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Have a vendor asked for its own list now."""
    shown = vendor_for(actor, name)
    with told(request):
        listing.ask_for_listing(shown.name, actor=actor)
        messages.success(request, f"{shown.name} is asked for its list of models.")
    return redirect("routing:vendor", shown.name)
