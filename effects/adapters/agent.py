"""Done by the agent: people decide, nothing is sent, and the agent does it itself.

For graphs and tools that keep their own hands. What was decided is the tool and the exact
arguments; that the agent used them is its own saying, reported like every step of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from effects.adapters.adapter import Ending, Lent, Place, Plan, Sent, Work
from effects.adapters.errors import ArgumentsRefused
from effects.adapters.shape import check_members, check_text
from kernel.canonical import NotCanonical, canonical


class AgentAdapter:
    """``settings``: none. ``template``: tool, its name at the agent."""

    name = "agent"
    version = 1

    def check_place(self, place: Place) -> None:
        check_members(place.settings, "settings", needed=frozenset())

    def check_work(self, place: Place, work: Work) -> None:
        check_members(work.template, "template", needed={"tool"})
        check_text(work.template["tool"], "template/tool")
        check_members(work.lookup, "lookup", needed=frozenset())

    def plan(self, place: Place, work: Work, arguments: Mapping[str, Any], key: str) -> Plan:
        try:
            text = canonical(dict(arguments)).decode()
        except NotCanonical as error:
            raise ArgumentsRefused(error.detail) from None
        return Plan((("tool", str(work.template["tool"])), ("arguments", text)))

    def send(self, place: Place, plan: Plan, lent: Lent, *, key: str, fence: int) -> Sent:
        return Sent(Ending.DONE, "released")

    def probe(self, place: Place, lent: Lent) -> str:
        return "ok"

    def look_up(
        self, place: Place, work: Work, arguments: Mapping[str, Any], lent: Lent, *, key: str
    ) -> Sent:
        return Sent(Ending.DONE, "released")
