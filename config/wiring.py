"""Which implementation fills each port.

Owns the arrows that point against the import order: a package declares what it needs from
its left as a Protocol, and this module, the only one that sees both, binds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from approvals.channels.content import bind_arguments
from approvals.models import Review
from approvals.ports import bind_drawing, bind_launches, bind_matter, bind_vendors
from credentials.ports import bind_holders
from effects.launch.evidence import MeasuredLaunches
from effects.matters import lock_matter
from effects.showing import draw_action
from effects.told import arguments_of
from fleet.campaigns.actions.leaving import EndedMoves
from fleet.cutovers.actions.leaving import LeftCutovers
from fleet.cutovers.drawing import draw_cutover
from fleet.cutovers.matters import lock_cutover
from fleet.cutovers.ports import bind_drift
from fleet.drift.queries.watches import WatchedDrift
from fleet.evaluations.actions.leaving import CancelledEvaluations
from fleet.health.actions.leaving import UnwatchedHealth
from fleet.retiring.actions.restoring import lock_restore
from fleet.retiring.ending import PlannedEndings
from fleet.retiring.ports import register_stoppers
from registry.actors import Actor
from registry.models import Agent
from registry.ports import bind_containment, bind_endings, bind_limits, bind_routes
from routing.actions.budgets import ManifestLimits
from routing.actions.containing import contain
from routing.containment.gateways import Gateways
from routing.containment.kept import IssuedKeys, KeptByVendors
from routing.containment.lent import LentCredentials
from routing.containment.paths import register_paths
from routing.models import RouteTarget, Vendor
from routing.queries.holders import ActingAgents
from routing.queries.routes import RouteNames
from routing.queries.stops import subject_for
from rules.matters import lock_activation, lock_grant
from rules.ports import bind_vendor_names


class RouteVendors:
    """Answers the reviews: who receives what an agent sends over its routes."""

    def behind(self, routes: Iterable[str]) -> dict[str, list[str]]:
        targets = RouteTarget.objects.filter(route__name__in=list(routes))
        found: dict[str, set[str]] = {}
        for route, vendor in targets.values_list("route__name", "model__vendor__name"):
            found.setdefault(route, set()).add(vendor)
        return {route: sorted(vendors) for route, vendors in sorted(found.items())}

    def receivers(self, routes: Iterable[str]) -> list[dict[str, Any]]:
        targets = RouteTarget.objects.filter(route__name__in=list(routes))
        ordered = targets.order_by("route__name", "priority", "-weight", "id")
        return [_receiver(target) for target in ordered.select_related("route", "model__vendor")]


class ProvenByRouting:
    """Answers the registry: whether an agent that was killed is contained."""

    def prove(self, agent: Agent, *, actor: Actor) -> dict[str, Any]:
        system = Actor.system("containment")
        return contain(subject_for(system, "agent", agent.public_id), actor=actor).facts()


def _receiver(target: RouteTarget) -> dict[str, Any]:
    vendor = target.model.vendor
    taken = target.route.constraints.get("data_classes") or vendor.data_classes
    return {
        "route": target.route.name,
        "vendor": vendor.title or vendor.name,
        "model": target.model.name,
        "regions": [target.region] if target.region else list(vendor.regions),
        "data_classes": [name for name in vendor.data_classes if name in taken],
    }


class ConnectedVendors:
    """Answers the rules: which vendors there are, and what each may receive."""

    def receive(self) -> dict[str, list[str]]:
        rows = Vendor.objects.filter(disabled_at=None).order_by("name")
        return {name: sorted(classes) for name, classes in rows.values_list("name", "data_classes")}


def bind() -> None:
    """Fill every port; called once, when all models are loaded."""
    bind_routes(RouteNames())
    bind_limits(ManifestLimits())
    bind_endings(PlannedEndings())
    bind_vendors(RouteVendors())
    bind_arguments(arguments_of)
    bind_launches(MeasuredLaunches())
    bind_containment(ProvenByRouting())
    bind_matter(Review.Kind.PROPOSAL.value, lock_matter)
    bind_drawing(Review.Kind.PROPOSAL.value, draw_action)
    bind_holders(ActingAgents())
    bind_vendor_names(ConnectedVendors())
    bind_matter(Review.Kind.POLICY.value, lock_activation)
    bind_matter(Review.Kind.GRANT.value, lock_grant)
    bind_matter(Review.Kind.CUTOVER.value, lock_cutover)
    bind_drawing(Review.Kind.CUTOVER.value, draw_cutover)
    bind_drift(WatchedDrift())
    bind_matter(Review.Kind.RESTORE.value, lock_restore)
    # Moves before cutovers: a cutover that ends for lack of agents finds no move to hand back.
    register_stoppers(EndedMoves(), LeftCutovers(), CancelledEvaluations(), UnwatchedHealth())
    register_paths(Gateways(), IssuedKeys(), LentCredentials(), KeptByVendors())
