"""The tools of an agent: declared beside seen, and the version that would declare them."""

from __future__ import annotations

import copy
import re
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from fleet.views.frame import agent_page
from registry.actions.agents import propose_version
from registry.actors import Actor
from registry.manifest.reading import manifest_of
from registry.manifest.semver import SemVer
from registry.models import Agent
from registry.portal import signed_in, told
from registry.queries import agent_for, agent_inside_for, proposed_version, shown_version
from routing.queries.tools import tools_of

_declarable = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}").fullmatch
_SERVER: Final = re.compile(r"mcp__([A-Za-z0-9][A-Za-z0-9._-]*?)")
MOST: Final = 200


@signed_in
@require_GET
def tools(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Show which tools an agent declares and which it was seen with."""
    agent = agent_inside_for(actor, name)
    found = tools_of(agent)
    context = {
        "tools": found,
        "waiting": proposed_version(agent),
        "may_propose": bool(_entries(found.undeclared)) and agent.stage not in _FIXED,
    }
    return agent_page(request, actor, agent, "tools", context)


@signed_in
@require_POST
def declare(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Propose a version that declares every tool the agent's program has offered."""
    agent = agent_for(actor, name)
    with told(request):
        agent_inside_for(actor, name)
        document: dict[str, Any] = copy.deepcopy(shown_version(agent).manifest)
        listed = document["spec"].setdefault("tools", [])
        listed += _entries(tools_of(agent).undeclared)[: MOST - len(listed)]
        document["spec"]["version"] = _next(document["spec"]["version"])
        done = propose_version(agent.name, manifest_of(document), actor=actor, source="form")
        messages.success(
            request,
            f"Version {done.version.version} declares them. Say what each does (effect) before you"
            " submit it for review.",
        )
    return redirect("registry:agent-versions", agent.name)


_FIXED: Final = (Agent.Stage.IN_REVIEW, Agent.Stage.RETIRED)


def _entries(seen: list[Any]) -> list[dict[str, str]]:
    """Return the manifest's entries for tools; what no manifest may name is left out."""
    found: list[dict[str, str]] = []
    for tool in seen:
        if tool.offered_on is None:
            continue  # only a model has named it: nobody's program has such a tool
        if server := _SERVER.fullmatch(tool.name):
            found.append({"mcp": server[1]} if "__" not in server[1] else {"name": tool.name})
        elif _declarable(tool.name) and not tool.name.startswith("unreadable-"):
            found.append({"name": tool.name})
    return found


def _next(version: str) -> str:
    parsed = SemVer.parse(version)
    numbers = parsed.numbers if parsed is not None else (0, 0, 0)
    return f"{numbers[0]}.{numbers[1]}.{numbers[2] + 1}"
