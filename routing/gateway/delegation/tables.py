"""Rows that are written with an entry: delegations, runs that work for others, tools in use.

Owns what is remembered of them between calls, so that a row that is there is not written
again with every call: an insert that changes nothing still costs its part of the commit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from ledger.batches import Row, Table

DELEGATIONS: Final = Table(
    "routing_delegation",
    (
        ("public_id", "text"),
        ("parent_id", "text"),
        ("acting_for", "text"),
        ("from_agent", "text"),
        ("to_agent", "text"),
        ("run_id", "text"),
        ("depth", "int"),
        ("created_at", "timestamptz"),
        ("expires_at", "timestamptz"),
    ),
)
DELEGATION_ENDS: Final = Table(
    "routing_delegationend",
    (
        ("delegation_id", "text"),
        ("until", "timestamptz"),
        ("ended_by", "text"),
        ("ended_at", "timestamptz"),
    ),
    "ON CONFLICT DO NOTHING",
)
RUN_LINKS: Final = Table(
    "routing_runlink",
    (
        ("child_run", "text"),
        ("parent_run", "text"),
        ("child_agent", "text"),
        ("parent_agent", "text"),
        ("delegation_id", "text"),
        ("linked_at", "timestamptz"),
    ),
    "ON CONFLICT DO NOTHING",
)
TOOL_USES: Final = Table(
    "routing_tooluse",
    (("agent_id", "text"), ("tool", "text"), ("use", "text"), ("day", "timestamptz")),
    "ON CONFLICT DO NOTHING",
)
TOOLS_A_CALL: Final = 200
_KEPT: Final = 50_000


class Seen:
    """What was written before by this process, as far as it remembers."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, ...], None] = OrderedDict()

    def link(self, values: tuple[str, str, str, str, str, datetime]) -> list[Row]:
        """Return the row that says for which run another one works, as `RUN_LINKS` has it."""
        child, parent = values[:2]
        if child == parent or not self._is_new((child, parent)):
            return []
        return [Row(RUN_LINKS, values)]

    def forget(self) -> None:
        """Write everything again: it is not known what was."""
        self._known.clear()

    def tools(self, agent: str, names: Iterable[str], use: str, at: datetime) -> list[Row]:
        """Return a row for each tool that the agent was not seen with that day."""
        day = at.replace(hour=0, minute=0, second=0, microsecond=0)
        return [
            Row(TOOL_USES, (agent, name, use, day))
            for name in [*dict.fromkeys(names)][:TOOLS_A_CALL]
            if self._is_new((agent, name, use, day))
        ]

    def _is_new(self, key: tuple[object, ...]) -> bool:
        if key in self._known:
            return False
        self._known[key] = None
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return True
