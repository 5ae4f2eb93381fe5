"""Being away: who decides in one's place, set and ended by oneself."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from approvals import actions as act
from approvals.forms import AbsenceForm
from approvals.standing_in import stood_in_by, upcoming_of
from kernel.errors import Conflict, Denied, Invalid
from registry.actors import Actor
from registry.models import Person
from registry.portal import sentence, signed_in, told


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def absences(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show one's absences, and take another."""
    person = _self(actor)
    if request.method != "POST":
        return _shown(request, person, AbsenceForm(person=person))
    form = AbsenceForm(request.POST, person=person)
    if not form.is_valid():
        return _shown(request, person, form, status=422)
    try:
        absence = act.set_absence(actor=actor, **form.cleaned_data)
    except (Invalid, Conflict) as error:
        field = str(error.facts.get("field", ""))
        form.add_error(field if field in form.fields else None, sentence(error))
        return _shown(request, person, form, status=error.status)
    messages.success(request, f"{absence.stand_in} decides in your place then.")
    return redirect("approvals:absences")


@signed_in
@require_POST
def end(request: HttpRequest, actor: Actor, absence: str) -> HttpResponse:
    """Come back sooner."""
    with told(request):
        act.end_absence(absence, actor=actor)
        messages.success(request, "Ended. Nobody decides in your place any more.")
    return redirect("approvals:absences")


def _self(actor: Actor) -> Person:
    if actor.person is None:
        raise Denied("Only a person is away.")
    return actor.person


def _shown(
    request: HttpRequest, person: Person, form: AbsenceForm, *, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "mine": list(upcoming_of(person)[:50]),
        "others": list(stood_in_by(person)[:50]),
    }
    return render(request, "approvals/absences.html", context, status=status)
