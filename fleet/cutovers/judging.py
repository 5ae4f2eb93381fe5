"""Whether a target stays within its limits beside its source. Pure.

Owns what counts as a breach: the least rise that the two arms' figures allow for is beyond the
limit. Of the last minutes that is asked of gross failure alone; of a whole step at a confidence
that is spent over its looks, so that looking every few seconds finds nothing by chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fleet.cutovers.plan import LEAST_TO_JUDGE
from fleet.evaluations.statistics.shares import Interval, wilson, z_of
from routing.arm_sums import Sums
from routing.latencies import high_of, low_of, percentile

CONFIDENCE: Final = 0.99
GROSS: Final = 0.2  # so much more of failure, proven in the last minutes, ends it at once
CHANCE: Final = 0.01  # that a step brings anybody back by chance, however often it is looked at
_LIMITS: Final = 6  # that calls can pass
_WITHIN: Final = 8  # how much likelier a bound is passed at some call of a doubling than at one
_SPREAD: Final = 2.0  # of one agent's costs: their standard deviation over their mean
_P95: Final = 0.95


def confidence_at(calls: int, agents: int) -> float:
    """Return the two-sided confidence of one look at so many calls on the target of a step.

    Each doubling of the calls has its part of `CHANCE`, a half, a sixth, a twelfth…, and each
    limit, each agent and all of them together their part of that.
    """
    doubling = max(calls // LEAST_TO_JUDGE, 1).bit_length()
    part = CHANCE / (doubling * (doubling + 1))
    return 1 - 2 * part / (_LIMITS * (agents + 1) * _WITHIN)


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
    "latency_ratio": "the 95th percentile is {found} times the source's (at least {least};"
    " {allowed} is allowed)",
    "cost_ratio": "a call costs {found} times the source's (at least {least};"
    " {allowed} is allowed)",
    "drift_alerts": "{found} alerts of drift ({allowed} end it)",
}


def rise(
    ours: int, of: int, theirs: int, of_theirs: int, confidence: float = CONFIDENCE
) -> Interval:
    """Return by how much one share exceeds another (Newcombe's hybrid score interval)."""
    one, other = wilson(ours, of, confidence), wilson(theirs, of_theirs, confidence)
    found = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return Interval(found, found - below, found + above)


def fails_grossly(
    source: Sums, target: Sums, behind: Sums, limits: Mapping[str, float]
) -> list[Breach]:
    """Return what the last minutes prove to fail outright: a target that is down, or nearly."""
    least = {name: max(limits[name], GROSS) for name in _SHARES}
    return _of_shares(source, target, behind, least, CONFIDENCE)


def breaches(
    source: Sums,
    target: Sums,
    behind: Sums,
    limits: Mapping[str, float],
    *,
    agents: int = 1,
    is_one_currency: bool = True,
) -> list[Breach]:
    """Return the limits that a target passes over a whole step, in a cutover of so many agents.

    Where the two are paid in different currencies nothing is known of what the one costs more.
    """
    sure = confidence_at(target.calls + behind.calls, agents)
    found: list[Breach | None] = [*_of_shares(source, target, behind, limits, sure)]
    if min(target.served, source.served) >= LEAST_TO_JUDGE:
        found += [_latency(source, target, limits, sure)]
        found += [_cost(source, target, limits, sure)] if is_one_currency else []
    return [breach for breach in found if breach is not None]


def drifts(alerts: int, limits: Mapping[str, float]) -> list[Breach]:
    """Return the breach that alerts of drift are, if they are one."""
    limit = limits["drift_alerts"]
    return [Breach("drift_alerts", limit, alerts, alerts)] if 0 < limit <= alerts else []


_SHARES: Final = ("error_rise", "broken_rise", "refused_rise", "fell_back_share")


def _of_shares(
    source: Sums, target: Sums, behind: Sums, limits: Mapping[str, float], sure: float
) -> list[Breach]:
    if target.calls + behind.calls < LEAST_TO_JUDGE:
        return []
    errors = (target.errors, target.calls, source.errors, source.calls)
    broken = (target.broken, target.checked, source.broken, source.checked)
    refused = (target.refused, target.served, source.refused, source.served)
    found = [
        _rise("error_rise", errors, limits, sure),
        _rise("broken_rise", broken, limits, sure),
        _rise("refused_rise", refused, limits, sure),
        _fell_back(target, behind, limits["fell_back_share"], sure),
    ]
    return [breach for breach in found if breach is not None]


def _rise(
    name: str, figures: tuple[int, int, int, int], limits: Mapping[str, float], sure: float
) -> Breach | None:
    ours, of, theirs, of_theirs = figures
    if of < LEAST_TO_JUDGE:
        return None
    # Without a source beside it, it is held to the limit as if the source never failed.
    seen = rise(ours, of, theirs, of_theirs, sure) if of_theirs else wilson(ours, of, sure)
    return Breach(name, limits[name], seen.value, seen.low) if seen.low > limits[name] else None


def _fell_back(target: Sums, behind: Sums, limit: float, sure: float) -> Breach | None:
    # A call that the source refused as well says nothing of the target.
    whole = max(target.served + behind.served, 1)
    seen = wilson(behind.served, whole, sure)
    found = seen.low > limit
    return Breach("fell_back_share", limit, seen.value, seen.low) if found else None


def _latency(source: Sums, target: Sums, limits: Mapping[str, float], sure: float) -> Breach | None:
    ours, theirs = percentile(target.latencies, _P95), percentile(source.latencies, _P95)
    ratio = (ours or 0) / max(theirs or 0, 20)
    if ratio <= limits["latency_ratio"]:
        return None
    low, high = low_of(target.latencies, _P95, sure), high_of(source.latencies, _P95, sure)
    if low is None or high is None:
        return None
    return _ratio("latency_ratio", ratio, low / max(high, 20), limits)


def _cost(source: Sums, target: Sums, limits: Mapping[str, float], sure: float) -> Breach | None:
    if source.unpriced_calls or target.unpriced_calls or not source.cost_micros:
        return None
    ours, theirs = target.cost_micros / target.calls, source.cost_micros / source.calls
    # Only sums are kept of costs: how far a mean may be off is taken from a spread that is wide.
    off = z_of(sure) * _SPREAD * math.sqrt(1 / target.calls + 1 / source.calls)
    return _ratio("cost_ratio", ours / theirs, ours / theirs * math.exp(-off), limits)


def _ratio(name: str, ratio: float, least: float, limits: Mapping[str, float]) -> Breach | None:
    return Breach(name, limits[name], ratio, least) if least > limits[name] else None


def _said(name: str, value: float) -> str:
    if name in {"latency_ratio", "cost_ratio"}:
        return f"{value:.2f}"
    return f"{value:.0f}" if name == "drift_alerts" else f"{100 * value:.1f} %"
