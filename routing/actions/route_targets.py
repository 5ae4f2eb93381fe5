"""The targets of a route as they are written: what may serve it, checked before it is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from routing.actions.route_options import checked_millis
from routing.errors import RouteInvalid
from routing.models import Model, Route, RouteTarget, Vendor

MAX_TARGETS: Final = 50
Known = dict[tuple[str, str], Model]  # by the vendor's name and the model's
Marks = dict[tuple[str, str, str], dict[str, Any]]  # by vendor, model and region


@dataclass(frozen=True, slots=True)
class TargetDraft:
    """One model that may serve a route, by the names people know it by."""

    vendor: str
    model: str
    weight: int = 100
    priority: int = 0
    region: str = ""
    canary_percent: int | None = None
    first_byte_ms: int | None = None

    def __str__(self) -> str:
        region = f"@{self.region}" if self.region else ""
        said = f"{self.vendor}/{self.model}{region} priority {self.priority} weight {self.weight}"
        if self.canary_percent is not None:
            said += f" canary {self.canary_percent}%"
        return said if self.first_byte_ms is None else f"{said} first byte {self.first_byte_ms} ms"


def models_of(targets: list[TargetDraft]) -> Known:
    """Return the models that targets name, and check them. Raises: RouteInvalid."""
    if not 1 <= len(targets) <= MAX_TARGETS:
        raise RouteInvalid(f"A route has 1 to {MAX_TARGETS} targets.", field="targets")
    known = {
        (model.vendor.name, model.name): model
        for model in Model.objects.select_related("vendor").filter(
            vendor__name__in={target.vendor for target in targets}
        )
    }
    seen: set[tuple[str, str, str]] = set()
    for number, target in enumerate(targets):
        _check_target(number, target, known)
        key = (target.vendor, target.model, target.region)
        if key in seen:
            raise _wrong(number, f"{target.vendor}/{target.model} is named twice")
        seen.add(key)
    shares = [target.canary_percent for target in targets]
    if None not in shares:
        raise RouteInvalid(
            "Every target is a canary: at least one has to serve everybody else.", field="targets"
        )
    if sum(share or 0 for share in shares) > 100:
        raise RouteInvalid("The canaries' shares add up to more than 100 %.", field="targets")
    return known


def _check_target(number: int, target: TargetDraft, known: Known) -> None:
    model = known.get((target.vendor, target.model))
    if model is None:
        raise _wrong(number, _missing(target, known))
    if not (1 <= target.weight <= 10000 and 0 <= target.priority <= 1000):
        raise _wrong(number, "weight is 1 to 10000, priority 0 to 1000")
    if target.canary_percent is not None and not 0 <= target.canary_percent <= 100:
        raise _wrong(number, "canary_percent is 0 to 100")
    if target.first_byte_ms is not None:
        checked_millis(target.first_byte_ms, f"targets[{number}].first_byte_ms")
    if target.region and target.region not in model.vendor.regions:
        regions = ", ".join(model.vendor.regions) or "none"
        raise _wrong(number, f"{target.vendor} has no region {target.region!r}; it has: {regions}")


def _missing(target: TargetDraft, known: Known) -> str:
    served = sorted(model for vendor, model in known if vendor == target.vendor)[:20]
    if served:
        return f"{target.vendor} serves no model {target.model!r}; it serves: {', '.join(served)}"
    vendors = list(Vendor.objects.order_by("name").values_list("name", flat=True)[:50])
    if target.vendor in vendors:
        return f"{target.vendor} serves no models yet; add {target.model!r} to it first"
    return f"there is no vendor {target.vendor!r}; there are: {', '.join(vendors) or 'none'}"


def _wrong(number: int, what: str) -> RouteInvalid:
    return RouteInvalid(f"Target {number + 1}: {what}.", field=f"targets[{number}]")


def drafts_of(route: Route) -> list[TargetDraft]:
    """Return a route's targets as they would be written to say the same again."""
    return [
        TargetDraft(
            row.model.vendor.name,
            row.model.name,
            row.weight,
            row.priority,
            row.region,
            row.canary_percent,
            row.first_byte_ms,
        )
        for row in route.targets.select_related("model__vendor")
    ]


def in_order(targets: Iterable[TargetDraft]) -> list[TargetDraft]:
    """Return targets in the one order in which two lists of them can be compared."""
    return sorted(targets, key=lambda one: (one.vendor, one.model, one.region))


def marks_of(route: Route) -> Marks:
    """Return which targets of a route have passed their eval gate, when, and why."""
    passed = route.targets.filter(passed_eval_at__isnull=False).select_related("model__vendor")
    return {
        (row.model.vendor.name, row.model.name, row.region): {
            "passed_eval_at": row.passed_eval_at,
            "passed_eval_reason": row.passed_eval_reason,
        }
        for row in passed
    }


def rows_of(
    route: Route, targets: list[TargetDraft], models: Known, marks: Marks
) -> list[RouteTarget]:
    """Return the rows that say what drafts do, not yet kept; what has passed stays so."""
    return [
        RouteTarget(
            route=route,
            model=models[target.vendor, target.model],
            region=target.region,
            weight=target.weight,
            priority=target.priority,
            canary_percent=target.canary_percent,
            first_byte_ms=target.first_byte_ms,
            **marks.get((target.vendor, target.model, target.region), {}),
        )
        for target in targets
    ]


def check_shadow(shadow: Mapping[str, Any]) -> None:
    """Check that what some calls are sent to as well is there. Raises: RouteInvalid."""
    draft = TargetDraft(shadow["vendor"], shadow["model"], region=shadow["region"])
    known = {
        (model.vendor.name, model.name): model
        for model in Model.objects.select_related("vendor").filter(vendor__name=draft.vendor)
    }
    model = known.get((draft.vendor, draft.model))
    if model is None:
        raise RouteInvalid(f"The shadow: {_missing(draft, known)}.", field="options.shadow")
    if draft.region and draft.region not in model.vendor.regions:
        detail = f"The shadow: {draft.vendor} has no region {draft.region!r}."
        raise RouteInvalid(detail, field="options.shadow")
