"""Emergency stop: what is stopped, how far a stop would reach, placing, proving and lifting.

Everybody may read what is stopped and why. Placing and lifting ask the actions; the proof
runs in a request of its own after the stop has been committed, and shows what is being
asked while it runs.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from approvals.models import Review
from approvals.queries import reviews_for
from kernel.errors import Conflict, Invalid, NotFound
from kernel.pages import cut
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in, told
from registry.queries.directory import names_of
from routing.actions.containing import contain_stop
from routing.actions.stops import lift_stop, place_stop
from routing.containment.gateways import live_gateways
from routing.containment.reach import reach_of
from routing.errors import StopInForce
from routing.forms.stops import TYPED, PlaceForm, SubjectForm
from routing.models import Stop
from routing.queries.stops import (
    Subject,
    in_force,
    office_of,
    stop_for,
    stops_for,
    subject_for,
    subject_of,
)


@signed_in
@require_GET
def stops(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show what is stopped now, what was, and the way to stop something."""
    past = stops_for(actor).filter(lifted_at__isnull=False)
    context = {
        "standing": list(in_force()),
        "page": cut(request, past, ordering="-placed_at"),
        "form": SubjectForm(),
        "may_stop": actor.has(Role.SECURITY, Role.PLATFORM),
    }
    return render(request, "routing/stops.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def place(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Show how far a stop would reach, then place it."""
    form = SubjectForm(request.GET if "scope" in request.GET else None)
    found = _found(form, actor) if "scope" in request.GET else None
    if found is None or form.errors:
        status = 422 if form.errors else 200
        return render(request, "routing/stop_choose.html", {"form": form}, status=status)
    if present := in_force(found.scope, found.id).first():
        messages.info(request, f"{_capital(found)} is stopped already.")
        return redirect("routing:stop", present.public_id)
    reach = reach_of(found, actor=actor)
    why = PlaceForm(request.POST if request.method == "POST" else None, scope=found.scope)
    if request.method == "POST" and why.is_valid():
        try:
            placed = place_stop(
                found.scope, found.id, actor=actor, reason=why.cleaned_data["reason"]
            )
        except StopInForce as present_now:
            return redirect("routing:stop", str(present_now.facts.get("stop", "")))
        except (Invalid, Conflict) as error:
            why.add_error(None, sentence(error))
        else:
            return redirect(reverse("routing:stop", args=[placed.public_id]) + "?prove=1")
    context = {"subject": found, "reach": reach, "form": why, "typed": TYPED}
    status = 422 if why.errors else 200
    return render(request, "routing/stop_place.html", context, status=status)


@signed_in
@require_GET
def stop(request: HttpRequest, actor: Actor, stop: str) -> HttpResponse:
    """Show one stop: who placed it, why, whether it holds, and who may lift it."""
    shown = stop_for(actor, stop)
    names = names_of({shown.placed_by, shown.lifted_by} - {""})
    context = _shown(shown, actor) | {
        "placed_by": names.get(shown.placed_by, shown.placed_by),
        "lifted_by": names.get(shown.lifted_by, shown.lifted_by),
        "proves": "prove" in request.GET and shown.is_in_force,
        "asked": [each.path for each in live_gateways()],
        "review": _review(actor, shown),
    }
    return render(request, "routing/stop.html", context)


@signed_in
@require_POST
def prove(request: HttpRequest, actor: Actor, stop: str) -> HttpResponse:
    """Probe every path, and answer with what was found."""
    shown = stop_for(actor, stop)
    contain_stop(shown, actor=actor)
    if not getattr(request, "htmx", False):
        return redirect("routing:stop", shown.public_id)
    return render(request, "routing/_proof.html", _shown(shown, actor))


@signed_in
@require_POST
def lift(request: HttpRequest, actor: Actor, stop: str) -> HttpResponse:
    """Lift a stop; of everything, ask a second person first."""
    shown = stop_for(actor, stop)
    with told(request):
        lifting = lift_stop(shown.public_id, actor=actor, reason=request.POST.get("reason", ""))
        if lifting.review is None:
            messages.success(request, f"The stop is lifted: {shown.title} goes on.")
        else:
            messages.info(
                request,
                "Another person with the security role is asked. When they have said yes, lift it"
                " here once more.",
            )
    return redirect("routing:stop", shown.public_id)


def _found(form: SubjectForm, actor: Actor) -> Subject | None:
    if not form.is_valid():
        return None
    try:
        return subject_for(actor, form.cleaned_data["scope"], form.cleaned_data["subject"])
    except NotFound as error:
        form.add_error("subject", sentence(error))
        return None


def _shown(shown: Stop, actor: Actor) -> dict[str, Any]:
    report: dict[str, Any] = shown.last_report or {}
    office = office_of(actor, subject_of(shown, actor))
    may_lift = bool(office) and not (office == "owner" and shown.placed_as != "owner")
    return {
        "stop": shown,
        "report": report,
        "paths": report.get("paths") or [],
        "may_prove": bool(office) and shown.is_in_force,
        "may_lift": may_lift and shown.is_in_force,
    }


def _review(actor: Actor, shown: Stop) -> Review | None:
    """Return the newest question about lifting it."""
    if shown.scope != Stop.Scope.FLEET or not shown.is_in_force:
        return None
    asked = reviews_for(actor).filter(kind=Review.Kind.STOP_LIFT, subject=str(shown.ref))
    return asked.order_by("-id").first()


def _capital(found: Subject) -> str:
    return found.title[:1].upper() + found.title[1:]
