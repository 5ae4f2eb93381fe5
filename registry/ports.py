"""What the registry asks of its left: which task routes there are, and whether a kill holds.

Owns the questions, not the answers. `config.wiring` binds the answers at start; until then
asking is a programming error, because a manifest that names a route nobody checked would
be accepted on trust.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from registry.actors import Actor
    from registry.models import Agent


class RouteDirectory(Protocol):
    """Knows the task routes that an agent may name."""

    def unknown(self, names: Iterable[str]) -> set[str]:
        """Return those names that no enabled route has."""
        ...

    def visible_names(self) -> list[str]:
        """Return the names to suggest, in order."""
        ...


class Containment(Protocol):
    """Proves that nothing of an agent moves any more."""

    def prove(self, agent: Agent, *, actor: Actor) -> dict[str, Any]:
        """Return ``{contained, verdict, milliseconds, paths}``, after what stopped it is committed.

        Records: containment.proven or containment.failed.
        """
        ...


class LimitKeeper(Protocol):
    """Keeps what an accepted manifest limits: spend, requests, tokens."""

    def keep(self, agent: Agent, limits: Mapping[str, Any], *, actor: Actor) -> None:
        """Make exactly these limits hold for an agent from now on."""
        ...


class Endings(Protocol):
    """Carries out the end of an agent, with all that belongs to it."""

    def deprecate(self, name: str, *, actor: Actor, reason: str, wish: Mapping[str, Any]) -> Agent:
        """Announce an end, on a day or without one; return the agent as it is then."""
        ...

    def retire(self, name: str, *, actor: Actor, reason: str, wish: Mapping[str, Any]) -> Agent:
        """End an agent at once, or on the day that is wished; return it as it is then."""
        ...


class PortUnbound(RuntimeError):
    """Raised when a port is asked before it is bound: a programming error, never caught."""


class _Bindings:
    routes: RouteDirectory | None = None
    containment: Containment | None = None
    limits: LimitKeeper | None = None
    endings: Endings | None = None


def bind_routes(directory: RouteDirectory | None) -> None:
    """Fill the port; the last binding holds."""
    _Bindings.routes = directory


def routes() -> RouteDirectory:
    """Return the bound directory. Raises: PortUnbound."""
    if _Bindings.routes is None:
        raise PortUnbound("registry.ports.bind_routes was not called")
    return _Bindings.routes


def bind_containment(prover: Containment | None) -> None:
    """Fill the port; the last binding holds."""
    _Bindings.containment = prover


def containment() -> Containment:
    """Return what proves. Raises: PortUnbound."""
    if _Bindings.containment is None:
        raise PortUnbound("registry.ports.bind_containment was not called")
    return _Bindings.containment


def bind_endings(endings: Endings | None) -> None:
    """Fill the port; the last binding holds."""
    _Bindings.endings = endings


def endings() -> Endings:
    """Return who ends agents. Raises: PortUnbound."""
    if _Bindings.endings is None:
        raise PortUnbound("registry.ports.bind_endings was not called")
    return _Bindings.endings


def bind_limits(keeper: LimitKeeper | None) -> None:
    """Fill the port; the last binding holds."""
    _Bindings.limits = keeper


def limits() -> LimitKeeper:
    """Return the bound keeper. Raises: PortUnbound."""
    if _Bindings.limits is None:
        raise PortUnbound("registry.ports.bind_limits was not called")
    return _Bindings.limits
