"""Ends of a review that nobody decided: taken back, or out of time.

Expiry means no. It is swept, and asked again by whoever comes first, so a sweep that is
late changes nothing.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from approvals.actions.matters import lock_matter
from approvals.actions.settling import (
    State,
    check_open,
    end_if_stale,
    lock_review,
    settle_review,
)
from approvals.actions.texts import clean_text
from approvals.errors import NotYoursToWithdraw, ReviewExpired
from approvals.models import Review
from approvals.queries import review_for
from kernel.refs import Ref
from registry.actors import Actor
from registry.models import Agent, Role


def withdraw_review(public_id: str, *, actor: Actor, reason: str = "") -> Review:
    """Take a question back; what waited for the answer is free to be asked about again.

    Records: review.withdrawn. Raises: ReviewNotFound, NotYoursToWithdraw, ReviewSettled,
    ReviewExpired.
    """
    said = clean_text(reason, "reason")
    with transaction.atomic():
        seen = review_for(actor, public_id)
        matter = lock_matter(seen)
        review = lock_review(seen.public_id)
        asked = actor.is_person(review.requester) or actor.ref.id in matter.owner_ids()
        if not (asked and actor.has(Role.EMPLOYEE)):
            raise NotYoursToWithdraw
        check_open(review)
        stale = end_if_stale(review, matter)
        if stale is None:
            settle_review(review, State.WITHDRAWN, matter, actor=actor, reason=said)
    if isinstance(stale, ReviewExpired):
        raise stale
    return review


def withdraw_reviews_of(agent: Agent, *, actor: Actor, reason: str) -> int:
    """Take back every open question about an agent that ends; return how many.

    What would bring it back is left: that is asked of an agent that has ended.
    Records: review.withdrawn for each, and what that undoes.
    """
    rows = Review.objects.filter(state=State.OPEN, about_agent=agent.public_id)
    rows = rows.exclude(kind=Review.Kind.RESTORE).order_by("id")
    named = list(rows.values_list("public_id", flat=True))
    return sum(_withdraw(public_id, actor, reason) for public_id in named)


def withdraw_reviews_on(subject: Ref, *, actor: Actor, reason: str) -> int:
    """Take back every open question about something that goes; return how many.

    Records: review.withdrawn for each, and what that undoes.
    """
    rows = Review.objects.filter(state=State.OPEN, subject=str(subject)).order_by("id")
    named = list(rows.values_list("public_id", flat=True))
    return sum(_withdraw(public_id, actor, reason) for public_id in named)


@transaction.atomic
def _withdraw(public_id: str, actor: Actor, reason: str) -> bool:
    matter = lock_matter(Review.objects.get(public_id=public_id))
    review = lock_review(public_id)
    if review.state != State.OPEN:
        return False
    settle_review(review, State.WITHDRAWN, matter, actor=actor, reason=reason)
    return True


def expire_reviews(*, actor: Actor) -> int:
    """End every open review whose time is up, each in its own transaction; return how many.

    Records: review.expired, and what its end undoes.
    """
    due = Review.objects.filter(state=State.OPEN, expires_at__lte=Now()).order_by("expires_at")
    ended = 0
    for public_id in list(due.values_list("public_id", flat=True)):
        ended += _expire(public_id, actor)
    return ended


@transaction.atomic
def _expire(public_id: str, actor: Actor) -> bool:
    matter = lock_matter(Review.objects.get(public_id=public_id))
    review = lock_review(public_id)
    if review.state != State.OPEN:
        return False  # somebody came first
    settle_review(review, State.EXPIRED, matter, actor=actor)
    return True
