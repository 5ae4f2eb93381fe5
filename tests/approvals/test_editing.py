"""Edit and approve: an answer is to one digest, and an edit asks everybody anew."""

from __future__ import annotations

import pytest
from django.db import connection

from approvals.actions import decide_review, submit_agent
from approvals.errors import EditRefused, ReviewChanged
from approvals.models import Review, ReviewDecision
from approvals.queries import waiting_for
from ledger.models import Entry
from registry.models import Agent
from tests.approvals.errands import Errand, bound, facts_of, put
from tests.approvals.test_constraints import refused
from tests.factories import Cast, actor


def test_an_edit_is_approved_under_its_own_digest(cast: Cast) -> None:
    with bound(Errand({"amount": 10})) as errand:
        review = put(errand, cast.alice)
        before = review.digest
        done = decide_review(
            review.public_id, actor=actor(cast.sam), decision="approve", edited={"amount": 7}
        )
    assert (done.state, done.digest, done.asked_digest) == ("approved", before, errand.digest)
    assert errand.ends == ["approved"]
    decision = ReviewDecision.objects.get()
    assert (decision.digest, decision.is_edited) == (errand.digest, True)
    edited = facts_of("review.edited")
    assert (edited["was"], edited["digest"]) == (before, errand.digest)
    assert facts_of("review.approved")["digest"] == errand.digest


def test_earlier_approvals_lapse_and_may_be_given_anew(cast: Cast) -> None:
    with bound(Errand({"amount": 10})) as errand:
        review = put(errand, cast.alice, quorum=2)
        sam, sue = actor(cast.sam), actor(cast.sue)
        decide_review(review.public_id, actor=sam, decision="approve")
        assert review not in waiting_for(sam)
        edited = {"amount": 7}
        after = decide_review(review.public_id, actor=sue, decision="approve", edited=edited)
        assert after.state == "open"
        assert review in waiting_for(sam)
        assert review not in waiting_for(sue)
        with pytest.raises(ReviewChanged):  # a yes that names nothing is to what was asked first
            decide_review(review.public_id, actor=sam, decision="approve")
        seen = errand.digest
        after = decide_review(review.public_id, actor=sam, decision="approve", digest=seen)
        assert after.state == "approved"


def test_an_edit_that_changes_nothing_is_an_approval(cast: Cast) -> None:
    with bound(Errand({"amount": 10})) as errand:
        review = put(errand, cast.alice)
        decide_review(
            review.public_id, actor=actor(cast.sam), decision="approve", edited={"amount": 10}
        )
    assert not ReviewDecision.objects.get().is_edited
    assert not Entry.objects.filter(verb="review.edited").exists()


def test_an_answer_to_what_is_no_longer_asked_is_refused(cast: Cast) -> None:
    with bound(Errand({"amount": 10})) as errand:
        review = put(errand, cast.alice, quorum=2)
        seen = review.digest
        decide_review(
            review.public_id, actor=actor(cast.sue), decision="approve", edited={"amount": 7}
        )
        for decision in ("approve", "reject"):
            with pytest.raises(ReviewChanged) as caught:
                decide_review(
                    review.public_id, actor=actor(cast.sam), decision=decision, comment="Hm.",
                    digest=seen,
                )  # fmt: skip
            assert caught.value.facts["digest"] == errand.digest
        decide_review(
            review.public_id, actor=actor(cast.sam), decision="approve", digest=errand.digest
        )
    review.refresh_from_db()
    assert review.state == "approved"


def test_a_rejection_edits_nothing(cast: Cast) -> None:
    with bound(Errand({"amount": 10})) as errand:
        review = put(errand, cast.alice)
        with pytest.raises(EditRefused):
            decide_review(
                review.public_id, actor=actor(cast.sam), decision="reject", comment="No.",
                edited={"amount": 1},
            )  # fmt: skip
        assert errand.arguments == {"amount": 10}


def test_a_manifest_is_not_edited_in_the_answer(cast: Cast, draft: Agent) -> None:
    review = submit_agent(draft.name, actor=actor(cast.alice))
    with pytest.raises(EditRefused):
        decide_review(
            review.public_id, actor=actor(cast.sam), decision="approve", edited={"name": "x"}
        )
    review.refresh_from_db()
    assert (review.state, review.decisions.count()) == ("open", 0)


def test_the_database_takes_answers_to_what_is_asked_and_no_other(cast: Cast) -> None:
    with bound(Errand({"amount": 10})) as errand:
        review = put(errand, cast.alice)
    sql = (
        "INSERT INTO approvals_reviewdecision"
        " (review_id, decider_id, decision, comment, digest, is_edited, created_at)"
        " VALUES (%s, %s, 'approve', '', 'sha256:other', false, now())"
    )
    refused("approvals_reviewdecision_of_what_is_asked", sql, review.pk, cast.sam.pk)


def test_approvals_of_another_digest_make_no_quorum_in_sql_either(cast: Cast) -> None:
    with bound(Errand({"amount": 10})) as errand:
        review = put(errand, cast.alice, quorum=2)
        decide_review(review.public_id, actor=actor(cast.sam), decision="approve")
    Review.objects.filter(pk=review.pk).update(edited_digest="sha256:else")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO approvals_reviewdecision"
            " (review_id, decider_id, decision, comment, digest, is_edited, created_at)"
            " VALUES (%s, %s, 'approve', '', 'sha256:else', true, now())",
            [review.pk, cast.sue.pk],
        )
    refused(
        "approvals_review_ends_as_decided",
        "UPDATE approvals_review SET state = 'approved', settled_at = now()",
    )
