"""When agents have to be off a model: its day, or some days from now where that is too soon.

Owns the one rule for a day that is heard of late: there are a few days from then at least, so
that nobody is paused on the day on which somebody first hears of it.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from django.conf import settings

from kernel import clock

GRACE_DAYS: Final = 7


def due_day(ends: date, known: date | None = None) -> date:
    """Return by when agents must be off a model that ends; ``known`` is what was said before."""
    left = timedelta(days=GRACE_DAYS + settings.CAMPAIGN_MARGIN_HOURS // 24)
    soonest = clock.now().date() + left
    # What was known before comes nearer by itself; it is not put off again each day.
    return max(ends, min(known or soonest, soonest))
