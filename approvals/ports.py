"""What reviews ask of their left: which vendors stand behind the routes of an agent.

Owns the question, not the answer. `config.wiring` binds the answer; unbound, a review
shows the routes alone, because a missing hint must not stop a decision.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol


class VendorDirectory(Protocol):
    """Knows who receives what an agent sends over its routes."""

    def behind(self, routes: Iterable[str]) -> dict[str, list[str]]:
        """Return the vendors of each route, by the route's name."""
        ...

    def receivers(self, routes: Iterable[str]) -> list[dict[str, Any]]:
        """Return every target of the routes: route, vendor, model, regions, data classes."""
        ...


class _Bindings:
    vendors: VendorDirectory | None = None


def bind_vendors(directory: VendorDirectory | None) -> None:
    """Fill the port; the last binding holds."""
    _Bindings.vendors = directory


def vendors_behind(routes: Iterable[str]) -> dict[str, list[str]]:
    """Return the vendors behind routes, as far as they are known."""
    return {} if _Bindings.vendors is None else _Bindings.vendors.behind(routes)


def receivers_behind(routes: Iterable[str]) -> list[dict[str, Any]]:
    """Return who receives what is sent over the routes, where, and which data they take."""
    return [] if _Bindings.vendors is None else _Bindings.vendors.receivers(routes)
