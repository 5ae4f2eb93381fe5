"""Steps for the incidents chosen in the admin's list: a page that says what would happen first."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from fleet.health.actions.together import MOST, STEPS, Wish, carry_out, foresee, require_usable
from kernel.admin import BulkAction, offer_in_bulk
from kernel.errors import DomainError
from registry.actors import Actor
from registry.authentication import actor_of
from registry.models import Person
from registry.portal import sentence
from registry.queries import visible_person

OF: Final = "health.incident"


def _choosing(step: str) -> BulkAction:
    def choose(model_admin: Any, request: HttpRequest, rows: Any) -> HttpResponse | None:
        actor = actor_of(request)
        chosen = list(rows.select_related("owner", "team", "acknowledged_by")[: MOST + 1])
        wish, refusal, status = Wish(step), "", 200
        if request.POST.get("sure") == "yes":
            why = request.POST.get("why", "").replace("\0", "").strip()[:300]
            try:
                wish = Wish(step, why, _whom(request, actor))
                require_usable(wish, len(chosen))
            except DomainError as error:
                refusal, status = sentence(error), 422
            else:
                _say(request, [each.why_not for each in carry_out(chosen, wish, actor=actor)])
                return None
        elif len(chosen) > MOST:
            messages.error(request, f"Choose 1 to {MOST} incidents.")
            return None
        lines = foresee(chosen[:MOST], wish, actor=actor)
        count = sum(not each.why_not for each in lines)
        context = model_admin.admin_site.each_context(request) | {
            "title": f"{STEPS[step].title} {count}", "opts": model_admin.model._meta, "do": step,
            "step": STEPS[step], "lines": lines, "count": count, "refusal": refusal,
            "why": request.POST.get("why", "")[:300], "whom": request.POST.get("whom", "")[:254],
            "back": reverse("admin:health_incident_changelist"),
        }  # fmt: skip
        return TemplateResponse(request, "health/admin_together.html", context, status=status)

    return choose


def _whom(request: HttpRequest, actor: Actor) -> Person | None:
    said = request.POST.get("whom", "").strip()[:254]
    return visible_person(actor, said) if said else None


def _say(request: HttpRequest, refusals: list[str]) -> None:
    refused = [why for why in refusals if why]
    if len(refusals) > len(refused):
        done = len(refusals) - len(refused)
        messages.success(request, f"Done for {done} of {len(refusals)}, and on the record.")
    for why in dict.fromkeys(refused):
        messages.error(request, f"Not done for {refused.count(why)}: {why}")


for _name, _step in STEPS.items():
    offer_in_bulk(OF, f"incident_{_name}", f"{_step.title} …", _choosing(_name))
