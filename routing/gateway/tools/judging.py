"""Asking policy about the tools that one call offers, before anything of it leaves.

Owns the facts: names and effects, sorted, each once, so that a question asked again has been
answered already. A call without tools, of an agent that declares none, on a route that says
nothing about tools, is no question at all.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from kernel.errors import Denied
from ledger.entries import Fact
from policy.decision import TOOLS, Decision
from routing.gateway.body import CallBody
from routing.gateway.decide import Decider
from routing.gateway.errors import Undecided
from routing.gateway.recording.facts import decided_facts
from routing.gateway.relay import Asked, Withheld
from routing.gateway.snapshot import Agent, Route
from routing.gateway.tools.declared import DeclaredTools, SharedTools
from routing.gateway.tools.naming import Tool
from routing.gateway.tools.offered import (
    Offered,
    OfferedTools,
    ToolsUnreadable,
    forced_by,
    offers_any,
    stripped,
)
from routing.gateway.tools.ruling import (
    ALLOW,
    BLOCK,
    NAMES_KEPT,
    STRIP,
    Ruling,
    ToolNotDeclared,
    listed,
)
from routing.gateway.tools.stage import is_read

_COMPARED: Final = 1_000
_COMPARED_TEXT: Final = 4096  # of all labels of a list; a longer one is compared each time


@dataclass(frozen=True, slots=True)
class Compared:
    """What a call offers, held against what the agent declares and was delegated."""

    declared: dict[str, list[str]]  # by effect
    undeclared: tuple[str, ...]
    undelegated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """Policy's decision, and what it was made from."""

    decision: Decision
    offered: Offered
    compared: Compared
    is_later: bool = False  # about an answer that was called for before

    def ruling(self, agent: Agent) -> Ruling:
        """Return what holds for the call. Only when it is allowed."""
        constraints = self.decision.constraints
        gone = constraints["strip"]
        assert isinstance(gone, list)  # noqa: S101  `policy.decision` has looked
        left = [tool for tool in self.offered.tools if tool.label not in gone]
        mode = str(constraints["mode"])
        if agent.lent_tools is not None and mode == ALLOW:
            mode = BLOCK  # what is let pass as one's own is not let pass for another
        return Ruling(
            mode=mode,
            offered=self.offered,
            undeclared=self.compared.undeclared,
            stripped=tuple(gone),
            permitted=frozenset(name for tool in left for name in tool.names),
            instead=agent.lent_tools or agent.tools if self.is_later else None,
        )

    def refusal(self) -> Denied:
        """Return the refusal of a call that is not allowed."""
        names = listed([*self.compared.undelegated, *self.compared.undeclared])
        rule = self.decision.rule
        return ToolNotDeclared(self.decision.reason, tools=names, rule=rule, param="tools")

    def facts(self, ruling: Ruling | None = None) -> dict[str, Fact]:
        """Say what a call offers: how many tools, which list, and what is out of order."""
        tools = self.offered.tools
        if not tools:
            return {}
        facts: dict[str, Fact] = {"tools_offered": len(tools), "tools_digest": self.offered.digest}
        if ruling is not None:
            facts["tools_mode"] = ruling.mode
        for name, labels in (
            ("tools_undeclared", self.compared.undeclared),
            ("tools_undelegated", self.compared.undelegated),
            ("tools_stripped", ruling.stripped if ruling is not None else ()),
            ("tools_servers", sorted({_host(tool.url) for tool in tools if tool.url})),
        ):
            if labels:
                facts[name] = list(labels[:NAMES_KEPT])
        return facts


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
    ) -> Judged:
        """Return policy's decision. Raises: ToolsUnreadable."""
        offered = self._offered.read(operation, body)
        compared = self._compare(offered, agent.tools, agent.lent_tools)
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
        decision = await self._decider.decide(facts)
        return Judged(decision, offered, compared, is_later=bool(body.refers_to) and not body.model)

    def _compare(
        self, offered: Offered, declared: DeclaredTools, delegated: SharedTools | None
    ) -> Compared:
        key = (offered.digest, declared, delegated)
        known = self._compared.get(key)
        if known is None:
            tools = offered.tools
            known = compare(tools, declared, delegated)
            if sum(len(tool.label) for tool in tools) > _COMPARED_TEXT:
                return known
            self._compared[key] = known
            if len(self._compared) > _COMPARED:
                self._compared.popitem(last=False)
        return known


def compare(
    offered: list[Tool], declared: DeclaredTools, delegated: SharedTools | None
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


class ToolScreen:
    """The tools of a request, looked at before anything of it leaves."""

    def __init__(self, decider: Decider) -> None:
        self._desk = ToolDesk(decider)

    def concerns(self, asked: Asked) -> bool:
        if offers_any(asked.body):
            return True
        agent = asked.agent
        is_strict = agent.tools or asked.route.options.tools or agent.lent_tools is not None
        return bool(is_strict) and is_read(asked.wire.operation)

    async def screen(self, asked: Asked) -> Asked:
        """Return the call with what it may offer. Raises: Withheld."""
        operation, agent = asked.wire.operation, asked.agent
        try:
            judged = await self._desk.ask(operation, asked.body, agent, asked.route)
        except ToolsUnreadable as error:
            raise Withheld(error) from None
        facts = {**decided_facts(judged.decision), **judged.facts()}
        if not judged.decision.is_lasting:
            raise Withheld(Undecided(judged.decision.reason, rule=judged.decision.rule), facts)
        if not judged.decision.allow:
            raise Withheld(judged.refusal(), facts)
        ruling = judged.ruling(agent)
        try:
            raw = without_stripped(asked.body, ruling)
        except ToolNotDeclared as error:
            raise Withheld(error, facts) from None
        changed = asked.rewritten(asked.raw if raw is None else raw, judged.facts(ruling))
        return replace(changed, ruling=ruling)


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


def _host(url: str) -> str:
    """Return where a server is, without what its address could carry."""
    rest = url.partition("://")[2] or url
    host = rest.partition("/")[0].rpartition("@")[2]
    return "".join(filter(str.isprintable, host[:200]))
