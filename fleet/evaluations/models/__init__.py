"""What is compared before a model takes another's place, and how that came out."""

from __future__ import annotations

from fleet.evaluations.models.criteria import GateCriteria
from fleet.evaluations.models.evaluation import Arm, Asking, Case, Evaluation
from fleet.evaluations.models.golden import GoldenCase

__all__ = ["Arm", "Asking", "Case", "Evaluation", "GateCriteria", "GoldenCase"]
