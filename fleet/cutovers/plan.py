"""The steps of a cutover and the limits it is held to: what is usual, and what may be said.

Pure. Shares are fractions, rises are differences of shares, ratios are target over source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fleet.cutovers.errors import PlanInvalid

STEPS: Final[list[dict[str, int]]] = [
    {"percent": 1, "hold_seconds": 900, "least_calls": 20},
    {"percent": 10, "hold_seconds": 1800, "least_calls": 100},
    {"percent": 50, "hold_seconds": 3600, "least_calls": 300},
    {"percent": 100, "hold_seconds": 86_400, "least_calls": 300},
]
# A limit is passed when the least that the figures allow for is beyond it.
LIMITS: Final[dict[str, float]] = {
    "error_rise": 0.02,
    "broken_rise": 0.02,
    "refused_rise": 0.05,
    "fell_back_share": 0.05,
    "latency_ratio": 2.0,
    "cost_ratio": 2.0,
    "drift_alerts": 1,
    "agents_share": 0.2,  # so many rolled back of all take the rest with them
}
WINDOW_SECONDS: Final = 300  # what is looked at for a breach, beside the whole step
LEAST_TO_JUDGE: Final = 20  # calls on the target, before anything is said of them
_MOST_STEPS: Final = 10
_LONGEST_HOLD: Final = 30 * 86_400


def checked_steps(said: Sequence[Mapping[str, Any]] | None) -> list[dict[str, int]]:
    """Return steps as they are kept. Raises: PlanInvalid."""
    if not said:
        return [dict(step) for step in STEPS]
    found = [_step(number, step) for number, step in enumerate(said)]
    shares = [step["percent"] for step in found]
    if len(found) > _MOST_STEPS or shares != sorted(set(shares)) or shares[-1] != 100:
        raise PlanInvalid("Steps rise from 1 to 100 %, ten at most.", field="steps")
    return found


def _step(number: int, said: Mapping[str, Any]) -> dict[str, int]:
    made = {}
    for name, least, most in (
        ("percent", 1, 100),
        ("hold_seconds", 0, _LONGEST_HOLD),
        ("least_calls", 0, 10**9),
    ):
        value = said.get(name)
        if type(value) is not int or not least <= value <= most:
            raise PlanInvalid(
                f"{name} is a number from {least} to {most}.", field=f"steps[{number}]"
            )
        made[name] = value
    return made


def checked_limits(said: Mapping[str, Any] | None) -> dict[str, float]:
    """Return limits as they are kept: what is not named is as usual. Raises: PlanInvalid."""
    found = dict(LIMITS)
    for name, value in (said or {}).items():
        if name not in LIMITS:
            raise PlanInvalid(
                f"There is no limit {name!r}; there are: {', '.join(LIMITS)}.", field="limits"
            )
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1000:
            raise PlanInvalid(f"{name} is a number from 0 to 1000.", field="limits")
        found[name] = float(value)
    return found
