"""Answering a review: four eyes, k of n, one winner.

Whether somebody may decide is asked of the rows as they are under the lock, not of what
was true when they opened the page: roles, ownership and accounts change meanwhile.
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
    record_review,
    settle_review,
)
from approvals.actions.texts import clean_text
from approvals.errors import (
    AlreadyDecided,
    CommentMissing,
    DecisionUnknown,
    OwnMatter,
    PeopleDecide,
)
from approvals.models import Review, ReviewDecision
from approvals.ports import Matter
from approvals.queries import approvals_that_count, review_for
from kernel.db import refused_as
from ledger.verbs import Verb
from registry.actors import Actor
from registry.errors.authentication import PersonDeactivated
from registry.models import Person, Role

Decision = ReviewDecision.Decision


def decide_review(public_id: str, *, actor: Actor, decision: str, comment: str = "") -> Review:
    """Answer a review. One rejection ends it; the quorum's last approval carries it out.

    Records: review.decided, and review.approved or review.rejected with the change.
    Raises: ReviewNotFound, RoleMissing, OwnMatter, PeopleDecide, ReviewSettled,
    ReviewExpired, ReviewVoid, AlreadyDecided, CommentMissing, DecisionUnknown.
    """
    if decision not in Decision.values:
        raise DecisionUnknown(f"{decision[:40]!r} is neither approve nor reject.")
    said = clean_text(comment, "comment")
    if decision == Decision.REJECT and not said:
        raise CommentMissing("The owner needs a reason to act on.", field="comment")
    with transaction.atomic():
        seen = review_for(actor, public_id)
        matter = lock_matter(seen)
        review = lock_review(seen.public_id)
        barred = _barred(review, matter)
        person = _decider(review, matter, actor)
        check_open(review)
        stale = end_if_stale(review, matter)
        if stale is None:
            _answer(review, person, Decision(decision), said, matter, actor)
            _settle_if_decided(review, Decision(decision), said, matter, barred, actor)
    if stale is not None:
        raise stale
    return review


def _decider(review: Review, matter: Matter, actor: Actor) -> Person:
    """Return the person who decides, locked. Raises: PeopleDecide, RoleMissing, OwnMatter."""
    if actor.person is None:
        raise PeopleDecide
    # A deactivation under way waits for this lock, or is seen here.
    person = Person.objects.select_for_update(no_key=True).get(pk=actor.person.pk)
    if not person.is_active:
        raise PersonDeactivated
    Actor.of(person, actor.roles).require(Role(review.required_role))
    if review.requester_id == person.pk:
        raise OwnMatter("You asked this yourself; somebody else decides.", rule="requester")
    if person.public_id in matter.owner_ids():
        raise OwnMatter("You own what this is about; somebody else decides.", rule="owner")
    if person.public_id in review.excluded:
        raise OwnMatter("You are party to this; somebody else decides.", rule="excluded")
    return person


def _answer(
    review: Review,
    person: Person,
    decision: Decision,
    comment: str,
    matter: Matter,
    actor: Actor,
) -> None:
    again = AlreadyDecided("Your answer is on record; it is given once.")
    with refused_as({"approvals_reviewdecision_one_each": again}):
        ReviewDecision.objects.create(
            review=review, decider=person, decision=decision, comment=comment, created_at=Now()
        )
    record_review(
        Verb.REVIEW_DECIDED,
        review,
        matter.agent_id,
        actor=actor,
        facts={"decision": decision.value, "digest": review.digest},
        text=comment,
    )


def _settle_if_decided(
    review: Review,
    decision: Decision,
    comment: str,
    matter: Matter,
    barred: set[str],
    actor: Actor,
) -> None:
    if decision == Decision.REJECT:
        settle_review(review, State.REJECTED, matter, actor=actor, reason=comment)
    elif approvals_that_count(review, barred).count() >= review.quorum:
        settle_review(review, State.APPROVED, matter, actor=actor)


def _barred(review: Review, matter: Matter) -> set[str]:
    return {review.requester.public_id, *review.excluded, *matter.barred()}
