"""Every change of a review, under the names by which the rest of the service calls them."""

from __future__ import annotations

from approvals.actions.absences import end_absence, set_absence
from approvals.actions.asking import Question, ask, redeem
from approvals.actions.deciding import decide_review
from approvals.actions.ending import expire_reviews, withdraw_review
from approvals.actions.escalating import escalate_reviews
from approvals.actions.submitting import request_promotion, submit_agent
from approvals.actions.together import Outcome, decide_reviews, goes_together, reviews_together

__all__ = [
    "Outcome",
    "Question",
    "ask",
    "decide_review",
    "decide_reviews",
    "end_absence",
    "escalate_reviews",
    "expire_reviews",
    "goes_together",
    "redeem",
    "request_promotion",
    "reviews_together",
    "set_absence",
    "submit_agent",
    "withdraw_review",
]
