"""What every page about one agent has around it: head, tabs, the one next step, rights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from fleet.queries.progress import Progress, progress_of
from registry.actors import Actor
from registry.models import Agent, Role
from registry.queries import answers_for, sees_inside
from routing.queries.stops import stops_on_agent

_TABS: Final = (
    ("agent", "Overview"),
    ("agent-connect", "Connect"),
    ("agent-keys", "Keys"),
    ("agent-versions", "Versions"),
    ("agent-tools", "Tools"),
    ("agent-launch", "Launch"),
    ("agent-conformance", "Conformance"),
    ("agent-worth", "Worth"),
    ("agent-calls", "Calls"),
    ("agent-golden", "Golden cases"),
    ("agent-history", "History"),
    ("agent-end", "Stop and retire"),
)
_INSIDE: Final = {
    "agent-keys",
    "agent-tools",
    "agent-launch",
    "agent-conformance",
    "agent-worth",
    "agent-calls",
    "agent-golden",
    "agent-history",
}


@dataclass(frozen=True, slots=True)
class Rights:
    """What the viewer may do with one agent; the actions ask again."""

    answers: bool  # changes it, issues keys
    stops: bool  # suspends and kills it
    sees_inside: bool

    @classmethod
    def of(cls, actor: Actor, agent: Agent) -> Rights:
        answers = answers_for(actor, agent)
        return cls(answers, answers or actor.has(Role.SECURITY), sees_inside(actor, agent))


def agent_page(
    request: HttpRequest,
    actor: Actor,
    agent: Agent,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """Render a page about an agent; the template's name is the tab's."""
    rights = Rights.of(actor, agent)
    progress = progress_of(agent)
    frame = {
        "agent": agent,
        "rights": rights,
        "progress": progress,
        "next_step": _next_step(agent, progress, rights),
        "tabs": _tabs(agent, rights, template),
        "stops": stops_on_agent(agent),
    }
    return render(request, f"fleet/agent/{template}.html", frame | (context or {}), status=status)


def _tabs(agent: Agent, rights: Rights, template: str) -> list[dict[str, Any]]:
    shown = []
    for name, label in _TABS:
        if name in _INSIDE and not rights.sees_inside:
            continue
        if name == "agent-end" and not rights.stops:
            continue
        is_current = name == ("agent" if template == "overview" else f"agent-{template}")
        url = reverse(f"registry:{name}", args=[agent.name])
        shown.append({"label": label, "url": url, "is_current": is_current})
    return shown


def _next_step(agent: Agent, progress: Progress, rights: Rights) -> dict[str, str] | None:
    """Return the one primary action, for whoever may take it."""
    if progress.next == "review":
        if progress.review is None or not rights.sees_inside:
            return None
        url = reverse("approvals:review", args=[progress.review.public_id])
        return {"label": "See the review", "url": url, "icon": "clipboard-check"}
    if not (rights.answers and progress.next):
        return None
    name, label, icon, anchor = {
        "submit": ("agent", "Submit for review", "send", "#submit"),
        "key": ("agent-keys", "Issue a key", "key-round", "#issue"),
        "call": ("agent-connect", "Make the first call", "terminal", ""),
    }[progress.next]
    return {
        "label": label,
        "url": reverse(f"registry:{name}", args=[agent.name]) + anchor,
        "icon": icon,
    }
