"""Answers that come over a channel: the same decision, by the same rules, and on record whence.

`decide_review` decides who may; here is only asked whether this channel may carry the answer,
and whether it is to exactly what was asked about.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from approvals.actions.deciding import decide_review
from approvals.channels.effects import effect_of, may_be_decided
from approvals.channels.errors import ChannelDecidesNothing, LinkNotYours, LinkSpent
from approvals.channels.links import link_of
from approvals.channels.secrets import keepers_of
from approvals.errors import ReviewExpired, ReviewNotFound, ReviewVoid
from approvals.humans import mailboxes_of
from approvals.models import Channel, DecisionLink, Review
from kernel import clock
from kernel.errors import Conflict
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody said to one digest of one review, and over which channel."""

    review: str
    digest: str
    decision: str
    comment: str
    way: str  # mail, slack, webhook
    channel: Channel


def answer_review(answer: Answer, *, actor: Actor) -> Review:
    """Decide a review over a channel; never anything but the digest that was asked about.

    Records: answer.taken, and what deciding records. Raises: what deciding raises, ReviewVoid.
    """
    with transaction.atomic():
        review, ended = _decided(answer, actor)
    if ended is not None:
        raise ended
    return review


def _decided(answer: Answer, actor: Actor) -> tuple[Review, Conflict | None]:
    try:
        review = decide_review(
            answer.review,
            actor=actor,
            decision=answer.decision,
            comment=answer.comment,
            digest=answer.digest,
            # Mail and Slack say who it was; a webhook's one secret names whom it likes.
            signed_over=answer.channel if answer.way == "webhook" else None,
        )
    except (ReviewExpired, ReviewVoid) as error:
        # Its end is part of this transaction and must stand; the caller is told after.
        return Review(), error
    record(
        Verb.ANSWER_TAKEN,
        review.ref,
        actor=actor.ref,
        facts={
            "way": answer.way,
            "channel": answer.channel.public_id,
            "digest": answer.digest,
            "decision": answer.decision,
        },
    )
    return review, None


def check_limit(channel: Channel, public_id: str) -> Review:
    """Return a review that a channel may decide. Raises: ReviewNotFound, ChannelDecidesNothing."""
    review = Review.objects.select_related("requester").filter(public_id=public_id).first()
    if review is None:
        raise ReviewNotFound(f"There is no review {public_id[:80]!r}.")
    if not may_be_decided(effect_of(review), channel.decides_up_to):
        raise ChannelDecidesNothing("This is decided in the portal, where all of it is seen.")
    # Who knows a secret could sign in anybody's name: never about a matter of their own,
    # whichever of their accounts has a part in it.
    parties = mailboxes_of({review.requester.public_id, *review.excluded})
    if mailboxes_of(keepers_of(channel)) & parties:
        raise ChannelDecidesNothing("Who keeps this channel's secret is a party to the question.")
    return review


def answer_by_link(token: str, *, decision: str, comment: str = "", actor: Actor | None) -> Review:
    """Decide by the link of a mail: by its person's session, or by the link alone if it may.

    Records: answer.taken, and what deciding records. Raises: LinkUnknown, LinkSpent, LinkNotYours,
    ChannelDecidesNothing, and what deciding raises.
    """
    link = link_of(token)
    check_usable(link)
    person = link.person
    if actor is not None and not actor.is_person(person):
        raise LinkNotYours("Sign in as the person to whom it was sent, or open the review.")
    if actor is None and not decides_alone(link):
        raise ChannelDecidesNothing("Sign in to decide this.")
    answer = Answer(
        link.review.public_id, link.digest, decision, comment, "mail", link.notice.channel
    )
    with transaction.atomic():
        # Of two tabs one uses it; the other waits here and then finds it used.
        used = DecisionLink.objects.filter(pk=link.pk, used_at__isnull=True)
        if not used.update(used_at=clock.now()):
            raise LinkSpent("This link was used already.")
        review, ended = _decided(answer, actor or Actor.of(person))
    if ended is not None:
        raise ended
    return review


def check_usable(link: DecisionLink) -> None:
    """Raises: LinkSpent, when a link can decide nothing any more, and why."""
    if link.used_at is not None:
        raise LinkSpent("This link was used already.")
    if link.review.state != Review.State.OPEN:
        raise LinkSpent(f"The question is {link.review.state} already.")
    if min(link.expires_at, link.review.expires_at) <= clock.now():
        raise LinkSpent("Nobody decided in time, which means no.")
    if link.digest != link.review.asked_digest:
        raise LinkSpent("What was asked about has changed since this mail.")


def decides_alone(link: DecisionLink) -> bool:
    """Say whether a link decides without its person's session: only what its channel lets it."""
    channel = link.notice.channel
    is_live = channel.removed_at is None and channel.paused_at is None
    return is_live and may_be_decided(effect_of(link.review), channel.decides_up_to)
