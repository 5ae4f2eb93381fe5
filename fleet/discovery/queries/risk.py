"""How urgent a finding is: points with their reasons, which add up to at most a hundred."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from fleet.discovery.signs import Flag

MOST: Final = 100
_POINTS: Final = {
    Flag.HARD_CODED: (40, "a key stands in code"),
    Flag.ORPHANED: (30, "whoever owned it has no access any more"),
    Flag.ELSEWHERE: (30, "is held here, and its vendor counts far more calls than gateways made"),
    Flag.DIRECT: (15, "calls a vendor past the gateway"),
    Flag.SHADOW: (10, "runs on another platform, registered nowhere here"),
    Flag.SHARED: (5, "belongs to a service account, and so to nobody"),
    Flag.NEVER_EXPIRES: (5, "never expires"),
    Flag.STALE: (5, "was not used for 90 days, and still works"),
}
_MONEY: Final = ((1_000, 20), (100, 12), (10, 5))


@dataclass(frozen=True, slots=True)
class Risk:
    """Points, and what each is for."""

    points: int
    parts: list[dict[str, Any]]


def risk_of(
    flags: set[str], *, retires_on: date | None, model: str, cost_micros: int, today: date
) -> Risk:
    """Judge what is known of a finding."""
    parts = [
        {"part": flag.value, "points": points, "why": why}
        for flag, (points, why) in _POINTS.items()
        if flag in flags
    ]
    if retires_on is not None:
        parts.append(_retiring(retires_on, model, today))
    for dollars, points in _MONEY:
        if cost_micros >= dollars * 1_000_000:
            why = f"cost more than ${dollars:,}, as far as is known"
            parts.append({"part": "money", "points": points, "why": why})
            break
    parts.sort(key=lambda part: -int(part["points"]))
    return Risk(min(MOST, sum(int(part["points"]) for part in parts)), parts)


def _retiring(on: date, model: str, today: date) -> dict[str, Any]:
    days = (on - today).days
    points = 30 if days <= 30 else 20 if days <= 90 else 10
    when = f"ended on {on:%-d %B %Y}" if days < 0 else f"ends on {on:%-d %B %Y}"
    return {"part": "retiring", "points": points, "why": f"{model} {when}"}
