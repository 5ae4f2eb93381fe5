"""Asking for an agent: that it may run, that a new version may take effect, that it goes live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from approvals.actions import request_promotion, submit_agent
from fleet.views.launch import launch_of
from fleet.views.overview import overview_of
from kernel.errors import Invalid
from registry.actors import Actor
from registry.models import Agent
from registry.portal import sentence, signed_in, told
from registry.queries import agent_for

_ASKED = "Asked. Somebody with the security role decides; you see the answer here."


@signed_in
@require_POST
def submit(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Hand the version that waits to the reviewers."""

    def ask(said: str) -> object:
        return submit_agent(name, actor=actor, justification=said, demands_reason=True)

    return _asked(request, actor, name, ask)


@signed_in
@require_POST
def promote(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Ask that the agent may act without a person behind each action."""
    exception = request.POST.get("exception", "")
    is_there = request.POST.get("from") == "launch"

    def ask(said: str) -> object:
        return request_promotion(name, actor=actor, justification=said, exception=exception)

    def again(agent: Agent, status: int, given: dict[str, Any]) -> HttpResponse:
        if is_there or "missing" in given:
            return launch_of(request, actor, agent, status=status, exception=exception, **given)
        return overview_of(request, actor, agent, status=status, **given)

    return _asked(request, actor, name, ask, again)


def _asked(
    request: HttpRequest,
    actor: Actor,
    name: str,
    ask: Callable[[str], object],
    again: Callable[[Agent, int, dict[str, Any]], HttpResponse] | None = None,
) -> HttpResponse:
    said = request.POST.get("justification", "")
    agent = agent_for(actor, name)
    with told(request):
        try:
            ask(said)
        except Invalid as error:
            # The words that were refused stay in the box they were written in.
            given: dict[str, Any] = {"justification": said, "refusal": sentence(error)}
            if again is not None:
                missing = {key: error.facts[key] for key in ("missing",) if key in error.facts}
                return again(agent, error.status, given | missing)
            return overview_of(request, actor, agent, status=error.status, **given)
        messages.success(request, _ASKED)
    return redirect("registry:agent", agent.name)
