"""How much a bench does: the full sizes that are published, or less to see that it works.

Only the full effort writes the figures that documents quote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Effort:
    """The sizes of every part."""

    name: str
    agents: int
    usage_days: int  # one row an agent and a day
    calls: int
    sequential: int  # timed requests of each page, one after the other
    together: int  # timed requests of each page, eight at a time
    entries: int  # that verify reads
    starts: int
    idle_seconds: float
    call_seconds: float  # of each cell of the gateway's table
    call_rounds: int
    run_entries: tuple[int, ...]  # of the ledger that runs are listed from, ever larger


TEN_MILLION: Final = 10_000_000
FULL = Effort("full", 10_000, 90, 200_000, 30, 64, 200_000, 3, 10.0, 3.0, 3, (100_000, 1_000_000))
QUICK = Effort("quick", 1_000, 30, 10_000, 10, 16, 20_000, 1, 5.0, 1.0, 1, (20_000, 100_000))
TINY = Effort("tiny", 60, 3, 300, 2, 8, 600, 1, 0.5, 0.05, 1, (1200,))
EFFORTS = {effort.name: effort for effort in (FULL, QUICK, TINY)}
