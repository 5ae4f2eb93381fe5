"""How somebody describes a budget, before it is one."""

from __future__ import annotations

from dataclasses import dataclass, field

from routing.models.budget import usual_thresholds


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
