"""What a route's targets did lately, from the sums that are kept of routes."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Sum

from routing.models import Route, UsageFallback, UsageRoute
from routing.queries.usage import first_day

DAYS = 2  # today and yesterday, in UTC: what days are counted in


@dataclass(frozen=True, slots=True)
class TargetUse:
    """What went to one model of a route, and why calls went on from it."""

    vendor: str
    model: str
    calls: int
    errors: int
    attempts: int
    cost_micros: int
    share: float
    reasons: list[tuple[str, int]] = field(default_factory=list)


def use_of_targets(route: Route) -> list[TargetUse]:
    """Return what each model did for a route since yesterday began, the busiest first."""
    since = first_day(DAYS)
    rows = list(
        UsageRoute.objects.filter(route=route.name, day__gte=since)
        .exclude(vendor="")
        .values("vendor", "model")
        .annotate(
            calls=Sum("calls"), errors=Sum("errors"), attempts=Sum("attempts"),
            cost=Sum("cost_micros"),
        )
    )  # fmt: skip
    total = sum(row["calls"] for row in rows) or 1
    reasons: dict[tuple[str, str], list[tuple[str, int]]] = {}
    fallbacks = (
        UsageFallback.objects.filter(route=route.name, day__gte=since)
        .values("vendor", "model", "reason")
        .annotate(calls=Sum("calls"))
        .order_by("-calls")
    )
    for each in fallbacks:
        of = reasons.setdefault((each["vendor"], each["model"]), [])
        of.append((each["reason"], each["calls"]))
    used = [
        TargetUse(
            row["vendor"], row["model"], row["calls"], row["errors"], row["attempts"], row["cost"],
            row["calls"] / total, reasons.get((row["vendor"], row["model"]), []),
        )
        for row in rows
    ]  # fmt: skip
    return sorted(used, key=lambda one: (-one.calls, -one.attempts))
