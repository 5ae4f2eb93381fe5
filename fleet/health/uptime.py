"""How well a day was: which share of the known time it was up, and in which colour. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

DOWN_SHARE: Final = 0.05  # of the known time: a bad day
WORSE_SHARE: Final = 0.005  # down or degraded: not a good one


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: seconds of agents that were healthy, degraded and down; what is unknown is left."""

    day: date
    healthy: int = 0
    degraded: int = 0
    down: int = 0

    @property
    def known(self) -> int:
        return self.healthy + self.degraded + self.down

    @property
    def up(self) -> float | None:
        return 1 - self.down / self.known if self.known else None

    @property
    def share(self) -> str:
        return shown(self.up)

    @property
    def status(self) -> str:
        if not self.known:
            return "unknown"
        if self.down >= DOWN_SHARE * self.known:
            return "down"
        is_worse = self.down + self.degraded >= WORSE_SHARE * self.known
        return "degraded" if is_worse and self.down + self.degraded else "healthy"


def uptime(bars: Iterable[Bar]) -> float | None:
    """Return the share of the known time in which agents were up; None where nothing is known."""
    listed = list(bars)
    known = sum(bar.known for bar in listed)
    return 1 - sum(bar.down for bar in listed) / known if known else None


def shown(share: float | None) -> str:
    """Write a share so that less than all is never rounded up to all."""
    if share is None:
        return "not known"
    if share >= 1:
        return "100 %"
    return f"{min(share * 100, 99.99):.2f} %"
