"""What an answer says of our limits: how much there is, how much is left, when it begins anew.

Where one of our limits holds, its numbers stand instead of the vendor's: the vendor's are
true of the account that all agents share. Of several, the one that is nearest to its cap.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from ledger.holds import Levels
from routing.gateway.budgets import COST, REQUESTS, TOKENS
from routing.gateway.ports import Headers
from routing.gateway.reserving import Hold, money

_SHOWN: Final = (REQUESTS, TOKENS)


def rate_headers(holds: Iterable[Hold], levels: Levels, dialect: str, now: datetime) -> Headers:
    """Return the headers of the tightest limits that an attempt holds."""
    tightest: dict[str, tuple[int, Hold]] = {}
    for hold in holds:
        level = levels.get(hold.window)
        taken = level.spent + level.held if level is not None else hold.amount
        left = max(hold.limit.cap - taken, 0)
        measure = hold.limit.measure
        if measure not in tightest or left < tightest[measure][0]:
            tightest[measure] = left, hold
    found: Headers = []
    for measure in _SHOWN:
        if measure in tightest:
            found += _rates(measure, *tightest[measure], dialect, now)
    if COST in tightest:
        left, hold = tightest[COST]
        found.append((b"x-unsprawl-budget-remaining", money(left, hold.limit.currency).encode()))
    return found


def _rates(measure: str, left: int, hold: Hold, dialect: str, now: datetime) -> Headers:
    ends_at = hold.limit.span(now).ends_at or now
    before, after = "x-ratelimit-", f"-{measure}"
    reset = f"{max((ends_at - now).total_seconds(), 0.0):.3f}s"
    if dialect == "anthropic":
        before, after = f"anthropic-ratelimit-{measure}-", ""
        reset = f"{ends_at:%Y-%m-%dT%H:%M:%SZ}"
    said = {"limit": str(hold.limit.cap), "remaining": str(left), "reset": reset}
    return [(f"{before}{name}{after}".encode(), value.encode()) for name, value in said.items()]


def but_ours(vendors: Headers, ours: Headers) -> Headers:
    """Return a vendor's headers without those that ours stand for."""
    names = {name for name, _ in ours}
    return [header for header in vendors if header[0] not in names]
