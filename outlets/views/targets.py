"""The pages of targets: where copies of the record go, and what goes there by the clock."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from kernel.errors import Conflict, Invalid
from kernel.pages import cut
from outlets.actions.targets import (
    add_schedule,
    add_target,
    end_schedule,
    remove_target,
)
from outlets.forms.targets import ScheduleForm, TargetForm
from outlets.queries.exports import exports_for
from outlets.queries.targets import schedule_for, schedules_for, target_for, targets_for
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in, told

MAY_SCHEDULE = (Role.SECURITY, Role.PLATFORM)


@signed_in
@require_GET
def targets(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the targets with what is sent there by the clock."""
    page = cut(request, targets_for(actor), ordering="-added_at")
    schedules = list(schedules_for(actor).filter(target__in=list(page)).order_by("added_at"))
    rows = [(target, [s for s in schedules if s.target_id == target.pk]) for target in page]
    context = {"page": page, "rows": rows, "may_add": actor.has(Role.PLATFORM)}
    return render(request, "outlets/targets.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Add a target."""
    actor.require(Role.PLATFORM)
    form = TargetForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            added = add_target(form.wanted(), actor=actor)
        except (Invalid, Conflict) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, f"Copies may go to {added.name} from now on.")
            return redirect("outlets:target", added.public_id)
    status = 422 if form.errors else 200
    return render(request, "outlets/target_new.html", {"form": form}, status=status)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def target(request: HttpRequest, actor: Actor, target: str) -> HttpResponseBase:
    """Show one target; what is posted here is a schedule."""
    shown = target_for(actor, target)
    form = ScheduleForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        actor.require(*MAY_SCHEDULE)
    if request.method == "POST" and form.is_valid():
        try:
            added = add_schedule(shown, actor=actor, **form.cleaned_data)
        except (Invalid, Conflict) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, f"A copy goes out now, and then every {added.every}.")
            return redirect("outlets:target", target)
    context = {
        "target": shown,
        "schedules": list(schedules_for(actor).filter(target=shown).order_by("added_at")[:50]),
        "copies": list(exports_for(actor).filter(target=shown).order_by("-asked_at")[:10]),
        "form": form,
        "may_schedule": actor.has(*MAY_SCHEDULE),
        "may_remove": actor.has(Role.PLATFORM),
    }
    status = 422 if form.errors else 200
    return render(request, "outlets/target.html", context, status=status)


@signed_in
@require_POST
def remove(request: HttpRequest, actor: Actor, target: str) -> HttpResponse:
    """Send nothing there any more."""
    found = target_for(actor, target)
    with told(request):
        remove_target(found, actor=actor)
        messages.success(request, f"Nothing goes to {found.name} any more.")
        return redirect("outlets:targets")
    return redirect("outlets:target", target)


@signed_in
@require_POST
def end(request: HttpRequest, actor: Actor, schedule: str) -> HttpResponse:
    """Send no further copies by this schedule."""
    found = schedule_for(actor, schedule)
    end_schedule(found, actor=actor)
    messages.success(request, "No further copies go out by this schedule.")
    return redirect("outlets:target", found.target.public_id)
