"""What an agent's shifts make of a route's targets, for one run.

Owns that a run stays on its side: raising a share takes more runs in and lets none out. The
source stays right behind its target, whatever fails. What a vendor's index is made of is not
moved run by run: vectors of two models cannot be compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from routing.gateway.breaker import Name
from routing.gateway.lifecycle import has_ended
from routing.gateway.resolve import share_of
from routing.gateway.snapshot import Arm, Route, Shift, Snapshot, Target

SOURCE: Final = "source"
TARGET: Final = "target"
BEHIND: Final = "behind"
_WHOLE: Final = 100


@dataclass(frozen=True, slots=True)
class Moved:
    """The targets of a route as they are for one run, and the pause that took one away."""

    targets: tuple[Target, ...]
    paused: tuple[Shift, Target] | None = None


def moved(
    route: Route, agent: str, run_id: str, snapshot: Snapshot, *, operation: str, now: float
) -> Moved:
    """Apply an agent's shifts to a route."""
    shifts = snapshot.shifts.get(agent)
    if shifts is None:
        return Moved(route.targets)
    mover = _Mover(route, shifts, snapshot, run_id, operation, now)
    found: list[Target] = []
    paused: tuple[Shift, Target] | None = None
    for target in route.targets:
        serving = mover.serving(target)
        if isinstance(serving, Target):
            found.append(serving)
        else:
            paused = paused or (serving, target)
    return Moved(tuple(found), paused)


def may_be_in(shift: str, run_id: str, percent: int) -> bool:
    """Tell whether a run belongs to the share of a shift."""
    return _WHOLE * share_of(f"{shift}|{run_id}") < percent


def region_for(region: str, regions: Collection[str], allowed: object) -> str:
    """Return in which region a target stands in for one that was called in a region.

    The same one, where its vendor has it; else the first that the route allows.
    """
    if not region or region in regions:
        return region
    permitted = allowed if isinstance(allowed, list) else []
    return next((each for each in regions if each in permitted), "")


@dataclass(frozen=True, slots=True)
class _Mover:
    route: Route
    shifts: Mapping[str, Shift]
    snapshot: Snapshot
    run_id: str
    operation: str
    now: float

    def serving(self, listed: Target) -> Target | Shift:
        """Return what serves in the place of a target, the rest behind it; or what pauses it."""
        now, passed = listed, set[str]()
        behind: list[Target] = []
        while (shift := self.shifts.get(now.model.public_id)) and shift.public_id not in passed:
            passed.add(shift.public_id)
            if shift.pauses:
                if not behind:
                    return shift
                now = behind.pop()
                break
            if not self._takes(shift, now):
                now = _marked(now, shift, SOURCE)
                break
            following = self._target(shift, now)
            if following is None:
                now = _marked(now, shift, BEHIND)
                break
            behind.append(_marked(now, shift, BEHIND))
            now = following
        if not behind:
            return now
        drawn_as = listed.model.public_id
        return replace(now, behind=tuple(reversed(behind)), drawn_as=drawn_as)

    def _takes(self, shift: Shift, source: Target) -> bool:
        if self.operation == "embeddings":
            return shift.percent >= _WHOLE
        if shift.percent > 0 and not source.is_enabled:
            return True  # whoever is not moved would be served by nobody
        return may_be_in(shift.public_id, self.run_id, shift.percent)

    def _target(self, shift: Shift, source: Target) -> Target | None:
        """Return the target in its source's place; None while it cannot be called."""
        vendor = self.snapshot.vendors.get(shift.vendor)
        model = self.snapshot.models.get((shift.vendor, shift.model))
        if vendor is None or model is None or not (vendor.is_enabled and model.is_enabled):
            return None
        if has_ended(model, self.now) and not has_ended(source.model, self.now):
            return None
        stops = self.snapshot.stops
        region = region_for(
            source.region, vendor.regions, self.route.constraints.get("regions", [])
        )
        made = replace(
            source,
            vendor=vendor,
            model=model,
            region=region,
            arm=Arm(shift.public_id, TARGET, model.name),
        )
        return None if stops and stops.of_target(made) else made


def _marked(target: Target, shift: Shift, name: str) -> Target:
    return replace(target, arm=Arm(shift.public_id, name, shift.model))


def breakers_of(snapshot: Snapshot) -> set[Name]:
    """Return under which names breakers may know what agents are moved to."""
    shifts = (shift for of_agent in snapshot.shifts.values() for shift in of_agent.values())
    aims = {(shift.vendor, shift.model) for shift in shifts}
    found: set[Name] = set()
    for vendor_id, name in aims:
        vendor, model = snapshot.vendors.get(vendor_id), snapshot.models.get((vendor_id, name))
        if vendor is not None and model is not None:
            found |= {
                Name(model.public_id, region, vendor.name, model.name)
                for region in ("", *vendor.regions)
            }
    return found
