"""Stopping an agent: what each step would do, said beforehand, and taking it.

Every step is an action of the registry with a reason; those that cannot be undone by the
same person also ask for the agent's name to be typed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from fleet.retiring.actions.planning import Plan, plan_retirement, retire_now
from fleet.retiring.queries.retirements import may_plan, standing_of
from fleet.views.frame import Rights, agent_page
from kernel import clock
from registry.actions import agents as act
from registry.actors import Actor
from registry.models import Agent, Role
from registry.portal import signed_in, told
from registry.queries import agent_for, keys_of
from routing.actions.containing import contain
from routing.containment.paths import OPEN
from routing.queries.stops import subject_for

Stage = Agent.Stage
_RUNNING: Final = (Stage.SOFT_LAUNCH, Stage.LIVE)


def _removed(name: str, *, actor: Actor, reason: str) -> None:
    act.remove_draft(name, actor=actor)


def _announce(name: str, *, actor: Actor, reason: str) -> None:
    plan_retirement(name, Plan(), actor=actor, reason=reason)


@dataclass(frozen=True, slots=True)
class Step:
    """One way to stop, or to go on: what happens is told before it is done."""

    name: str
    title: str
    what: str
    icon: str
    done: str
    action: Callable[..., Any]
    is_final: bool = False  # asks for the typed name
    reason: str | bool = True
    tone: str = "primary"


STEPS: Final = {
    step.name: step
    for step in (
        Step(
            "resume", "Resume",
            "Its calls are let through again. Keys that still work go on working; a killed agent"
            " comes back without keys.",
            "play", "is running again.", act.resume_agent, reason="optional",
        ),
        Step(
            "suspend", "Suspend",
            "Every call is refused within a second, open streams are cut. Stage, versions and keys"
            " stay as they are; resume it at any time.",
            "pause", "is suspended.", act.suspend_agent, tone="error",
        ),
        Step(
            "deprecate", "Deprecate",
            "It goes on working, keys and all. Every answer to it says that its end comes, and"
            " those who depend on it are warned.",
            "archive", "is deprecated. It still works.", _announce,
        ),
        Step(
            "retire", "Retire for good",
            "Every key is revoked and every call refused at once. Its name, versions and history"
            " stay on the record. Two people may bring it back within 30 days, without keys.",
            "power", "is retired.", retire_now, is_final=True, tone="error",
        ),
        Step(
            "kill", "Kill",
            "For emergencies: every key is revoked and every call refused at once, open streams are"
            " cut. Only platform or security bring it back, without keys.",
            "octagon-x", "is killed.", act.kill_agent, is_final=True, tone="error",
        ),
        Step(
            "remove", "Remove the draft",
            "The draft leaves the inventory and its name is free again. That it was there stays on"
            " the record.",
            "trash-2", "is removed.", _removed, is_final=True, reason=False, tone="error",
        ),
    )
}  # fmt: skip


def _tell_whether_contained(request: HttpRequest, agent: Agent, actor: Actor) -> None:
    found = contain(subject_for(actor, "agent", agent.public_id), actor=actor)
    if found.is_contained:
        messages.success(request, f"It is contained: proven in {found.milliseconds} ms.")
        return
    for each in found.of(OPEN):
        messages.error(request, f"NOT contained. {each.path}: {each.detail} {each.advice}")


@signed_in
@require_GET
def end(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Say what can be stopped, and what would happen."""
    agent = agent_for(actor, name)
    now = clock.now()
    works = keys_of(agent).filter(revoked_at__isnull=True, expires_at__gt=now)
    context = {
        "steps": possible(actor, agent),
        "working_keys": works.count(),
        "retirement": standing_of(agent),
        "may_plan": may_plan(actor, agent) and agent.stage in (*_RUNNING, Stage.DEPRECATED),
    }
    return agent_page(request, actor, agent, "end", context)


@signed_in
@require_POST
def take(request: HttpRequest, actor: Actor, name: str, step: str) -> HttpResponse:
    """Take a step."""
    chosen = STEPS.get(step)
    if chosen is None:
        raise Http404
    agent = agent_for(actor, name)
    if chosen.is_final and request.POST.get("typed", "").strip() != agent.name:
        messages.error(request, f"Nothing was done: type {agent.name} to confirm.")
        return redirect("registry:agent-end", agent.name)
    with told(request):
        chosen.action(agent.name, actor=actor, reason=request.POST.get("reason", ""))
        messages.success(request, f"{agent.title} {chosen.done}")
        if chosen.name == "kill":
            _tell_whether_contained(request, agent, actor)
        if chosen.name == "remove":
            return redirect("registry:agents")
        return redirect("registry:agent", agent.name)
    return redirect("registry:agent-end", agent.name)


def possible(actor: Actor, agent: Agent) -> list[Step]:
    """Return the steps that the agent's state and the viewer's rights leave open."""
    rights = Rights.of(actor, agent)
    owns = actor.is_person(agent.owner) or actor.has(Role.PLATFORM)
    governs = actor.has(Role.PLATFORM, Role.SECURITY)
    is_own = agent.suspended_by == str(actor.ref) and agent.killed_at is None
    is_over = agent.stage == Stage.RETIRED
    open_steps = {
        "resume": rights.stops and agent.is_suspended and not is_over and (governs or is_own),
        "suspend": rights.stops and not agent.is_suspended and not is_over,
        "deprecate": owns and agent.stage in _RUNNING,
        "retire": owns and agent.stage in (*_RUNNING, Stage.DEPRECATED),
        "kill": rights.stops and agent.killed_at is None and not is_over,
        "remove": rights.answers and agent.stage == Stage.DRAFT,
    }
    return [step for name, step in STEPS.items() if open_steps[name]]
