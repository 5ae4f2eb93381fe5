"""What agents reported, summed up apart from what the gateway observed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q, Sum

from registry.models import Agent
from routing.models import ReportedStep

_APART = Q(observed="")


@dataclass(frozen=True, slots=True)
class ReportedUse:
    """The reported steps of a run. Tokens and cost are of calls that the gateway did not see."""

    steps: int
    failed: int
    observed: int  # of calls that the gateway saw, and counts itself
    input_tokens: int
    output_tokens: int
    cost_micros: dict[str, int]  # by currency


def reported_use(run_id: str) -> ReportedUse:
    """Add up what was reported in a run."""
    rows = ReportedStep.objects.filter(run_id=run_id)
    sums = rows.aggregate(
        steps=Count("id"),
        failed=Count("id", filter=Q(status="error")),
        tied=Count("id", filter=~_APART),  # a name of its own: the column is asked for below
        tokens_in=Sum("input_tokens", filter=_APART, default=0),
        tokens_out=Sum("output_tokens", filter=_APART, default=0),
    )
    costs = rows.filter(_APART, cost_micros__isnull=False).values("currency").order_by("currency")
    return ReportedUse(
        sums["steps"],
        sums["failed"],
        sums["tied"],
        int(sums["tokens_in"]),
        int(sums["tokens_out"]),
        {row["currency"]: int(row["cost"]) for row in costs.annotate(cost=Sum("cost_micros"))},
    )


def reports_since(agent: Agent) -> dict[str, datetime]:
    """Return since when an agent reports, by how: ``otlp``, ``api``."""
    rows = ReportedStep.objects.filter(agent_id=agent.public_id).values("source").order_by()
    return {row["source"]: row["first"] for row in rows.annotate(first=Min("recorded_at"))}
