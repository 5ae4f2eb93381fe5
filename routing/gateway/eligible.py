"""Which targets of a route could serve a call at all, before policy is asked about any.

A target that speaks another dialect can where there is a translation and the route has not
turned it off; whether this call can be said there is found out when it is tried. A call about
something that a vendor keeps goes to that vendor or to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from routing.gateway.body import CallBody
from routing.gateway.errors import DialectMismatch
from routing.gateway.passages import is_spoken, way_to
from routing.gateway.ports import StoredResponse
from routing.gateway.snapshot import Route, Snapshot, Target
from routing.gateway.stops import Stopped, Stops
from routing.gateway.wires.wire import Wire


@dataclass(frozen=True, slots=True)
class Eligible:
    """The targets in the order to be tried, and why others are none of them."""

    targets: list[Target]
    passed_over: list[str]


def eligible_targets(
    wire: Wire,
    body: CallBody,
    route: Route,
    ordered: list[Target],
    kept: StoredResponse | None,
    snapshot: Snapshot,
) -> Eligible:
    """Choose among a route's targets. Raises: Stopped, DialectMismatch, the wire's refusal."""
    stops = snapshot.stops
    if stops and (refusal := stops.of_aim("", "", route.public_id)):
        raise refusal
    if kept is not None:
        found = _where_kept(wire, body, ordered, route, kept, snapshot)
    else:
        found = _able(wire, route, ordered)
    return _not_stopped(found, stops) if stops else found


def _not_stopped(found: Eligible, stops: Stops) -> Eligible:
    targets: list[Target] = []
    refusal: Stopped | None = None
    passed_over = [*found.passed_over]
    for target in found.targets:
        if stopped := stops.of_target(target):
            refusal = refusal or stopped
            passed_over.append(f"{target}: {Stopped.code}")
        else:
            targets.append(target)
    if refusal is not None and not targets:
        raise refusal
    return Eligible(targets, passed_over)


def _able(wire: Wire, route: Route, ordered: list[Target]) -> Eligible:
    targets: list[Target] = []
    others: list[Target] = []
    for target in ordered:
        (targets if _takes(target, wire, route) else others).append(target)
    if not targets and others:
        raise _mismatch(wire, route, others[0])
    if wire.operation == "embeddings":
        # Vectors of two models cannot be compared: another model would spoil an index unseen.
        targets = [target for target in targets if target.model.name == targets[0].model.name]
    return Eligible(targets, [_passed_over(target) for target in others])


def _takes(target: Target, wire: Wire, route: Route) -> bool:
    if is_spoken(wire, target):
        return True
    return route.options.translate and way_to(wire, target) is not None


def _mismatch(wire: Wire, route: Route, target: Target) -> DialectMismatch:
    is_off = way_to(wire, target) is not None
    why = "This route does not translate" if is_off else f"No {wire.operation} can be translated"
    return DialectMismatch(
        f"{route.name!r} is served by {target.vendor.name}, which speaks the"
        f" {target.vendor.dialect} dialect, and this call is in the {wire.dialect.name}"
        f" dialect. {why}: use the other client, or ask the platform team for a target that"
        " speaks this one.",
        param="model",
    )


def _where_kept(
    wire: Wire,
    body: CallBody,
    ordered: list[Target],
    route: Route,
    kept: StoredResponse,
    snapshot: Snapshot,
) -> Eligible:
    there = [
        target
        for target in ({each.breaker: each for each in (*route.targets, *ordered)}.values())
        if target.is_enabled and target.vendor.public_id == kept.vendor_id
    ]
    # An agent that is being moved goes on where it is now, if its vendor keeps the answer.
    there.sort(key=lambda target: target.arm is None or target.arm.name != "target")
    if not body.model and not there:
        # Off the route by now, and still where the answer is.
        vendor = snapshot.vendors.get(kept.vendor_id)
        model = snapshot.models.get((kept.vendor_id, kept.model))
        if vendor is not None and vendor.is_enabled and model is not None:
            there = [Target(vendor=vendor, model=model, region="", weight=1, priority=0)]
    if not there:
        raise wire.unknown_reference(body.refers_to)
    return Eligible(there, [])


def _passed_over(target: Target) -> str:
    return f"{target.vendor.name}/{target.model.name}: {DialectMismatch.code}"
