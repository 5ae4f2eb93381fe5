"""What a button in a message stands for: one decision on one digest of one review."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from approvals.models import Review

_VERSION: Final = "1"
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Button:
    """The value of a button; Slack's signature says that it comes from a message of ours."""

    decision: str
    review: str
    digest: str

    @classmethod
    def of(cls, decision: str, review: Review) -> Self:
        """Stand for an answer to a review as it is now."""
        return cls(decision, review.public_id, review.asked_digest)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read a button's value; None when it is none of ours."""
        parts = text.split("|") if len(text) <= _LONGEST else []
        if len(parts) != 4 or parts[0] != _VERSION or parts[1] not in {"approve", "reject"}:
            return None
        return cls(*parts[1:])

    def __str__(self) -> str:
        return "|".join((_VERSION, self.decision, self.review, self.digest))
