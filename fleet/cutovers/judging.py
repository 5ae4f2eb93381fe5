"""Whether a target stays within its limits beside its source. Pure.

Owns what counts as a breach: the least rise that the two arms' figures allow for is beyond
the limit. So few calls prove nothing, and an arm that fails outright is found after some.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fleet.cutovers.plan import LEAST_TO_JUDGE
from fleet.evaluations.statistics.shares import Interval, wilson
from routing.arm_sums import Sums
from routing.latencies import percentile

CONFIDENCE: Final = 0.99
_P95: Final = 0.95


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that is passed, in figures."""

    limit: str
    allowed: float
    found: float
    least: float  # that the figures allow for

    def __str__(self) -> str:
        return _SAID[self.limit].format(
            found=_said(self.limit, self.found),
            least=_said(self.limit, self.least),
            allowed=_said(self.limit, self.allowed),
        )


_SAID: Final = {
    "error_rise": "errors rose by {found} (at least {least}; {allowed} is allowed)",
    "broken_rise": "answers out of form rose by {found} (at least {least}; {allowed} is allowed)",
    "refused_rise": "refusals rose by {found} (at least {least}; {allowed} is allowed)",
    "fell_back_share": "{found} of its runs' calls fell back to the source (at least {least};"
    " {allowed} is allowed)",
    "latency_ratio": "the 95th percentile is {found} times the source's ({allowed} is allowed)",
    "cost_ratio": "a call costs {found} times the source's ({allowed} is allowed)",
    "drift_alerts": "{found} alerts of drift ({allowed} end it)",
}


def rise(ours: int, of: int, theirs: int, of_theirs: int) -> Interval:
    """Return by how much one share exceeds another (Newcombe's hybrid score interval)."""
    one, other = wilson(ours, of, CONFIDENCE), wilson(theirs, of_theirs, CONFIDENCE)
    found = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return Interval(found, found - below, found + above)


def breaches(
    source: Sums, target: Sums, behind: Sums, limits: Mapping[str, float], *, alerts: int = 0
) -> list[Breach]:
    """Return the limits that a target passes."""
    found = [_drift(alerts, limits["drift_alerts"])]
    if target.calls + behind.calls >= LEAST_TO_JUDGE:
        found += [
            _rise("error_rise", target.errors, target.calls, source.errors, source.calls, limits),
            _rise(
                "broken_rise", target.broken, target.checked, source.broken, source.checked, limits
            ),
            _rise(
                "refused_rise", target.refused, target.served, source.refused, source.served, limits
            ),
            _fell_back(target, behind, limits["fell_back_share"]),
        ]
    if min(target.served, source.served) >= LEAST_TO_JUDGE:
        found += [_latency(source, target, limits), _cost(source, target, limits)]
    return [breach for breach in found if breach is not None]


def _rise(
    name: str, ours: int, of: int, theirs: int, of_theirs: int, limits: Mapping[str, float]
) -> Breach | None:
    if of < LEAST_TO_JUDGE:
        return None
    # Without a source beside it, it is held to the limit as if the source never failed.
    seen = rise(ours, of, theirs, of_theirs) if of_theirs else wilson(ours, of, CONFIDENCE)
    return Breach(name, limits[name], seen.value, seen.low) if seen.low > limits[name] else None


def _fell_back(target: Sums, behind: Sums, limit: float) -> Breach | None:
    # A call that the source refused as well says nothing of the target.
    whole = max(target.served + behind.served, 1)
    seen = wilson(behind.served, whole, CONFIDENCE)
    found = seen.low > limit
    return Breach("fell_back_share", limit, seen.value, seen.low) if found else None


def _latency(source: Sums, target: Sums, limits: Mapping[str, float]) -> Breach | None:
    ours, theirs = percentile(target.latencies, _P95), percentile(source.latencies, _P95)
    ratio = (ours or 0) / max(theirs or 0, 20)
    return _ratio("latency_ratio", ratio, limits)


def _cost(source: Sums, target: Sums, limits: Mapping[str, float]) -> Breach | None:
    if source.unpriced_calls or target.unpriced_calls or not source.cost_micros:
        return None
    ours, theirs = target.cost_micros / target.calls, source.cost_micros / source.calls
    return _ratio("cost_ratio", ours / theirs, limits)


def _ratio(name: str, ratio: float, limits: Mapping[str, float]) -> Breach | None:
    return Breach(name, limits[name], ratio, ratio) if ratio > limits[name] else None


def _drift(alerts: int, limit: float) -> Breach | None:
    return Breach("drift_alerts", limit, alerts, alerts) if 0 < limit <= alerts else None


def _said(name: str, value: float) -> str:
    if name in {"latency_ratio", "cost_ratio"}:
        return f"{value:.2f}"
    return f"{value:.0f}" if name == "drift_alerts" else f"{100 * value:.1f} %"
