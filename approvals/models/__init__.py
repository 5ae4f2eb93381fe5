"""The tables of reviews."""

from __future__ import annotations

from approvals.models.review import Review, ReviewDecision

__all__ = ["Review", "ReviewDecision"]
