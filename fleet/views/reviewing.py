"""Asking for an agent: that it may run, that a new version may take effect, that it goes live."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from approvals.actions import request_promotion, submit_agent
from registry.actors import Actor
from registry.portal import signed_in, told

_ASKED = "Asked. Somebody with the security role decides; you see the answer here."


@signed_in
@require_POST
def submit(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Hand the version that waits to the reviewers."""
    with told(request):
        said = request.POST.get("justification", "")
        submit_agent(name, actor=actor, justification=said, demands_reason=True)
        messages.success(request, _ASKED)
    return redirect("registry:agent", name)


@signed_in
@require_POST
def promote(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Ask that the agent may act without a person behind each action."""
    with told(request):
        request_promotion(name, actor=actor, justification=request.POST.get("justification", ""))
        messages.success(request, _ASKED)
    return redirect("registry:agent", name)
