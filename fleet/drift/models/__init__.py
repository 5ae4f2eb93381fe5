"""What is watched of each route and model, hour by hour and by golden cases, and what changed."""

from __future__ import annotations

from fleet.drift.models.limit import LimitEffect, LimitEffectOnAgent
from fleet.drift.models.price import PriceEffect, PriceEffectOnAgent
from fleet.drift.models.probing import Probe, ProbePlan, Round
from fleet.drift.models.watch import Change, Hour, Watch

__all__ = [
    "Change", "Hour", "LimitEffect", "LimitEffectOnAgent", "PriceEffect", "PriceEffectOnAgent",
    "Probe", "ProbePlan", "Round", "Watch",
]  # fmt: skip
