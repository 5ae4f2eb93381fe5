"""Reading task routes: the names agents call, and what may serve each of them."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Prefetch, QuerySet

from registry.actors import Actor
from routing.errors import RouteNotFound
from routing.models import Model, Route, RouteTarget


def routes_for(actor: Actor) -> QuerySet[Route]:
    """Return every route with its targets in the order they are tried."""
    targets = RouteTarget.objects.select_related("model__vendor").order_by(
        "priority", "-weight", "id"
    )
    return Route.objects.prefetch_related(Prefetch("targets", queryset=targets)).order_by("name")


def route_for(actor: Actor, name: str) -> Route:
    """Return a route by name or public id. Raises: RouteNotFound, naming those there are."""
    said = "" if "\x00" in name else name
    found = routes_for(actor).filter(name=said).first()
    if found is None and said.startswith("rte_"):
        found = routes_for(actor).filter(public_id=said).first()
    if found is None:
        known = list(Route.objects.order_by("name").values_list("name", flat=True)[:50])
        there_are = f"There are: {', '.join(known)}." if known else "None is set yet."
        raise RouteNotFound(f"There is no route {name[:80]!r}. {there_are}", known=known)
    return found


def routes_to(model: Model) -> QuerySet[Route]:
    """Return the routes that a model may serve, by name."""
    return Route.objects.filter(targets__model=model).distinct().order_by("name")


class RouteNames:
    """Answers the registry's question which task routes an agent may name (its port)."""

    def unknown(self, names: Iterable[str]) -> set[str]:
        asked = set(names)
        sayable = {name for name in asked if "\x00" not in name}
        known = Route.objects.filter(name__in=sayable, disabled_at__isnull=True)
        return asked - set(known.values_list("name", flat=True))

    def visible_names(self) -> list[str]:
        enabled = Route.objects.filter(disabled_at__isnull=True)
        return list(enabled.order_by("name").values_list("name", flat=True))
