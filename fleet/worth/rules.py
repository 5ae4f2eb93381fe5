"""What is suggested for an agent, by stated rules: the first that holds, with its evidence.

The rules look at figures alone. They suggest; an owner accepts or contests, and people decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fleet.worth.models.standing import Suggestion

IDLE_DAYS: Final = 90
QUIET_DAYS: Final = 30
NEGATIVE_WEEKS: Final = 6
ACCEPTED_PERCENT: Final = 70
FAILED_PERCENT: Final = 10
GAP_PERCENT: Final = 20
LEAST_DECIDED: Final = 10
LEAST_CALLS: Final = 20
NEW_DAYS: Final = 30
BROKEN_DAYS: Final = 2
BROKEN_LONG_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rules look at, for one agent."""

    age_days: int
    idle_days: int | None  # since its last call; None: it never made one
    is_orphan: bool
    weeks_negative: int
    is_measured: bool
    decided: int
    accepted_upper: float  # of the share that was accepted, the upper bound
    calls: int
    error_percent: int
    gap_lower: float | None  # of runs that deviate, the lower bound
    like: str = ""  # a more used agent that does the same job
    is_confirmed: bool = False  # and people said so
    broken_days: int | None = None  # its health is down for so long, and why
    broken_because: str = ""


def suggest(seen: Evidence) -> tuple[Suggestion, list[str]]:
    """Return the suggestion and why; the strongest that holds, with all reasons for it."""
    if seen.age_days < NEW_DAYS:
        return Suggestion.KEEP, [f"New: registered {seen.age_days} days ago."]
    for what, reasons in (
        (Suggestion.RETIRE, _to_retire(seen)),
        (Suggestion.MERGE, _to_merge(seen)),
        (Suggestion.TUNE, _to_tune(seen)),
    ):
        if reasons:
            return what, reasons
    return Suggestion.KEEP, ["No rule speaks against it."]


def _below_cost(weeks: int) -> str:
    how_long = "last week" if weeks == 1 else f"{weeks} weeks in a row"
    return f"It cost more than it earned {how_long}."


def _to_retire(seen: Evidence) -> list[str]:
    reasons = []
    idle = seen.age_days if seen.idle_days is None else seen.idle_days
    if idle >= IDLE_DAYS:
        never = "It never made a call" if seen.idle_days is None else "No call"
        reasons.append(f"{never} in {idle} days ({IDLE_DAYS} is the line).")
    if seen.is_orphan and idle >= QUIET_DAYS:
        reasons.append(f"Nobody answers for it, and no call in {idle} days.")
    if seen.weeks_negative >= NEGATIVE_WEEKS and seen.is_measured:
        reasons.append(_below_cost(seen.weeks_negative))
    if (seen.broken_days or 0) >= BROKEN_LONG_DAYS and idle >= QUIET_DAYS:
        reasons.append(f"Broken for {seen.broken_days} days, and no call in {idle}.")
    return reasons


def _to_merge(seen: Evidence) -> list[str]:
    if not seen.like:
        return []
    how = "People confirmed" if seen.is_confirmed else "It looks as if"
    return [f"{how} that {seen.like} does the same job and is used more."]


def _to_tune(seen: Evidence) -> list[str]:
    reasons = []
    if (seen.broken_days or 0) >= BROKEN_DAYS:
        why = seen.broken_because.rstrip(".")
        reasons.append(f"Broken for {seen.broken_days} days{f': {why}' if why else ''}.")
    if seen.decided >= LEAST_DECIDED and 100 * seen.accepted_upper < ACCEPTED_PERCENT:
        reasons.append(
            f"At most {round(100 * seen.accepted_upper)} % of its outcomes are accepted (95 % sure,"
            f" {seen.decided} decided)."
        )
    if seen.calls >= LEAST_CALLS and seen.error_percent >= FAILED_PERCENT:
        reasons.append(f"{seen.error_percent} % of its calls fail.")
    if seen.gap_lower is not None and 100 * seen.gap_lower >= GAP_PERCENT:
        reasons.append(
            f"At least {int(100 * seen.gap_lower)} % of its runs deviate from what it declares."
        )
    if seen.weeks_negative and seen.is_measured and not reasons:
        reasons.append(_below_cost(seen.weeks_negative))
    if seen.is_orphan:
        reasons.append("Its owner has left and nobody backs it up.")
    return reasons


def facts() -> dict[str, Any]:
    """Return the lines of the rules, as a list keeps them."""
    return {
        "idle_days": IDLE_DAYS, "orphan_idle_days": QUIET_DAYS, "weeks_negative": NEGATIVE_WEEKS,
        "accepted_percent": ACCEPTED_PERCENT, "failed_percent": FAILED_PERCENT,
        "gap_percent": GAP_PERCENT, "broken_days": BROKEN_DAYS,
        "broken_long_days": BROKEN_LONG_DAYS, "least_decided": LEAST_DECIDED, "new_days": NEW_DAYS,
    }  # fmt: skip
