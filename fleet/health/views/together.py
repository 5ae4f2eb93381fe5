"""Acting on several incidents of the list: a page that says what would happen, then it is done."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from fleet.health.actions.together import MOST, STEPS, Wish, carry_out, foresee, require_usable
from fleet.health.models import Incident
from fleet.health.queries.incidents import incidents_for
from kernel.errors import DomainError
from registry.actors import Actor
from registry.models import Person
from registry.portal import sentence, signed_in
from registry.queries import visible_person

LONGEST_WHY = 300


@signed_in
@require_POST
def together(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show what would become of several incidents, then do it."""
    step, rows = request.POST.get("do", ""), _marked(request, actor)
    back = redirect("health:incidents")
    if step not in STEPS or not rows:
        messages.error(request, "Mark at least one incident, and say what to do with it.")
        return back
    if request.POST.get("sure") != "yes":
        return _preview(request, actor, rows, Wish(step))
    why = request.POST.get("why", "").replace("\0", "").strip()[:LONGEST_WHY]
    try:
        wish = Wish(step, why, _whom(request, actor))
        require_usable(wish, len(rows))
    except DomainError as error:
        return _preview(request, actor, rows, Wish(step, why), refusal=sentence(error))
    done = carry_out(rows, wish, actor=actor)
    say_done(request, [each.why_not for each in done])
    return back


def say_done(request: HttpRequest, refusals: list[str]) -> None:
    """Say how many of several it was done to, and why not to the others."""
    refused = [why for why in refusals if why]
    count = len(refusals) - len(refused)
    if count:
        messages.success(request, f"Done for {count} of {len(refusals)}.")
    for why in dict.fromkeys(refused):
        messages.error(request, f"Not done for {refused.count(why)}: {why}")


def _marked(request: HttpRequest, actor: Actor) -> list[Incident]:
    said = [*request.POST.getlist("incident"), *request.POST.get("incidents", "").split(",")]
    wanted = [each for each in said if each and "\0" not in each][:MOST]
    return list(incidents_for(actor).filter(public_id__in=wanted).order_by("-opened_at", "-pk"))


def _whom(request: HttpRequest, actor: Actor) -> Person | None:
    said = request.POST.get("whom", "").strip()[:254]
    return visible_person(actor, said) if said else None


def _preview(
    request: HttpRequest, actor: Actor, rows: list[Incident], wish: Wish, *, refusal: str = ""
) -> HttpResponse:
    lines = foresee(rows, wish, actor=actor)
    taken = [each.incident.public_id for each in lines if not each.why_not]
    context: dict[str, Any] = {
        "do": wish.step, "step": STEPS[wish.step], "lines": lines, "count": len(taken),
        "incidents": ",".join(taken), "refusal": refusal, "why": wish.why,
        "whom": request.POST.get("whom", "")[:254], "longest": LONGEST_WHY,
    }  # fmt: skip
    status = 422 if refusal else 200
    return render(request, "health/together.html", context, status=status)
