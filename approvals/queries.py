"""Reading reviews: which ones a viewer may see, and which ones wait for them.

Reviews are seen by those who may decide, those who asked, those who answer for the
subject, and those who govern. An open review past its end shows as expired even before
the sweep has come by.
"""

from __future__ import annotations

from typing import Final

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Coalesce, Now, NullIf

from approvals.audience import audience_now, is_in, people_of, put_to
from approvals.errors import ReviewNotFound
from approvals.humans import accounts_of, mailbox, mailboxes_of
from approvals.models import Review, ReviewDecision
from approvals.standing_in import Right, rights_of
from registry.actors import Actor
from registry.models import Agent, Person
from registry.queries import GOVERNING

MOST_COUNTED: Final = 100  # of what waits: beyond it nobody needs the number
_PAST = Q(state=Review.State.OPEN, expires_at__lte=Now())
_ANSWERABLE = Q(state=Review.State.OPEN, expires_at__gt=Now())


def reviews_for(actor: Actor) -> QuerySet[Review]:
    """Return the reviews this viewer may see, each with its ``standing`` at this moment."""
    reviews = _with_standing()
    if actor.has(*GOVERNING) or actor.ref.kind == "system":
        return reviews
    if actor.person is None:
        return reviews.none()
    answered = ReviewDecision.objects.filter(decider=actor.person).values("review_id")
    return reviews.filter(
        Q(requester=actor.person)
        | put_to([ref for right in rights_of(actor) for ref in right.refs])
        | Q(about_agent__in=_agents(Q(owner=actor.person) | Q(backup_owner=actor.person)))
        | Q(pk__in=answered)
    )


def review_for(actor: Actor, public_id: str) -> Review:
    """Return a review this viewer may see. Raises: ReviewNotFound."""
    review = None
    if "\x00" not in public_id:
        review = reviews_for(actor).filter(public_id=public_id).first()
    if review is None:
        raise ReviewNotFound(f"There is no review {public_id[:80]!r}.")
    return review


def waiting_for(actor: Actor, rights: list[Right] | None = None) -> QuerySet[Review]:
    """Return the open reviews that this actor may decide and has not decided yet.

    ``rights`` are the actor's, where they were just asked for.
    """
    if actor.person is None:
        return _with_standing().none()
    human = accounts_of(actor.person)
    theirs = Q(pk__in=[])
    for right in rights_of(actor) if rights is None else rights:
        theirs |= _open_to(right, human)
    return (
        _with_standing()
        .filter(_ANSWERABLE, theirs)
        .exclude(_barred(human))
        .exclude(Exists(_answers().filter(decider__in=human)))
        .order_by("expires_at", "public_id")
    )


def waiting_count(actor: Actor) -> int:
    """Count what waits for an actor, up to a hundred: more is shown as "99+"."""
    return counted(waiting_for(actor))


def counted(waiting: QuerySet[Review]) -> int:
    """Count what waits, up to a hundred."""
    return len(waiting.order_by().values_list("pk")[:MOST_COUNTED])


def decisions_of(reviews: list[Review]) -> dict[int, list[ReviewDecision]]:
    """Return the answers to each of some reviews, in the order they were given."""
    found: dict[int, list[ReviewDecision]] = {review.pk: [] for review in reviews}
    rows = ReviewDecision.objects.filter(review__in=found).select_related("decider", "on_behalf_of")
    for decision in rows.order_by("id"):
        found[decision.review_id].append(decision)
    return found


def approvals_that_count(review: Review, barred: set[str]) -> int:
    """Count the approvals of what is asked now by people who may still decide at this moment.

    Somebody who has since left, lost the role or become the owner does not count, nor does
    an approval of what was asked before a decider changed it.
    """
    audience, shut_out = audience_now(review), mailboxes_of(barred)
    rights = set()
    given = review.decisions.filter(
        decision=ReviewDecision.Decision.APPROVE, digest=review.asked_digest
    )
    for answer in given.select_related("decider__team", "on_behalf_of__team"):
        # In somebody's place it is their right that counts, and the stand-in is no party to it.
        owner, boxes = _right_of(answer)
        if answer.decider.is_active and is_in(owner, audience) and not boxes & shut_out:
            rights.add(mailbox(owner.email))
    return len(rights)


def able_deciders(review: Review, barred: set[str]) -> int:
    """Count the people who could decide this review: too few, and it can only expire."""
    shut_out = mailboxes_of(barred)
    emails = Person.objects.filter(people_of(audience_now(review))).values_list("email", flat=True)
    return len({mailbox(email) for email in emails} - shut_out)


def of_agent(name: str) -> Q:
    """Return the reviews about the agent of a name."""
    return Q(about_agent__in=_agents(Q(name=name)))


def of_team(slug: str) -> Q:
    """Return the reviews about the agents of a team."""
    return Q(about_agent__in=_agents(Q(team__slug=slug)))


def newest_waiting(actor: Actor) -> str:
    """Return the id of what has begun to wait last; ids sort by the time of their making."""
    return newest_of(waiting_for(actor))


def newest_of(waiting: QuerySet[Review]) -> str:
    """Return the id of what has begun to wait last, of what waits."""
    newest = waiting.order_by("-public_id").values_list("public_id", flat=True)
    return newest.first() or ""


def open_review_of(subject: str, kind: str) -> Review | None:
    """Return the unsettled review of a kind about a subject, expired or not."""
    return Review.objects.filter(subject=subject, kind=kind, state=Review.State.OPEN).first()


def _right_of(answer: ReviewDecision) -> tuple[Person, set[str]]:
    owner = answer.on_behalf_of or answer.decider
    return owner, {mailbox(owner.email), mailbox(answer.decider.email)}


def _with_standing() -> QuerySet[Review]:
    return Review.objects.select_related("requester").annotate(
        standing=Case(
            When(_PAST, then=Value("expired")), default=F("state"), output_field=TextField()
        )
    )


def _open_to(right: Right, human: list[Person]) -> Q:
    """Return what is put to a right that is not used up; its owner, too, must not be barred."""
    if right.is_own:
        used = Exists(_answers().filter(on_behalf_of__in=human))
        return Q(put_to(right.refs), ~used)
    owner = accounts_of(right.person)
    used = Exists(_answers().filter(Q(decider__in=owner) | Q(on_behalf_of__in=owner)))
    return Q(put_to(right.refs), ~_barred(owner), ~used)


def _barred(human: list[Person]) -> Q:
    """Return what one human is a party to, by any of their accounts."""
    return (
        Q(requester__in=human)
        | Q(excluded__overlap=[person.public_id for person in human])
        | Q(about_agent__in=_agents(Q(owner__in=human)))
    )


def _answers() -> QuerySet[ReviewDecision]:
    """Return the answers to what the outer review asks now."""
    asked = Coalesce(NullIf(OuterRef("edited_digest"), Value("")), OuterRef("digest"))
    return ReviewDecision.objects.filter(review=OuterRef("pk"), digest=asked)


def _agents(whose: Q) -> QuerySet[Agent, str]:
    return Agent.objects.filter(whose).values_list("public_id", flat=True)
