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
from approvals.audience import audience_now, in_words, refs_of
from approvals.errors import (
    AlreadyDecided,
    CommentMissing,
    DecisionUnknown,
    NotAsked,
    OwnMatter,
    PeopleDecide,
)
from approvals.humans import accounts_of
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
    Raises: ReviewNotFound, RoleMissing, NotAsked, OwnMatter, PeopleDecide, ReviewSettled,
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
    """Return the person who decides, locked.

    Raises: PeopleDecide, RoleMissing, NotAsked, OwnMatter.
    """
    if actor.person is None:
        raise PeopleDecide
    # A deactivation under way waits for this lock, or is seen here.
    person = Person.objects.select_for_update(no_key=True).get(pk=actor.person.pk)
    if not person.is_active:
        raise PersonDeactivated
    _check_asked(review, Actor.of(person, actor.roles))
    _check_own(review, matter, person)
    return person


def _check_asked(review: Review, actor: Actor) -> None:
    """Raises: RoleMissing where only roles are asked, else NotAsked."""
    audience = audience_now(review)
    if set(refs_of(actor)) & set(audience):
        return
    if all(ref.startswith("role:") for ref in audience):
        actor.require(*(Role(ref.removeprefix("role:")) for ref in audience))
    raise NotAsked(f"This is put to {in_words(audience)}.", audience=audience)


def _check_own(review: Review, matter: Matter, person: Person) -> None:
    """Raises: OwnMatter, when the person, with whatever account, is a party to it."""
    own = {account.public_id for account in accounts_of(person)}
    if review.requester.public_id in own:
        raise OwnMatter("You asked this yourself; somebody else decides.", rule="requester")
    if own & matter.owner_ids():
        raise OwnMatter("You own what this is about; somebody else decides.", rule="owner")
    if own & {*review.excluded, *matter.barred()}:
        raise OwnMatter("You are party to this; somebody else decides.", rule="excluded")


def _answer(
    review: Review,
    person: Person,
    decision: Decision,
    comment: str,
    matter: Matter,
    actor: Actor,
) -> None:
    again = AlreadyDecided("Your answer is on record; it is given once.")
    human = accounts_of(person)
    if review.decisions.filter(decider__in=human, digest=review.asked_digest).exists():
        raise again
    with refused_as({"approvals_reviewdecision_one_each": again}):
        ReviewDecision.objects.create(
            review=review,
            decider=person,
            decision=decision,
            digest=review.asked_digest,
            comment=comment,
            created_at=Now(),
        )
    record_review(
        Verb.REVIEW_DECIDED,
        review,
        matter.agent_id,
        actor=actor,
        facts={"decision": decision.value, "digest": review.asked_digest},
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
    elif approvals_that_count(review, barred) >= review.quorum:
        settle_review(review, State.APPROVED, matter, actor=actor)


def _barred(review: Review, matter: Matter) -> set[str]:
    return {review.requester.public_id, *review.excluded, *matter.barred()}
