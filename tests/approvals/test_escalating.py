"""Escalation widens the audience by the database's clock, and never says yes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from approvals.actions import decide_review, escalate_reviews
from approvals.errors import ReviewExpired
from approvals.models import Review
from approvals.queries import able_deciders, waiting_for
from approvals.tasks import escalate_reviews as sweep
from kernel.db import constraint_of
from ledger.models import Entry
from registry.actors import Actor, RoleMissing
from tests.approvals.errands import ALREADY, Errand, bound, facts_of, put
from tests.factories import Cast, actor

SWEEP = Actor.system("review-escalation")


def verbs(review: Review) -> list[str]:
    entries = Entry.objects.filter(subject=str(review.ref)).order_by("id")
    return list(entries.values_list("verb", flat=True))


def test_those_it_escalates_to_decide_from_then_on_with_the_sweep_down(cast: Cast) -> None:
    seniors: dict[str, Any] = {"escalate_to": ("role:security",), "audience": ("role:approver",)}
    with bound(Errand({})) as errand:
        early = put(errand, cast.alice, escalate_after=timedelta(hours=1), **seniors)
        due = put(errand, cast.alice, number=2, escalate_after=ALREADY, **seniors)
        assert list(waiting_for(actor(cast.sam))) == [due]
        assert able_deciders(due, set()) > able_deciders(early, set())
        with pytest.raises(RoleMissing):
            decide_review(early.public_id, actor=actor(cast.sam), decision="approve")
        done = decide_review(due.public_id, actor=actor(cast.sam), decision="approve")
    assert done.state == "approved"
    assert verbs(due) == ["review.opened", "review.escalated", "review.decided", "review.approved"]
    assert done.audience == ["role:approver"]


def test_those_asked_first_still_decide(cast: Cast) -> None:
    with bound(Errand({})) as errand:
        review = put(
            errand, cast.alice, audience=("role:security",), escalate_to=("role:platform",),
            escalate_after=ALREADY,
        )  # fmt: skip
        assert list(waiting_for(actor(cast.sam))) == [review]
        assert list(waiting_for(actor(cast.pat))) == [review]


def test_the_sweep_puts_an_escalation_on_record_once(cast: Cast) -> None:
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice, escalate_to=("role:platform",), escalate_after=ALREADY)
        sweep()
        assert escalate_reviews(actor=SWEEP) == 0
        review.refresh_from_db()
        assert review.escalated_at is not None
        assert facts_of("review.escalated")["joined_by"] == ["role:platform"]


def test_an_escalated_review_that_nobody_decides_ends_as_no(cast: Cast) -> None:
    with bound(Errand({})) as errand:
        review = put(
            errand, cast.alice, escalate_to=("role:platform",), escalate_after=ALREADY,
            open_for=ALREADY,
        )  # fmt: skip
        assert not waiting_for(actor(cast.pat)).exists()
        assert escalate_reviews(actor=SWEEP) == 0
        with pytest.raises(ReviewExpired):
            decide_review(review.public_id, actor=actor(cast.pat), decision="approve")
        assert errand.ends == ["refused"]


def test_no_escalation_is_noticed_before_its_time_or_twice(cast: Cast) -> None:
    with bound(Errand({})) as errand:
        put(errand, cast.alice, escalate_to=("role:platform",), escalate_after=timedelta(days=1))
    statement = "UPDATE approvals_review SET escalated_at = now()"
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        connection.cursor().execute(statement)
    assert constraint_of(caught.value) == "approvals_review_escalated_once"


@pytest.mark.parametrize("over", [{"escalate_after": ALREADY}, {"escalate_to": ("role:platform",)}])
def test_an_escalation_has_both_a_time_and_somebody(cast: Cast, over: dict[str, Any]) -> None:
    with bound(Errand({})) as errand, pytest.raises(ValueError, match="escalates"):
        put(errand, cast.alice, **over)
