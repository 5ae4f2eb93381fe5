"""What moves ask of cutovers: to begin one, and where an agent stands in it.

Owns the questions, not the answers; `config.wiring` binds those. Unbound, a move that is ready
stays ready, and its rule still holds at the deadline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from kernel.refs import Ref
from registry.actors import Actor
from registry.models import Agent
from routing.models import Model


class Standing(StrEnum):
    """Where one agent stands in a cutover."""

    SIGNING = "signing"
    SHIFTING = "shifting"
    DONE = "done"
    BACK = "back"  # rolled back, left out, or the cutover was cancelled


class Cutovers(Protocol):
    """Shifts the traffic of agents from one model to another."""

    def begin(
        self,
        agents: Sequence[Agent],
        source: Model,
        target: Model,
        evaluations: Mapping[str, str],
        subject: Ref,
        *,
        actor: Actor,
    ) -> str:
        """Begin a cutover and return its id. Records: what beginning one records."""
        ...

    def standing(self, cutover_id: str, agent: Agent) -> Standing:
        """Return where an agent stands in a cutover."""
        ...


class _Bindings:
    cutovers: Cutovers | None = None


def bind_cutovers(cutovers: Cutovers | None) -> None:
    """Fill the port; the last binding holds."""
    _Bindings.cutovers = cutovers


def bound_cutovers() -> Cutovers | None:
    """Return what shifts traffic; None where nothing does."""
    return _Bindings.cutovers
