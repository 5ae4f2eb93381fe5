"""The end of a review: one update, one winner, its effect in the same transaction.

Whoever settles holds the row's lock, and the update still names the state it leaves: the
lock makes losers wait, the update makes them lose.
"""

from __future__ import annotations

from typing import Final

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from approvals.actions.announcing import announce_review
from approvals.actions.matters import is_settled_here
from approvals.errors import ReviewExpired, ReviewSettled, ReviewVoid
from approvals.models import Notice, Review
from approvals.ports import Matter
from kernel.canonical import canonical
from kernel.errors import Conflict
from ledger.entries import Fact
from ledger.models import Entry
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor

State = Review.State
_VERBS: Final = {
    State.APPROVED: Verb.REVIEW_APPROVED,
    State.REJECTED: Verb.REVIEW_REJECTED,
    State.EXPIRED: Verb.REVIEW_EXPIRED,
    State.WITHDRAWN: Verb.REVIEW_WITHDRAWN,
}


def lock_review(public_id: str) -> Review:
    """Lock a review's row and return it as it is now."""
    locked = Review.objects.select_for_update(of=("self",)).select_related("requester")
    return locked.get(public_id=public_id)


def check_open(review: Review) -> None:
    """Raises: ReviewSettled, saying how it ended."""
    if review.state != State.OPEN:
        raise settled_as(review)


def settled_as(review: Review) -> ReviewSettled:
    """Return the refusal that says how a review ended."""
    return ReviewSettled(f"This review is {review.state} already.", state=review.state)


def end_if_stale(review: Review, matter: Matter) -> Conflict | None:
    """End a review that nobody can answer any more, and return the refusal to raise.

    The caller raises it after the commit: the end must stand, the answer must not.
    Records: review.expired or review.withdrawn.
    """
    if Review.objects.filter(pk=review.pk, expires_at__lte=Now()).exists():
        settle_review(review, State.EXPIRED, matter, actor=Actor.system("review-expiry"))
        return ReviewExpired("Nobody decided in time, which means no. Submit again.")
    present = matter.present_digest()
    if present is not None and present != review.asked_digest:
        actor = Actor.system("review-digest")
        settle_review(review, State.WITHDRAWN, matter, actor=actor, reason="the digest differs")
        return ReviewVoid(
            "What was asked about is not what is there now. Submit again.",
            digest=review.asked_digest,
        )
    return None


@transaction.atomic
def settle_review(
    review: Review, state: State, matter: Matter, *, actor: Actor, reason: str = ""
) -> None:
    """Move a review out of ``open``, and do or undo what it asked for.

    Records: review.approved, review.rejected, review.expired or review.withdrawn, and the
    change it leads to. Raises: ReviewSettled, and what the change raises.
    """
    is_yes = state == State.APPROVED
    is_redeemed = is_yes and is_settled_here(review.kind)
    open_row = Review.objects.filter(pk=review.pk, state=State.OPEN)
    if is_yes:
        # Expiry is asked of the database once more, after every lock has been waited for.
        open_row = open_row.filter(expires_at__gt=Now())
    moved = open_row.update(
        state=state, settled_at=Now(), redeemed_at=Now() if is_redeemed else F("redeemed_at")
    )
    review.refresh_from_db()
    if not moved:
        raise settled_as(review)
    facts: dict[str, Fact] = {
        "kind": review.kind,
        "digest": review.asked_digest,
        "deciders": list(
            review.decisions.order_by("id").values_list("decider__public_id", flat=True)
        ),
    }
    record_review(_VERBS[state], review, matter.agent_id, actor=actor, facts=facts, text=reason)
    announce_review(review, Notice.Event.SETTLED)
    if is_yes:
        matter.approve(actor=actor)
    else:
        # Only the asker's own change of mind leaves the proposal standing.
        matter.refuse(actor=actor, reason=reason or state.value, is_final=state != State.WITHDRAWN)


def record_review(
    verb: Verb,
    review: Review,
    agent_id: str,
    *,
    actor: Actor,
    facts: dict[str, Fact],
    text: object = "",
) -> None:
    """Append to the stream of the agent, or of the review itself where there is none.

    What people wrote goes into the encrypted payload, never into the header.
    Records: the verb it is given.
    """
    record(
        verb,
        review.ref,
        actor=actor.ref,
        kind=Entry.Kind.REVIEW,
        facts={"subject": review.subject} | facts,
        agent_id=agent_id,
        payload=canonical(text) if text else None,
    )
