"""What a route would let an agent send, in the words of whoever chooses one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from registry.actors import Actor
from registry.queries.references import data_classes
from routing.models import Route, RouteTarget
from routing.queries.routes import routes_for


@dataclass(frozen=True, slots=True)
class RouteOffer:
    """One route as a choice: who serves it and which data may go there."""

    name: str
    title: str
    served_by: list[str]
    regions: list[str]
    data_classes: list[str]
    retires_on: date | None

    def lacks(self, data_classes: Iterable[str]) -> list[str]:
        """Return those data classes that no target of the route takes."""
        return [name for name in data_classes if name not in self.data_classes]


def route_offers(actor: Actor) -> list[RouteOffer]:
    """Return every route that an agent may name now."""
    return [_offer(route) for route in routes_for(actor).filter(disabled_at__isnull=True)]


def _offer(route: Route) -> RouteOffer:
    targets = [target for target in route.targets.all() if _is_served(target)]
    classes = {name for target in targets for name in target.model.vendor.data_classes}
    allowed = route.constraints.get("data_classes") or classes
    ends = [target.model.retires_on for target in targets if target.model.retires_on]
    return RouteOffer(
        name=route.name,
        title=route.title,
        served_by=[f"{target.model.name} at {_vendor(target)}" for target in targets],
        regions=sorted({region for target in targets for region in _regions(target)}),
        data_classes=[name for name in data_classes() if name in classes & set(allowed)],
        retires_on=min(ends, default=None),
    )


def _is_served(target: RouteTarget) -> bool:
    return target.model.disabled_at is None and target.model.vendor.disabled_at is None


def _vendor(target: RouteTarget) -> str:
    return target.model.vendor.title or target.model.vendor.name


def _regions(target: RouteTarget) -> list[str]:
    return [target.region] if target.region else list(target.model.vendor.regions)
