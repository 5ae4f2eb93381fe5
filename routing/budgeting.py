"""How somebody describes a budget, before it is one and after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from routing.models.budget import Budget, usual_thresholds

WORDS: Final = {
    ("cost", "month"): "cost a month",
    ("cost", "day"): "cost a day",
    ("requests", "minute"): "requests a minute",
    ("tokens", "minute"): "tokens a minute",
    ("open_calls", "always"): "calls open at once",
}


@dataclass(frozen=True, slots=True)
class BudgetDraft:
    """A budget as somebody describes it; ``subject`` is a name or a public id."""

    subject_kind: str
    measure: str
    cap: int
    period: str = ""
    subject: str = ""
    model: str = ""
    currency: str = ""
    thresholds: list[int] = field(default_factory=usual_thresholds)
    lets_unpriced: bool = False
    reason: str = ""


def words(budget: Budget) -> str:
    """Return what a budget caps, for people."""
    said = WORDS[budget.measure, budget.period]
    return f"{said}, on {budget.model}" if budget.model else said
