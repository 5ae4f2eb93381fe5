"""When agents have to be off a model: its day, or some days from now where that is over.

Owns the one rule for a day that lies behind us: a model that goes on answering is left a few days
more, so that nobody is paused on the day on which somebody first hears of it.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from kernel import clock

GRACE_DAYS: Final = 7


def due_day(ends: date, known: date | None = None) -> date:
    """Return by when agents must be off a model that ends; ``known`` is what was said before."""
    today = clock.now().date()
    if ends >= today:
        return ends
    grace = today + timedelta(days=GRACE_DAYS)
    return min(known or grace, grace)
