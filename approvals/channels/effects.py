"""How far an action reaches, in order: what filters and limits of channels compare.

A review that is about no single action (a registration, a policy) stands above every action,
and an action whose reach is not known counts as the worst.
"""

from __future__ import annotations

from approvals.models import Review
from approvals.models.channel import ANY_EFFECT, EFFECTS


def effect_of(review: Review) -> str:
    """Return how far what is asked about reaches; empty when it is no action."""
    if review.kind != Review.Kind.PROPOSAL:
        return ""
    named = review.evidence.get("effect", "")
    return named if named in EFFECTS else EFFECTS[-1]


def is_at_least(effect: str, least: str) -> bool:
    """Say whether a review passes a filter; what is no action always does."""
    return not least or not effect or EFFECTS.index(effect) >= EFFECTS.index(least)


def may_be_decided(effect: str, limit: str) -> bool:
    """Say whether a limit lets something be decided: nothing unless it is named."""
    if limit == ANY_EFFECT:
        return True
    return bool(limit and effect) and EFFECTS.index(effect) <= EFFECTS.index(limit)
