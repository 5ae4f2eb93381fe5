"""Asking policy about the tools that one call offers.

Owns the facts: names and effects, sorted, each once, so that a question asked again has been
answered already. A call without tools, of an agent that declares none, on a route that says
nothing about tools, is no question at all.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from kernel.errors import Denied
from ledger.entries import Fact
from policy.decision import TOOLS, Decision
from routing.gateway.body import CallBody
from routing.gateway.decide import Decider
from routing.gateway.snapshot import Agent, Route
from routing.gateway.tools.declared import DeclaredTools
from routing.gateway.tools.naming import Tool
from routing.gateway.tools.offered import (
    NONE,
    Offered,
    OfferedTools,
    forced_by,
    offers_any,
    stripped,
)
from routing.gateway.tools.ruling import NAMES_KEPT, STRIP, Ruling, ToolNotDeclared, listed
from routing.gateway.tools.stage import is_read

_COMPARED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Compared:
    """What a call offers, held against what the agent declares and was delegated."""

    declared: dict[str, list[str]]  # by effect
    undeclared: tuple[str, ...]
    undelegated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """Policy's decision, and what it was made from."""

    decision: Decision
    offered: Offered
    compared: Compared

    def ruling(self) -> Ruling:
        """Return what holds for the call. Only when it is allowed."""
        constraints = self.decision.constraints
        gone = constraints["strip"]
        assert isinstance(gone, list)  # noqa: S101  `policy.decision` has looked
        left = [tool for tool in self.offered.tools if tool.label not in gone]
        return Ruling(
            mode=str(constraints["mode"]),
            offered=self.offered,
            undeclared=self.compared.undeclared,
            stripped=tuple(gone),
            permitted=frozenset(name for tool in left for name in tool.names),
        )

    def refusal(self, entry: str) -> Denied:
        """Return the refusal of a call that is not allowed."""
        names = [*self.compared.undelegated, *self.compared.undeclared]
        facts = {"rule": self.decision.rule, "entry": entry, "param": "tools"}
        return ToolNotDeclared(self.decision.reason, tools=listed(names), **facts)


class ToolDesk:
    """Asks about tools; remembers comparisons, as the decider remembers answers."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._offered = OfferedTools()
        self._compared: OrderedDict[tuple[object, ...], Compared] = OrderedDict()

    async def ask(
        self,
        operation: str,
        body: CallBody,
        agent: Agent,
        route: Route,
        delegated: DeclaredTools | None = None,
    ) -> Asked | None:
        """Return policy's decision; None when nothing is to be decided. Raises: ToolsUnreadable."""
        if not offers_any(body):
            if not is_read(operation) or not (agent.tools or route.options.tools or delegated):
                return None
            offered = NONE
        else:
            offered = self._offered.read(operation, body)
        compared = self._compare(offered, agent.tools, delegated)
        facts: dict[str, object] = {
            "question": TOOLS,
            "agent": {"name": agent.name, "stage": agent.stage},
            "route": {"name": route.name, "tools": route.options.tools},
            "tools": {
                "declares": bool(agent.tools),
                "declared": compared.declared,
                "undeclared": list(compared.undeclared),
                "undelegated": list(compared.undelegated),
            },
        }
        return Asked(await self._decider.decide(facts), offered, compared)

    def _compare(
        self, offered: Offered, declared: DeclaredTools, delegated: DeclaredTools | None
    ) -> Compared:
        key = (offered.digest, declared, delegated)
        known = self._compared.get(key)
        if known is None:
            known = self._compared[key] = compare(offered.tools, declared, delegated)
            if len(self._compared) > _COMPARED:
                self._compared.popitem(last=False)
        return known


def compare(
    offered: list[Tool], declared: DeclaredTools, delegated: DeclaredTools | None
) -> Compared:
    """Sort tools by what is declared of them."""
    by_effect: dict[str, set[str]] = {}
    undeclared, undelegated = set(), set()
    for tool in offered:
        effect = declared.effect_of(tool)
        if effect is None:
            undeclared.add(tool.label)
        else:
            by_effect.setdefault(effect, set()).add(tool.label)
        if delegated is not None and delegated.effect_of(tool) is None:
            undelegated.add(tool.label)
    return Compared(
        {effect: sorted(names) for effect, names in sorted(by_effect.items())},
        tuple(sorted(undeclared)),
        tuple(sorted(undelegated)),
    )


def without_stripped(body: CallBody, ruling: Ruling) -> bytes | None:
    """Return the request without what was stripped; None when nothing was.

    Raises: ToolNotDeclared, when the request insists on a tool that is gone.
    """
    if ruling.mode != STRIP or not ruling.stripped:
        return None
    forced = forced_by(body)
    gone = (
        ruling.stripped if forced is None else [name for name in forced if name in ruling.stripped]
    )
    if forced is None and ruling.permitted:
        gone = []
    if gone:
        raise ToolNotDeclared(
            f"tool_choice insists on {listed(gone)}, which this agent does not declare and this"
            " route takes out of calls. Add it to spec.tools of the agent's manifest and propose"
            " that as a new version, or leave it out of the call.",
            param="tool_choice",
            tools=listed(gone),
        )
    return stripped(body, ruling.offered, ruling.stripped)


def offered_facts(ruling: Ruling | None) -> dict[str, Fact]:
    """Say what a call offered: how many tools, which list, and what was out of order."""
    if ruling is None or not ruling.offered.elements:
        return {}
    facts: dict[str, Fact] = {
        "tools_offered": len(ruling.offered.tools),
        "tools_digest": ruling.offered.digest,
        "tools_mode": ruling.mode,
    }
    if ruling.undeclared:
        facts["tools_undeclared"] = list(ruling.undeclared[:NAMES_KEPT])
    if ruling.stripped:
        facts["tools_stripped"] = list(ruling.stripped[:NAMES_KEPT])
    if hosts := sorted({tool.url for tool in ruling.offered.tools if tool.url})[:NAMES_KEPT]:
        facts["tools_servers"] = [_host(url) for url in hosts]
    return facts


def _host(url: str) -> str:
    """Return where a server is, without what its address could carry."""
    rest = url.partition("://")[2] or url
    host = rest.partition("/")[0].rpartition("@")[2]
    return "".join(filter(str.isprintable, host[:200]))
