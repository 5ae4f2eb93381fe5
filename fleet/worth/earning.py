"""The arithmetic of worth, pure: counts and declared values in, money with its width out.

Earned value is accepted outcomes times their declared value, less cost. How many outcomes will be
accepted again is uncertain where few were decided, so each sum has a 95 % interval, made from
the Wilson interval of the share that was accepted. What was corrected counts by the part of it
that was left as asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

Z: Final = 1.959963984540054
WEEKS: Final = 13


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of the actions of one kind, and what one accepted is said to be worth."""

    action: str
    accepted: int = 0
    edited: int = 0
    kept_permille: int = 0  # the sum, over the edited
    rejected: int = 0
    failed: int = 0
    value_micros: int | None = None  # nobody declared one

    @property
    def decided(self) -> int:
        return self.accepted + self.edited + self.rejected + self.failed

    @property
    def counted(self) -> float:
        """Accepted outcomes; an edited one counts by what was kept of it."""
        return self.accepted + self.kept_permille / 1000


@dataclass(frozen=True, slots=True)
class Costs:
    """What an agent cost in a time, in millionths."""

    model_micros: int = 0
    tool_micros: int = 0
    review_micros: int = 0

    @property
    def whole(self) -> int:
        return self.model_micros + self.tool_micros + self.review_micros


@dataclass(frozen=True, slots=True)
class Earned:
    """A value with its bounds; without a declared value there is none."""

    value_micros: int
    lower_micros: int
    upper_micros: int
    is_measured: bool  # of outcomes that people or systems accepted; not only declared


def bounds(part: float, whole: int) -> tuple[float, float]:
    """Return the Wilson interval (95 %) of a share; the part need not be a whole number."""
    if not whole:
        return 0.0, 1.0
    share, squared = part / whole, Z * Z
    middle = share + squared / (2 * whole)
    width = Z * math.sqrt(max(share * (1 - share), 0) / whole + squared / (4 * whole * whole))
    scale = 1 + squared / whole
    # At the ends the bound is the share itself; rounding must not put it on the other side.
    lower = min(max((middle - width) / scale, 0.0), share)
    return lower, max(min((middle + width) / scale, 1.0), share)


def earned(
    outcomes: Iterable[Outcomes], costs: Costs, runs: Outcomes | None = None
) -> Earned | None:
    """Return what an agent earned, less its cost; None where nobody declared a value.

    ``runs`` is the declared value of a run that went well: it stands in only where no action
    has a value, and makes the result declared instead of measured.
    """
    valued = [each for each in outcomes if each.value_micros is not None]
    is_measured = any(each.decided for each in valued)
    if not valued and runs is not None and runs.value_micros is not None:
        valued = [runs]
    if not valued:
        return None
    value = lower = upper = 0.0
    for each in valued:
        worth = each.value_micros or 0
        low, high = bounds(each.counted, each.decided)
        value += each.counted * worth
        lower += low * each.decided * worth
        upper += high * each.decided * worth
    cost = costs.whole
    return Earned(
        round(value) - cost, math.floor(lower) - cost, math.ceil(upper) - cost, is_measured
    )


def weeks_negative(nets: Sequence[int | None]) -> int:
    """Return for how many weeks in a row, to the newest, an agent cost more than it earned.

    A week in which it did nothing breaks nothing and counts for nothing.
    """
    counted = 0
    for net in reversed(nets):
        if net is None:
            continue
        if net >= 0:
            break
        counted += 1
    return counted
