"""What calls say of an agent: how many of them failed, and whether it fell silent. Pure.

Both are held against the agent's own habit: an agent that always fails one call in ten is not
degraded by it, and one that is never called at night is not silent then. A habit excuses less
than half of the calls: an outage that goes on becomes the habit, and is no health.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FEW: Final = 5  # calls: fewer say nothing
DOWN_SHARE: Final = 0.5
DEGRADED_SHARE: Final = 0.1
HOPELESS_SHARE: Final = 0.9  # down, whatever is usual
ABOVE_HABIT: Final = 3.0
# So many calls were usual in these hours that none at all is no accident.
EXPECTED_CALLS: Final = 20
ONE_VENDOR: Final = 0.8  # of the failures: then they are that vendor's


@dataclass(frozen=True, slots=True)
class Recent:
    """One agent's calls of the last quarter of an hour, and what is usual for it."""

    calls: int
    errors: int
    usual_share: float  # of calls that failed in the last weeks
    usual_calls: float  # in the same hours of the last weeks, at least
    silent_calls: int  # in those hours now
    worst_vendor: str = ""
    worst_errors: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """What the gateway says of an agent; ``seen`` is empty where nothing can be said."""

    seen: str
    reason: str = ""
    cause: str = ""


def say(recent: Recent) -> Said:
    """Judge one agent by its calls."""
    if recent.calls < FEW:
        if recent.silent_calls == 0 and recent.usual_calls >= EXPECTED_CALLS:
            usual = round(recent.usual_calls)
            return Said("degraded", f"It has made no call; {usual} are usual in these hours.")
        if recent.calls and recent.errors == 0:
            return Said("healthy", _words(recent))
        return Said("")
    share = recent.errors / recent.calls
    is_half = share >= DOWN_SHARE
    if share >= HOPELESS_SHARE or (is_half and share > recent.usual_share * 1.5):
        return Said("down", _words(recent), _cause(recent))
    if is_half or (share >= DEGRADED_SHARE and share > recent.usual_share * ABOVE_HABIT):
        return Said("degraded", _words(recent), _cause(recent))
    return Said("healthy", _words(recent))


def _words(recent: Recent) -> str:
    if not recent.errors:
        return "Its calls are answered."
    failed = f"{recent.errors} of {recent.calls} calls failed in 15 minutes"
    return f"{failed}; {recent.usual_share:.0%} is usual."


def _cause(recent: Recent) -> str:
    is_one = recent.worst_vendor and recent.worst_errors >= ONE_VENDOR * recent.errors
    return f"vendor:{recent.worst_vendor}" if is_one else ""
