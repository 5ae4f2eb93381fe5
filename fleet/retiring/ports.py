"""What the end of an agent asks of others: that whatever they do for it on a schedule stops."""

from __future__ import annotations

from typing import Protocol

from registry.actors import Actor
from registry.models import Agent


class Stopper(Protocol):
    """Does something for agents on a schedule, or waits for something of theirs."""

    noun: str  # one of what it ends, in words
    after_return: str  # what becomes of it if the agent comes back

    def stop(self, agent: Agent, *, actor: Actor) -> int:
        """Stop doing it for an agent that is retired; return how many ended."""
        ...


class _Registered:
    stoppers: tuple[Stopper, ...] = ()


def register_stoppers(*stoppers: Stopper) -> None:
    """Say who does something on a schedule; the last saying holds."""
    _Registered.stoppers = stoppers


def stoppers() -> tuple[Stopper, ...]:
    """Return everybody who does."""
    return _Registered.stoppers
