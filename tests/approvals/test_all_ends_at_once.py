"""Every way a review can end, tried at the same moment over connections of their own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from approvals.actions import decide_review, escalate_reviews, expire_reviews, withdraw_review
from approvals.models import Review
from ledger.models import Entry
from registry.actors import Actor
from tests.approvals.errands import ALREADY, Errand, bound, put
from tests.approvals.test_races import all_at_once
from tests.factories import actor, make_cast

pytestmark = pytest.mark.django_db(transaction=True)
ENDS = ("review.approved", "review.rejected", "review.expired", "review.withdrawn")


@pytest.mark.parametrize("lives", [timedelta(days=1), timedelta(milliseconds=150)])
def test_of_all_ends_at_once_one_holds(lives: timedelta) -> None:
    cast = make_cast()
    with bound(Errand({})) as errand:
        review = put(
            errand, cast.alice, open_for=lives, escalate_after=ALREADY,
            escalate_to=("role:platform",),
        )  # fmt: skip
        name = review.public_id

        def decide(person: object, decision: str) -> object:
            who = actor(person)  # type: ignore[arg-type]
            return decide_review(name, actor=who, decision=decision, comment="Said.")

        all_at_once(
            [
                lambda: decide(cast.sam, "approve"),
                lambda: decide(cast.pat, "approve"),
                lambda: decide(cast.sue, "reject"),
                lambda: withdraw_review(name, actor=actor(cast.alice)),
                lambda: expire_reviews(actor=Actor.system("review-expiry")),
                lambda: escalate_reviews(actor=Actor.system("review-escalation")),
            ]
        )
    review.refresh_from_db()
    said = Entry.objects.filter(subject=str(review.ref), verb__in=ENDS)
    assert list(said.values_list("verb", flat=True)) == [f"review.{review.state}"]
    assert len(errand.ends) == 1
    assert Entry.objects.filter(verb="review.escalated").count() <= 1
    assert Review.objects.exclude(state="open").count() == 1
