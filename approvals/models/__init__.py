"""The tables of reviews, of the channels they are announced on, and of what came back."""

from __future__ import annotations

from approvals.models.absence import Absence
from approvals.models.answering import Arrival, DecisionLink, NoticePreference, SlackAccount
from approvals.models.channel import Channel, Notice
from approvals.models.review import Review, ReviewDecision

__all__ = [
    "Absence",
    "Arrival",
    "Channel",
    "DecisionLink",
    "Notice",
    "NoticePreference",
    "Review",
    "ReviewDecision",
    "SlackAccount",
]
