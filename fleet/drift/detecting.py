"""When a figure has changed: one test for every figure, its false alarms stated.

Every figure is looked at as a share: of calls that failed, that another model answered, that
were slower, or dearer, than 95 of 100 calls of the reference. Two shares are compared by the
two-proportion test, upwards only. With both samples at `LEAST` calls or more, a look at a
figure that has not changed raises an alarm less than once in `1 / FALSE_ALARMS` looks; a
watch is looked at four times (once a figure) an hour.

It sees a jump and says nothing of a slow creep below `FLOOR` points within a reference week.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

LEAST: Final = 50  # calls in the recent sample, and in the reference
FLOOR: Final = 0.05  # a smaller rise is nobody's business, however sure it is
# One-sided; by the normal approximation 3e-5, and the floor makes it rarer in small samples.
SCORE: Final = 4.0
FALSE_ALARMS: Final = 1 / 1000


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        return self.part / self.whole if self.whole else 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison came to."""

    is_alarm: bool
    score: float
    is_enough: bool  # whether there were calls enough to say anything


def compared(reference: Share, recent: Share) -> Verdict:
    """Say whether a share has risen from the reference to now."""
    if min(reference.whole, recent.whole) < LEAST:
        return Verdict(is_alarm=False, score=0.0, is_enough=False)
    rise = recent.value - reference.value
    # One more of each kind on both sides: a reference without a single failure is not certainty.
    pooled = (reference.part + recent.part + 1) / (reference.whole + recent.whole + 2)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / reference.whole + 1 / recent.whole))
    score = rise / spread if spread else 0.0
    return Verdict(is_alarm=rise >= FLOOR and score >= SCORE, score=score, is_enough=True)
