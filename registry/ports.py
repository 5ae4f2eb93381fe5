"""What the registry asks of its left: which task routes there are.

Owns the question, not the answer. `config.wiring` binds the answer at start; until then
asking is a programming error, because a manifest that names a route nobody checked would
be accepted on trust.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class RouteDirectory(Protocol):
    """Knows the task routes that an agent may name."""

    def unknown(self, names: Iterable[str]) -> set[str]:
        """Return those names that no enabled route has."""
        ...

    def visible_names(self) -> list[str]:
        """Return the names to suggest, in order."""
        ...


class PortUnbound(RuntimeError):
    """Raised when a port is asked before it is bound: a programming error, never caught."""


class _Bindings:
    routes: RouteDirectory | None = None


def bind_routes(directory: RouteDirectory | None) -> None:
    """Fill the port; the last binding holds."""
    _Bindings.routes = directory


def routes() -> RouteDirectory:
    """Return the bound directory. Raises: PortUnbound."""
    if _Bindings.routes is None:
        raise PortUnbound("registry.ports.bind_routes was not called")
    return _Bindings.routes
