"""Which implementation fills each port.

Owns the arrows that point against the import order: a package declares what it needs from
its left as a Protocol, and this module, the only one that sees both, binds it.
"""

from __future__ import annotations

from registry.ports import bind_routes
from routing.queries.routes import RouteNames


def bind() -> None:
    """Fill every port; called once, when all models are loaded."""
    bind_routes(RouteNames())
