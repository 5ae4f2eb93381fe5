"""When a status changes: after enough outcomes, not after one. Pure, no rows.

From well to worse a source needs some of its last outcomes, back to well several in a row: what
flaps stays worse, and changes once. The status of an agent is the worst that a source knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

RANKS: Final = {"healthy": 0, "unknown": 1, "degraded": 2, "down": 3}
_LETTERS: Final = {"healthy": "h", "unknown": "u", "degraded": "g", "down": "d"}
_STATUSES: Final = {letter: status for status, letter in _LETTERS.items()}


@dataclass(frozen=True, slots=True)
class Damping:
    """``bad`` of the last ``of`` outcomes make a source worse, ``good`` in a row make it better."""

    bad: int
    of: int
    good: int


RULES: Final = {
    "gateway": Damping(bad=2, of=3, good=3),  # judged once a minute
    "heartbeat": Damping(bad=1, of=1, good=2),  # a late one was given grace; its word is taken
    "probe": Damping(bad=2, of=3, good=2),
}
# A heartbeat that comes once an hour or less often need not come twice.
SELDOM: Final = Damping(bad=1, of=1, good=1)
SELDOM_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class Settled:
    """What a source says after one more outcome."""

    status: str
    recent: str


def settle(status: str, recent: str, seen: str, rule: Damping) -> Settled:
    """Add an outcome to the last ones and say what the status is now."""
    kept = (recent + _LETTERS[seen])[-max(rule.of, rule.good) :]
    outcomes = [_STATUSES[letter] for letter in kept]
    if status == "unknown" and seen == "healthy":
        return Settled("healthy", kept)  # the first good word is taken
    worse = _worse(outcomes[-rule.of :], rule.bad)
    if worse is not None and RANKS[worse] > RANKS[status]:
        return Settled(worse, kept)
    last = outcomes[-rule.good :]
    best = max(last, key=RANKS.__getitem__)
    if len(last) == rule.good and RANKS[best] < RANKS[status]:
        return Settled(best, kept)
    return Settled(status, kept)


def _worse(outcomes: list[str], needed: int) -> str | None:
    """Return the worst status that enough of the outcomes are at least as bad as."""
    for status in sorted(RANKS, key=RANKS.__getitem__, reverse=True):
        if sum(RANKS[each] >= RANKS[status] for each in outcomes) >= needed:
            return status
    return None


def worst_of(statuses: Iterable[str]) -> str:
    """Return the worst that is known; unknown only where nothing is."""
    known = [status for status in statuses if status != "unknown"]
    return max(known, key=RANKS.__getitem__, default="unknown")
