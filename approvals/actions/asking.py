"""Putting a question to people, and using their answer once.

A package to the left asks about a digest, gets no callback, and later presents the same
digest again: the answer it redeems is to exactly the bytes that were asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from approvals.actions.announcing import announce_review
from approvals.actions.matters import lock_matter
from approvals.actions.settling import (
    State,
    end_if_stale,
    lock_review,
    record_review,
)
from approvals.audience import is_audience
from approvals.errors import ReviewAlreadyOpen
from approvals.models import Notice, Review
from approvals.queries import open_review_of
from kernel.db import database_now, refused_as
from kernel.refs import Ref, new_id
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Person

SECURITY: Final = ("role:security",)


@dataclass(frozen=True)
class Question:
    """What people are asked, about which bytes, and what they are shown."""

    kind: str
    subject: Ref
    subject_name: str
    digest: str
    text: str
    requester: Person
    audience: tuple[str, ...] = SECURITY  # role:…, team:<slug>, person:per_…: any of them decides
    quorum: int = 1
    # People beside the requester who may not decide: the owner, above all.
    excluded: frozenset[str] = frozenset()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    justification: str = ""
    open_for: timedelta | None = None
    # From then on, those it escalates to may decide as well.
    escalate_after: timedelta | None = None
    escalate_to: tuple[str, ...] = ()
    asked_by: Ref | None = None  # the agent that asked; the requester answers for it
    operation: str = ""  # what would be done, by its name
    # Irreversible, or money above the policy's line: never decided together with others.
    stakes: Review.Stakes = Review.Stakes.USUAL

    @property
    def about_agent(self) -> str:
        """The agent it is about, by id: the subject, or who asked."""
        refs = (self.subject, self.asked_by)
        return next((ref.id for ref in refs if ref is not None and ref.kind == "agent"), "")

    def check(self) -> None:
        """Refuse what no asker may leave open; a fault of the code that asks, not of people."""
        if self.kind == "" or self.digest == "":
            raise ValueError("a question has a kind and a digest")
        asked = [*self.audience, *self.escalate_to]
        if not self.audience or not all(is_audience(ref) for ref in asked):
            raise ValueError(f"a question is put to roles, teams and people, not to {asked}")
        if (self.escalate_after is None) != (not self.escalate_to):
            raise ValueError("a question escalates after a time and to somebody, or not at all")


@transaction.atomic
def ask(question: Question, *, actor: Actor) -> Review:
    """Open a review. A stale one about the same subject makes room; a live one does not.

    Records: review.opened (and the end of a stale one). Raises: ReviewAlreadyOpen.
    """
    question.check()
    subject = str(question.subject)
    earlier = open_review_of(subject, question.kind)
    if earlier is not None:
        _make_room(earlier, question.digest)
    after = question.escalate_after
    already = ReviewAlreadyOpen("Somebody asked the same a moment ago.")
    lives, now = question.open_for or timedelta(days=settings.REVIEW_DAYS), database_now()
    with refused_as({"approvals_review_one_open_per_subject": already}):
        review = Review.objects.create(
            public_id=new_id("rev"),
            kind=question.kind,
            subject=subject,
            subject_name=question.subject_name,
            digest=question.digest,
            question=question.text,
            justification=question.justification,
            evidence=dict(question.evidence),
            requester=question.requester,
            asked_by=str(question.asked_by or question.requester.ref),
            about_agent=question.about_agent,
            operation=question.operation,
            stakes=question.stakes,
            excluded=sorted(question.excluded),
            audience=list(question.audience),
            escalates_at=None if after is None else now + after,
            escalate_to=list(question.escalate_to),
            quorum=question.quorum,
            created_at=now,
            expires_at=now + lives,
        )
    record_review(
        Verb.REVIEW_OPENED,
        review,
        question.about_agent,
        actor=actor,
        facts={
            "kind": review.kind,
            "digest": review.digest,
            "quorum": review.quorum,
            "audience": review.audience,
            "asked_by": review.asked_by,
            "requester": str(review.requester.ref),
        },
        text={
            "question": review.question,
            "justification": review.justification,
            "evidence": review.evidence,
        },
    )
    announce_review(review, Notice.Event.OPENED)
    return review


@transaction.atomic
def redeem(kind: str, subject: Ref, digest: str, *, actor: Actor) -> Review | None:
    """Use up the granted review of exactly this digest; None when there is none to use.

    Of racing callers one gets it. A grant dies with its review's expiry.
    Records: review.redeemed.
    """
    granted = Review.objects.filter(
        kind=kind,
        subject=str(subject),
        digest=digest,
        state=State.APPROVED,
        redeemed_at__isnull=True,
        expires_at__gt=Now(),
    )
    for review in granted.order_by("id"):
        # No join and no sub-query: PostgreSQL asks these conditions again after waiting.
        if granted.filter(pk=review.pk).update(redeemed_at=Now()):
            review.refresh_from_db()
            record_review(
                Verb.REVIEW_REDEEMED,
                review,
                subject.id if subject.kind == "agent" else "",
                actor=actor,
                facts={"kind": kind, "digest": digest},
            )
            return review
    return None


def _make_room(earlier: Review, digest: str) -> None:
    matter = lock_matter(earlier)
    earlier = lock_review(earlier.public_id)
    if earlier.state != State.OPEN:
        return
    is_stale = end_if_stale(earlier, matter) is not None
    if not is_stale:
        raise ReviewAlreadyOpen(
            f"Review {earlier.public_id} asks this already.",
            review=earlier.public_id,
            same_digest=earlier.digest == digest,
        )
