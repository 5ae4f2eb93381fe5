"""Ending an override before its time."""

from __future__ import annotations

from django.db import transaction

from registry.actors import Actor
from registry.models import Role
from routing.actions.route_targets import drafts_of
from routing.actions.routes import RouteResult, put_route
from routing.queries.routes import route_for


@transaction.atomic
def end_override(name: str, *, actor: Actor) -> RouteResult:
    """Let a route's own order hold again at once. Without an override nothing changes.

    Records: route.set. Raises: RoleMissing, RouteNotFound, RouteMoved.
    """
    actor.require(Role.PLATFORM)
    route = route_for(actor, name)
    options = {key: value for key, value in route.options.items() if key != "override"}
    return put_route(
        route.name,
        drafts_of(route),
        route.constraints,
        actor=actor,
        title=route.title,
        options=options,
        aliases=route.aliases,
        expected_revision=route.revision,
    )
