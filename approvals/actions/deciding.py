"""Answering a review: four eyes, k of n, one winner.

An answer is to the digest that its giver saw; a decider may also change what is asked, within
what its matter allows, and approve that: earlier approvals were to something else, and lapse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from approvals.actions.escalating import note_escalation
from approvals.actions.matters import lock_matter
from approvals.actions.rights import Decider, barred_from, is_used, lock_decider
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
    EditRefused,
    ReviewChanged,
    SecretSpoke,
)
from approvals.models import Channel, Review, ReviewDecision
from approvals.ports import Matter
from approvals.queries import approvals_that_count, review_for
from approvals.standing_in import Right
from kernel.db import refused_as
from ledger.entries import Fact
from ledger.verbs import Verb
from registry.actors import Actor

Decision = ReviewDecision.Decision


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, with everything that is kept of it."""

    decision: ReviewDecision.Decision
    comment: str
    is_edited: bool
    signed_over: Channel | None


def decide_review(  # noqa: PLR0913  one answer: to what, with what, signed by whom
    public_id: str,
    *,
    actor: Actor,
    decision: str,
    comment: str = "",
    edited: Mapping[str, Any] | None = None,
    digest: str | None = None,
    signed_over: Channel | None = None,
) -> Review:
    """Answer a review. One rejection ends it; the quorum's last approval carries it out.

    ``digest`` is what the decider saw: an answer to anything else is refused; without one, a yes
    is to what was asked at first. ``edited`` holds what an approval makes of the arguments; from
    then on that is what is asked. ``signed_over`` is the channel whose secret signed the answer:
    one secret gives one answer to a question, whoever it names.

    Records: review.decided, review.edited, and review.approved or review.rejected with the
    change. Raises: ReviewNotFound, RoleMissing, NotAsked, OwnMatter, PeopleDecide,
    ReviewSettled, ReviewExpired, ReviewVoid, ReviewChanged, AlreadyDecided, SecretSpoke,
    CommentMissing, DecisionUnknown, EditRefused, and what its matter raises of an edit.
    """
    said = _checked(decision, comment, edited)
    with transaction.atomic():
        seen = review_for(actor, public_id)
        matter = lock_matter(seen)
        review = lock_review(seen.public_id)
        barred = barred_from(review, matter)
        decider = lock_decider(review, matter, actor)
        check_open(review)
        stale = end_if_stale(review, matter)
        if stale is None:
            note_escalation(review, actor=Actor.system("review-escalation"))
            _check_seen(review, digest, is_blind=decision == Decision.APPROVE and edited is None)
            is_edited = edited is not None and _edit(review, edited, matter, actor)
            answer = Answer(Decision(decision), said, is_edited, signed_over)
            _answer(review, decider, answer, matter, actor)
            _settle_if_decided(review, Decision(decision), said, matter, barred, actor)
    if stale is not None:
        raise stale
    return review


def _checked(decision: str, comment: str, edited: Mapping[str, Any] | None) -> str:
    """Return the comment as it is kept. Raises: DecisionUnknown, CommentMissing, EditRefused."""
    if decision not in Decision.values:
        raise DecisionUnknown(f"{decision[:40]!r} is neither approve nor reject.")
    said = clean_text(comment, "comment")
    if decision == Decision.REJECT and not said:
        raise CommentMissing("The owner needs a reason to act on.", field="comment")
    if decision == Decision.REJECT and edited is not None:
        raise EditRefused("Only an approval changes what is asked.", field="edited_arguments")
    return said


def _check_seen(review: Review, digest: str | None, *, is_blind: bool) -> None:
    # Who names no digest says yes to what was asked, and not to what a decider made of it since.
    seen = review.digest if digest is None and is_blind else digest
    if seen is not None and seen != review.asked_digest:
        raise ReviewChanged(
            "What you saw has changed. Look at it again, then decide.", digest=review.asked_digest
        )


def _edit(review: Review, edited: Mapping[str, Any], matter: Matter, actor: Actor) -> bool:
    """Make what is asked what the decider wants; say whether that differs.

    Records: review.edited. The matter records what was written.
    """
    before, after = review.asked_digest, matter.edit(edited, actor=actor)
    if after == before:
        return False
    Review.objects.filter(pk=review.pk, state=State.OPEN).update(edited_digest=after)
    review.refresh_from_db()
    record_review(
        Verb.REVIEW_EDITED,
        review,
        matter.agent_id,
        actor=actor,
        facts={"digest": after, "was": before},
    )
    return True


def _answer(review: Review, decider: Decider, answer: Answer, matter: Matter, actor: Actor) -> None:
    again = AlreadyDecided("Your answer, or one in your place, is on record; it is given once.")
    if is_used(decider.right, review) or is_used(Right(decider.person, []), review):
        raise again
    spoke = SecretSpoke(
        "This channel's secret signed an answer to this already. The next one is given in the"
        " portal."
    )
    with refused_as(
        {
            "approvals_reviewdecision_one_each": again,
            "approvals_reviewdecision_one_per_right": again,
            "approvals_reviewdecision_one_per_secret": spoke,
        }
    ):
        ReviewDecision.objects.create(
            review=review,
            decider=decider.person,
            on_behalf_of=decider.on_behalf_of,
            decision=answer.decision,
            digest=review.asked_digest,
            is_edited=answer.is_edited,
            comment=answer.comment,
            signed_over=answer.signed_over,
            created_at=Now(),
        )
    record_review(
        Verb.REVIEW_DECIDED,
        review,
        matter.agent_id,
        actor=actor,
        facts={
            "decision": answer.decision.value, "digest": review.asked_digest, **_for(decider),
        },
        text=answer.comment,
    )  # fmt: skip


def _for(decider: Decider) -> dict[str, Fact]:
    return {} if decider.on_behalf_of is None else {"for": str(decider.on_behalf_of.ref)}


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
