"""Models that answered under another name than they were called by, as vendors said it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Max

from kernel import clock
from registry.actors import Actor
from routing.queries.calls import calls_for

DAYS: Final = 30
LONGEST: Final = 100


@dataclass(frozen=True, slots=True)
class Substitution:
    """One model that was called, and the one which its vendor says answered."""

    vendor: str
    model: str
    reported: str
    calls: int
    agents: int
    last_at: datetime


def substitutions_for(actor: Actor) -> list[Substitution]:
    """Return what answered instead of what in the last days, the most frequent first."""
    since = clock.now() - timedelta(days=DAYS)
    rows = calls_for(actor).filter(is_substituted=True, started_at__gte=since).order_by()
    summed = rows.values("vendor", "model", "reported_model").annotate(
        calls=Count("id"), agents=Count("agent_id", distinct=True), last=Max("started_at")
    )
    return [
        Substitution(
            row["vendor"], row["model"], row["reported_model"], row["calls"], row["agents"],
            row["last"],
        )
        for row in summed.order_by("-calls", "vendor", "model")[:LONGEST]
    ]  # fmt: skip
