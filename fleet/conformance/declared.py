"""The declared steps of one version: which of them leave a trace, and what may be one of them.

What a step may be is read from the manifest alone: its name, its kind, and the aliases and
tools it uses. A deterministic step that uses nothing leaves a trace only where its agent
reports it, so passing it over is no deviation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fleet.conformance.aligning import Step
from kernel.canonical import digest

MODEL: Final = "model"
_TOOLS: Final = frozenset({"tool", "action"})


@dataclass(frozen=True, slots=True)
class DeclaredStep:
    """One step of a manifest, with its ``uses`` told apart."""

    name: str
    kind: str
    aliases: frozenset[str]
    tools: tuple[str, ...]
    description: str = ""

    @property
    def is_required(self) -> bool:
        return self.kind == MODEL or bool(self.tools)

    def may_be(self, event: str) -> bool:
        """Say whether what was seen may be this step."""
        kind, _, name = event.partition(":")
        if kind == MODEL:
            if self.kind != MODEL:
                return False
            return name in (self.aliases or {name}) or name == self.name
        if name == self.name:
            return True
        if kind not in _TOOLS:
            return False
        return any(_is_like(name, pattern) for pattern in self.tools)


@dataclass(frozen=True, slots=True)
class Process:
    """What one version declares: its steps, and by which routes its models are called."""

    version: str = ""
    steps: tuple[DeclaredStep, ...] = ()
    alias_of: Mapping[str, str] = field(default_factory=dict)
    stated: tuple[Mapping[str, Any], ...] = ()  # the steps as the manifest has them

    @property
    def digest(self) -> str:
        return digest([dict(step) for step in self.stated]) if self.stated else ""

    @property
    def asked(self) -> list[Step]:
        return [Step(step.name, step.is_required) for step in self.steps]

    def fits(self, event: str, at: int) -> bool:
        return self.steps[at].may_be(event)

    def alias(self, route: str) -> str:
        """Return the agent's own name for a route; the route where it has none."""
        return self.alias_of.get(route, route)


def process_of(
    version: str, steps: Iterable[Mapping[str, Any]] | None,
    models: Iterable[Mapping[str, Any]] | None, tools: Iterable[Mapping[str, Any]] | None,
) -> Process:  # fmt: skip
    """Read the process that a version's manifest declares."""
    alias_of: dict[str, str] = {}
    for model in models or ():
        for route in (model.get("route") or model.get("pin") or "", *model.get("fallback", ())):
            alias_of.setdefault(route, model["alias"])
    named = {str(tool.get("name") or tool.get("mcp")) for tool in tools or ()}
    stated = tuple(steps or ())
    read = tuple(_step(step, frozenset(alias_of.values()), named) for step in stated)
    return Process(version, read, alias_of, stated)


def _step(step: Mapping[str, Any], aliases: frozenset[str], tools: set[str]) -> DeclaredStep:
    uses = list(step.get("uses", ()))
    return DeclaredStep(
        name=step["name"],
        kind=step["kind"],
        aliases=aliases & frozenset(uses) if step["kind"] == MODEL else frozenset(),
        tools=tuple(name for name in uses if name in tools),
        description=step.get("description", ""),
    )


def _is_like(name: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    # An MCP server's tools, and a connection's operations, begin with its name.
    return name == pattern or name.startswith((f"mcp__{pattern}__", f"{pattern}."))
