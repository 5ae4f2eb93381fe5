"""Buttons of the admin: each asks back on a page of its own, then calls an action.

The action decides whether the step is possible and records it; a button is only the way
there. Pressing it changes nothing, sending the page's form does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant

from kernel.errors import DomainError
from registry.actors import Actor
from registry.authentication import actor_of
from registry.portal import sentence


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that can be done to a row, and what will happen."""

    name: str
    title: str
    what: str
    take: Callable[[Any, Actor, str], object]
    icon: str = ""
    is_dangerous: bool = False
    asks_why: bool = True  # where the record has a place for the answer


def button(step: Step) -> Any:
    """Return a method of a model's admin that asks why and takes the step."""

    def ask(self: Any, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        options = self.model._meta
        back = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[object_id])
        reason = request.POST.get("reason", "").strip()
        refusal = ""
        if request.method == "POST":
            refusal = _taken(step, row, actor_of(request), reason)
            if not refusal:
                messages.success(request, f"{step.title}: done, and on the record.")
                return redirect(back)
        context = self.admin_site.each_context(request) | {
            "title": f"{step.title}: {row}",
            "opts": options,
            "step": step,
            "row": row,
            "back": back,
            "reason": reason,
            "refusal": refusal,
        }
        status = 422 if refusal else 200
        return TemplateResponse(request, "registry/admin_step.html", context, status=status)

    ask.__name__ = step.name
    variant = ActionVariant.DANGER if step.is_dangerous else ActionVariant.DEFAULT
    return action(description=step.title, url_path=step.name, icon=step.icon, variant=variant)(ask)


def _taken(step: Step, row: Any, actor: Actor, reason: str) -> str:
    """Take the step and return why it was refused; an empty text when it was done."""
    if step.asks_why and not reason:
        return "Others will ask; give a reason in a sentence."
    try:
        step.take(row, actor, reason)
    except DomainError as error:
        return sentence(error)
    return ""
