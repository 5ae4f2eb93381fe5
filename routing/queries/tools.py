"""Which tools an agent was seen with, beside those it declares; and which runs work for which."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Max

from registry.actors import Actor
from registry.models import Agent
from routing.gateway.tools.declared import DeclaredTools
from routing.gateway.tools.naming import Tool, mcp_tool
from routing.models import Run, RunLink, ToolUse
from routing.queries.calls import runs_for

SHOWN: Final = 500
_SERVER: Final = "mcp__"


@dataclass(frozen=True, slots=True)
class SeenTool:
    """A tool and when an agent was last seen with it, to the day. Declared if it has an effect."""

    name: str
    effect: str | None
    offered_on: datetime | None = None
    called_on: datetime | None = None
    refused_on: datetime | None = None

    @property
    def is_declared(self) -> bool:
        return self.effect is not None


@dataclass(frozen=True, slots=True)
class Tools:
    """What an agent declares and what it was seen with."""

    seen: list[SeenTool]
    unused: list[dict[str, Any]]  # entries of the manifest that nothing seen fits
    declares: bool

    @property
    def undeclared(self) -> list[SeenTool]:
        return [tool for tool in self.seen if not tool.is_declared]


def tools_of(agent: Agent) -> Tools:
    """Return the tools of an agent, the undeclared first, then by name."""
    version = agent.current_version
    entries = list(version.manifest.get("spec", {}).get("tools", [])) if version else []
    declared = DeclaredTools(entries)
    last: dict[str, dict[str, datetime]] = {}
    rows = ToolUse.objects.filter(agent_id=agent.public_id).values("tool", "use")
    for row in rows.annotate(last=Max("day")).order_by("tool")[: 3 * SHOWN]:
        last.setdefault(row["tool"], {})[row["use"]] = row["last"]
    seen = [
        SeenTool(
            name, effect_of(declared, name), on.get("offered"), on.get("called"), on.get("refused")
        )
        for name, on in last.items()
    ]
    unused = [
        entry
        for entry in entries
        if not any(effect_of(DeclaredTools([entry]), tool.name) for tool in seen)
    ]
    ordered = sorted(seen, key=lambda tool: (tool.is_declared, tool.name))
    return Tools(ordered[:SHOWN], unused, bool(entries))


def effect_of(declared: DeclaredTools, label: str) -> str | None:
    """Return what is declared of a tool, known by its label alone."""
    found = declared.effect_of(Tool(label))
    if found is None and label.startswith(_SERVER):
        found = declared.effect_of(mcp_tool(label.removeprefix(_SERVER)))
    return found


@dataclass(frozen=True, slots=True)
class Linked:
    """A run that another works for, or that works for another."""

    run: Run
    delegation_id: str


def parents_of(actor: Actor, run: Run) -> list[Linked]:
    """Return the runs that a run works for, as far as this viewer may see them."""
    links = RunLink.objects.filter(child_run=run.run_id).order_by("id")[:50]
    return _linked(actor, {link.parent_run: link.delegation_id for link in links})


def children_of(actor: Actor, run: Run) -> list[Linked]:
    """Return the runs that work for a run, as far as this viewer may see them."""
    links = RunLink.objects.filter(parent_run=run.run_id).order_by("id")[:200]
    return _linked(actor, {link.child_run: link.delegation_id for link in links})


def _linked(actor: Actor, delegations: dict[str, str]) -> list[Linked]:
    if not delegations:
        return []
    runs = runs_for(actor).filter(run_id__in=list(delegations)).order_by("started_at", "run_id")
    return [Linked(run, delegations[run.run_id]) for run in runs]
