"""What the database refuses by itself, tried with raw SQL."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from approvals.actions import decide_review, submit_agent
from approvals.models import Review, ReviewDecision
from kernel import clock
from registry.models import Agent, Person
from tests.factories import Cast, actor


@pytest.fixture
def review(cast: Cast, draft: Agent) -> Review:
    return submit_agent(draft.name, actor=actor(cast.alice))


def refused(rule: str, sql: str, *values: str | int) -> None:
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        connection.cursor().execute(sql, values)
    diagnosis = caught.value.__cause__.diag  # type: ignore[union-attr]
    assert diagnosis.constraint_name == rule


def insert_decision(review: Review, decider: Person) -> tuple[str, int, int, str]:
    sql = (
        "INSERT INTO approvals_reviewdecision"
        " (review_id, decider_id, decision, comment, digest, is_edited, created_at)"
        " VALUES (%s, %s, 'approve', '', %s, false, now())"
    )
    return sql, review.pk, decider.pk, review.digest


@pytest.mark.parametrize("column", ["digest", "subject", "question", "kind", "about_agent"])
def test_a_question_is_never_changed(review: Review, column: str) -> None:
    refused("approvals_review_question_is_fixed", f"UPDATE approvals_review SET {column} = 'other'")


def test_neither_exclusions_nor_quorum_nor_evidence_are_softened(review: Review) -> None:
    rule = "approvals_review_question_is_fixed"
    refused(rule, "UPDATE approvals_review SET excluded = '{}'")
    refused(rule, "UPDATE approvals_review SET quorum = 5")
    refused(rule, "UPDATE approvals_review SET evidence = '{}'")


def test_nobody_decides_their_own_matter_even_in_sql(cast: Cast, review: Review) -> None:
    refused("approvals_reviewdecision_four_eyes", *insert_decision(review, cast.alice))


def test_an_excluded_person_decides_in_no_way(cast: Cast, draft: Agent) -> None:
    review = submit_agent(draft.name, actor=actor(cast.bob))
    refused("approvals_reviewdecision_four_eyes", *insert_decision(review, cast.alice))


def test_a_yes_without_its_quorum_is_refused(review: Review) -> None:
    refused(
        "approvals_review_ends_as_decided",
        "UPDATE approvals_review SET state = 'approved', settled_at = now()",
    )
    refused(
        "approvals_review_ends_as_decided",
        "UPDATE approvals_review SET state = 'rejected', settled_at = now()",
    )


def test_a_settled_review_stays_settled(cast: Cast, review: Review) -> None:
    decide_review(review.public_id, actor=actor(cast.sam), decision="reject", comment="No.")
    refused(
        "approvals_review_settled_once",
        "UPDATE approvals_review SET state = 'open', settled_at = NULL",
    )
    refused("approvals_reviewdecision_while_open", *insert_decision(review, cast.sue))


def test_a_grant_is_redeemed_once(cast: Cast, review: Review) -> None:
    decide_review(review.public_id, actor=actor(cast.sam), decision="approve")
    refused("approvals_review_settled_once", "UPDATE approvals_review SET redeemed_at = NULL")


def test_a_decision_is_never_changed_or_taken_away(cast: Cast, review: Review) -> None:
    decide_review(review.public_id, actor=actor(cast.sam), decision="approve")
    refused(
        "approvals_reviewdecision_is_fixed",
        "UPDATE approvals_reviewdecision SET decision = 'reject'",
    )
    refused("approvals_reviewdecision_is_kept", "DELETE FROM approvals_reviewdecision")
    refused("approvals_review_is_kept", "DELETE FROM approvals_review")


def test_reviews_of_demo_agents_may_be_removed(cast: Cast) -> None:
    from tests.factories import make_agent

    make_agent("demo", owner=cast.alice, is_demo=True)
    review = submit_agent("demo", actor=actor(cast.alice))
    decide_review(review.public_id, actor=actor(cast.sam), decision="approve")
    ReviewDecision.objects.all().delete()
    Review.objects.all().delete()
    assert not Review.objects.exists()


def test_a_review_is_settled_exactly_when_it_is_stamped(review: Review) -> None:
    refused(
        "approvals_review_settled_iff_stamped", "UPDATE approvals_review SET settled_at = now()"
    )


def test_only_an_approved_review_is_redeemed(review: Review) -> None:
    refused(
        "approvals_review_redeemed_only_approved", "UPDATE approvals_review SET redeemed_at = now()"
    )


def test_one_review_of_a_kind_is_open_about_a_subject(cast: Cast, review: Review) -> None:
    with pytest.raises(IntegrityError, match="one_open_per_subject"), transaction.atomic():
        Review.objects.create(
            public_id="rev_2",
            kind=review.kind,
            subject=review.subject,
            subject_name="x",
            digest="sha256:0",
            question="?",
            requester=cast.bob,
            audience=["role:security"],
            created_at=clock.now(),
            expires_at=clock.now(),
        )


def test_one_person_answers_a_review_once(cast: Cast, draft: Agent, settings: object) -> None:
    settings.REVIEW_QUORUM_BY_DATA_CLASS = {"internal": 2}  # type: ignore[attr-defined]
    review = submit_agent(draft.name, actor=actor(cast.alice))
    decide_review(review.public_id, actor=actor(cast.sam), decision="approve")
    refused("approvals_reviewdecision_one_each", *insert_decision(review, cast.sam))
