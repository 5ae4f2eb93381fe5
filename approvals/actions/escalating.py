"""Noticing that a review has escalated. Who may decide follows the clock, not this.

From its escalation on, whoever it escalates to belongs to the audience; here that becomes a
fact on record, once, by the sweep or by whoever decides first.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from approvals.actions.announcing import announce_review
from approvals.actions.settling import State, lock_review, record_review
from approvals.models import Notice, Review
from ledger.verbs import Verb
from registry.actors import Actor


def escalate_reviews(*, actor: Actor) -> int:
    """Notice every open review whose time to escalate has come; return how many.

    Records: review.escalated.
    """
    due = Review.objects.filter(
        state=State.OPEN,
        escalates_at__lte=Now(),
        escalated_at__isnull=True,
        expires_at__gt=Now(),
    )
    noticed = 0
    for public_id in list(due.order_by("escalates_at").values_list("public_id", flat=True)):
        with transaction.atomic():
            noticed += note_escalation(lock_review(public_id), actor=actor)
    return noticed


def note_escalation(review: Review, *, actor: Actor) -> bool:
    """Put an escalation on record that is due and was not noticed; the review is locked.

    Records: review.escalated.
    """
    if review.escalates_at is None or review.escalated_at is not None:
        return False
    due = Review.objects.filter(
        pk=review.pk, state=State.OPEN, escalates_at__lte=Now(), escalated_at__isnull=True
    )
    if not due.update(escalated_at=Now()):
        return False
    review.refresh_from_db()
    record_review(
        Verb.REVIEW_ESCALATED,
        review,
        review.about_agent,
        actor=actor,
        facts={"audience": review.audience, "joined_by": review.escalate_to},
    )
    announce_review(review, Notice.Event.ESCALATED)
    return True
