"""Answering several reviews of one sort at once: each still its own answer and its own entry.

Only what is alike and harmless enough goes together: one kind, one operation, one agent, low
stakes, nothing that a decider changed. What is refused for one is said of that one alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from approvals.actions.deciding import decide_review
from approvals.errors import NotTogether
from approvals.models import Review
from approvals.queries import reviews_for
from kernel.errors import DomainError
from registry.actors import Actor


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of several answers."""

    review: Review
    refusal: DomainError | None = None


def decide_reviews(
    picked: Sequence[tuple[str, str]], *, actor: Actor, decision: str, comment: str = ""
) -> list[Outcome]:
    """Answer each of some reviews, given as (id, digest seen); one refused stops no other.

    Records: what decide_review records, for each. Raises: NotTogether; what is wrong with one
    of them is its outcome.
    """
    outcomes = []
    for review in reviews_together(picked, actor=actor):
        digest = dict(picked)[review.public_id]
        try:
            decided = decide_review(
                review.public_id, actor=actor, decision=decision, comment=comment, digest=digest
            )
        except DomainError as refusal:
            outcomes.append(Outcome(review, refusal))
        else:
            outcomes.append(Outcome(decided))
    return outcomes


def reviews_together(picked: Sequence[tuple[str, str]], *, actor: Actor) -> list[Review]:
    """Return the reviews that were picked, if they may be answered together.

    Records: nothing. Raises: NotTogether.
    """
    ids = list(dict.fromkeys(public_id for public_id, _ in picked))
    most = settings.REVIEWS_TOGETHER
    if not 1 <= len(ids) <= most:
        raise NotTogether(f"Select from 1 to {most} reviews.", most=most)
    found = {each.public_id: each for each in reviews_for(actor).filter(public_id__in=ids)}
    reviews = [found[public_id] for public_id in ids if public_id in found]
    if len(reviews) < len(ids):
        raise NotTogether("One of them is not there, or not for you.")
    if len({(each.kind, each.operation, each.about_agent) for each in reviews}) > 1:
        raise NotTogether("Only questions of one kind, operation and agent go together.")
    if any(not goes_together(each) for each in reviews):
        raise NotTogether("High stakes, and what a decider changed, are decided one at a time.")
    return reviews


def goes_together(review: Review) -> bool:
    """Say whether a review may be answered with others of its sort."""
    return review.stakes == Review.Stakes.USUAL and not review.edited_digest
