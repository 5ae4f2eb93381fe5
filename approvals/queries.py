"""Reading reviews: which ones a viewer may see, and which ones wait for them.

Reviews are seen by those who may decide, those who asked, those who answer for the
subject, and those who govern. An open review past its end shows as expired even before
the sweep has come by.
"""

from __future__ import annotations

from django.db.models import Case, F, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Concat, Now

from approvals.errors import ReviewNotFound
from approvals.models import Review, ReviewDecision
from registry.actors import Actor
from registry.models import Agent, Person
from registry.queries import GOVERNING

_PAST = Q(state=Review.State.OPEN, expires_at__lte=Now())
_ANSWERABLE = Q(state=Review.State.OPEN, expires_at__gt=Now())


def reviews_for(actor: Actor) -> QuerySet[Review]:
    """Return the reviews this viewer may see, each with its ``standing`` at this moment."""
    reviews = Review.objects.select_related("requester").annotate(
        standing=Case(
            When(_PAST, then=Value("expired")), default=F("state"), output_field=TextField()
        )
    )
    if actor.has(*GOVERNING) or actor.ref.kind == "system":
        return reviews
    if actor.person is None:
        return reviews.none()
    return reviews.filter(
        Q(requester=actor.person)
        | Q(required_role__in=sorted(actor.roles - {"employee"}))
        | Q(subject__in=_subjects(Q(owner=actor.person) | Q(backup_owner=actor.person)))
    )


def review_for(actor: Actor, public_id: str) -> Review:
    """Return a review this viewer may see. Raises: ReviewNotFound."""
    review = None
    if "\x00" not in public_id:
        review = reviews_for(actor).filter(public_id=public_id).first()
    if review is None:
        raise ReviewNotFound(f"There is no review {public_id[:80]!r}.")
    return review


def waiting_for(actor: Actor) -> QuerySet[Review]:
    """Return the open reviews that this actor may decide and has not decided yet."""
    if actor.person is None:
        return Review.objects.none()
    decided = ReviewDecision.objects.filter(decider=actor.person).values("review_id")
    return (
        reviews_for(actor)
        .filter(_ANSWERABLE, required_role__in=sorted(actor.roles))
        .exclude(requester=actor.person)
        .exclude(excluded__contains=[actor.person.public_id])
        .exclude(subject__in=_subjects(Q(owner=actor.person)))
        .exclude(pk__in=decided)
        .order_by("expires_at", "id")
    )


def decisions_of(reviews: list[Review]) -> dict[int, list[ReviewDecision]]:
    """Return the answers to each of some reviews, in the order they were given."""
    found: dict[int, list[ReviewDecision]] = {review.pk: [] for review in reviews}
    rows = ReviewDecision.objects.filter(review__in=found).select_related("decider")
    for decision in rows.order_by("id"):
        found[decision.review_id].append(decision)
    return found


def approvals_that_count(review: Review, barred: set[str]) -> QuerySet[ReviewDecision]:
    """Return the approvals by people who may still decide this review at this moment.

    Somebody who has since left, lost the role or become the owner does not count.
    """
    return review.decisions.filter(
        decision=ReviewDecision.Decision.APPROVE,
        decider__deactivated_at__isnull=True,
        decider__roles__contains=[review.required_role],
    ).exclude(decider__public_id__in=barred)


def able_deciders(review: Review, barred: set[str]) -> int:
    """Count the people who could decide this review: too few, and it can only expire."""
    able = Person.objects.filter(
        deactivated_at__isnull=True, roles__contains=[review.required_role]
    )
    return able.exclude(public_id__in=barred).count()


def open_review_of(subject: str, kind: str) -> Review | None:
    """Return the unsettled review of a kind about a subject, expired or not."""
    return Review.objects.filter(subject=subject, kind=kind, state=Review.State.OPEN).first()


def _subjects(whose: Q) -> QuerySet[Agent, str]:
    named = Concat(Value("agent:"), "public_id", output_field=TextField())
    return Agent.objects.filter(whose).annotate(named=named).values_list("named", flat=True)
