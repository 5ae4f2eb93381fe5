"""What lending asks of its left: whether an agent may hold anything now.

Owns the question; `config.wiring` binds the answer. Unbound, nothing is lent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Holders(Protocol):
    """Knows the agents, and what stops them."""

    def may_hold(self, agent_id: str) -> bool:
        """Say whether an agent acts at all now."""
        ...

    def stopped(self, agent_ids: Iterable[str]) -> set[str]:
        """Return those of these agents that may hold nothing any more."""
        ...


class _Nobody:
    def may_hold(self, agent_id: str) -> bool:
        return False

    def stopped(self, agent_ids: Iterable[str]) -> set[str]:
        return set(agent_ids)


class _Bindings:
    holders: Holders = _Nobody()


def bind_holders(holders: Holders) -> None:
    """Fill the port; the last binding holds."""
    _Bindings.holders = holders


def holders() -> Holders:
    """Return who knows the agents."""
    return _Bindings.holders
