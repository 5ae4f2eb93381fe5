"""What was ruled about the tools of one call, and the refusals that follow from it.

Owns the two refusals: of a request that offers what is not declared, and of an answer that
calls what was not offered. Both name the tool and the place to declare it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from kernel.errors import Denied
from routing.gateway.tools.declared import DeclaredTools, SharedTools
from routing.gateway.tools.naming import Tool, mcp_label
from routing.gateway.tools.offered import NONE, Offered

ALLOW: Final = "allow"
STRIP: Final = "strip"
BLOCK: Final = "block"
MODES: Final = (ALLOW, STRIP, BLOCK)
NAMES_KEPT: Final = 20  # in a fact or a sentence
# The vendor's names for what one of its tools does inside of another.
_INSIDE: Final = {
    "bash_code_execution": "code_execution",
    "text_editor_code_execution": "code_execution",
}


class ToolNotDeclared(Denied):
    """Raised when a call offers a tool that the agent's manifest does not name."""

    code = "routing.tool_not_declared"
    title = "The call offers a tool that the agent does not declare"


class ToolBlocked(Denied):
    """Raised instead of an answer that calls a tool which was not offered or not allowed."""

    code = "routing.tool_blocked"
    title = "The model called a tool that this agent may not use"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What policy said about one call's tools."""

    mode: str
    offered: Offered = NONE
    undeclared: tuple[str, ...] = ()
    stripped: tuple[str, ...] = ()
    permitted: frozenset[str] = field(default_factory=frozenset)
    # Of an answer that is asked for later, when nobody knows any more what was offered.
    instead: DeclaredTools | SharedTools | None = None

    @property
    def governs(self) -> bool:
        """Whether an answer may call only what was offered."""
        return self.mode != ALLOW

    def lets(self, call: Tool) -> bool:
        """Tell whether a call may reach the agent."""
        if not self.governs:
            return True
        if self.instead is not None:
            return self.instead.effect_of(call) is not None
        if call.server:
            return call.label in self.permitted or mcp_label(call.server) in self.permitted
        return any(
            name in self.permitted or _INSIDE.get(name) in self.permitted for name in call.names
        )


def blocked(names: Iterable[str]) -> ToolBlocked:
    """Return the refusal of an answer that calls these tools."""
    told = listed(names)
    return ToolBlocked(
        f"The model called {told}, which this call did not offer or this agent may not use, so"
        " the answer was withheld. A tool is allowed once spec.tools of the agent's manifest"
        " declares it and the call offers it.",
        tools=told,
    )


def listed(names: Iterable[str]) -> str:
    """Return names as a sentence holds them."""
    unique = list(dict.fromkeys(names))
    rest = len(unique) - 5
    return ", ".join(unique[:5]) + (f" and {rest} more" if rest > 0 else "")


def note(names: Iterable[str]) -> str:
    """Return the text that stands where calls were removed and nothing else is left."""
    return f"[A call of {listed(names)} was removed: this agent may not use it.]"
