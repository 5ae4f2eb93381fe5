"""What a channel that carries everything tells of an action: its arguments as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from approvals.models import Review
from effects.models import Proposal
from effects.reading import action_of


def arguments_of(review: Review) -> Mapping[str, Any] | None:
    """Return the arguments that a review asks about; None when its action is no more.

    Raises: EvidenceAltered, PayloadAbsent, PayloadShredded, PayloadsClosed.
    """
    proposal = Proposal.objects.filter(public_id=review.subject_ref.id).first()
    if proposal is None:
        return None
    arguments: Mapping[str, Any] = action_of(proposal, decided=True)["arguments"]
    return arguments
