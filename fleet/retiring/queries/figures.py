"""What an agent came to in its life, for its tombstone."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Count, Max, Min, Q, Sum

from effects.models import Proposal
from registry.models import Agent
from routing.models import Run, UsageDay


def figures_of(agent: Agent) -> dict[str, Any]:
    """Return an agent's sums over everything that was counted of it."""
    used = UsageDay.objects.filter(agent_id=agent.public_id).aggregate(
        calls=Sum("calls", default=0),
        errors=Sum("errors", default=0),
        denied=Sum("denied", default=0),
        input_tokens=Sum("input_tokens", default=0),
        output_tokens=Sum("output_tokens", default=0),
        cost_micros=Sum("cost_micros", default=0),
        first_day=Min("day"),
        last_day=Max("day"),
    )
    asked = Proposal.objects.filter(agent=agent).aggregate(
        proposals=Count("id"), effects=Count("id", filter=Q(state=Proposal.State.SUCCEEDED))
    )
    runs = Run.objects.filter(agent_id=agent.public_id).count()
    days = {
        name: used[name].isoformat() if used[name] else "" for name in ("first_day", "last_day")
    }
    return {**used, **days, **asked, "runs": runs, "versions": agent.versions.count()}


def _day(day: date | None) -> str:
    return day.isoformat() if day is not None else ""
