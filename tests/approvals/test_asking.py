from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from approvals.actions import Question, ask, decide_review, redeem
from approvals.errors import ReviewAlreadyOpen
from approvals.models import Review
from kernel import clock
from kernel.canonical import digest
from kernel.refs import Ref
from ledger.models import Entry
from registry.actors import Actor
from tests.factories import Cast, actor, make_cast, operator

SUBJECT = Ref("hold", "hld_1")
ACTION = digest({"pay": "4711"})


def question(cast: Cast, **over: object) -> Question:
    given = {
        "kind": "hold_end",
        "subject": SUBJECT,
        "subject_name": "Pay invoice 4711",
        "digest": ACTION,
        "text": "May it be paid?",
        "requester": cast.alice,
    }
    return Question(**given | over)  # type: ignore[arg-type]


def granted(cast: Cast) -> Review:
    review = ask(question(cast), actor=actor(cast.alice))
    return decide_review(review.public_id, actor=actor(cast.sam), decision="approve")


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def test_a_granted_answer_is_redeemed_once_for_the_same_bytes(cast: Cast) -> None:
    review = granted(cast)
    other = digest({"pay": "4712"})
    assert redeem("hold_end", SUBJECT, other, actor=operator()) is None
    assert redeem("hold_end", Ref("hold", "hld_2"), ACTION, actor=operator()) is None
    assert redeem("other", SUBJECT, ACTION, actor=operator()) is None
    assert redeem("hold_end", SUBJECT, ACTION, actor=operator()) == review
    assert redeem("hold_end", SUBJECT, ACTION, actor=operator()) is None
    assert Entry.objects.filter(verb="review.redeemed").count() == 1


def test_a_question_without_a_yes_is_not_redeemed(cast: Cast) -> None:
    review = ask(question(cast), actor=actor(cast.alice))
    assert redeem("hold_end", SUBJECT, ACTION, actor=operator()) is None
    decide_review(review.public_id, actor=actor(cast.sam), decision="reject", comment="No.")
    assert redeem("hold_end", SUBJECT, ACTION, actor=operator()) is None


def test_a_grant_dies_with_its_reviews_time(cast: Cast) -> None:
    review = ask(question(cast, open_for=timedelta(hours=1)), actor=actor(cast.alice))
    assert review.expires_at - review.created_at == timedelta(hours=1)
    decide_review(review.public_id, actor=actor(cast.sam), decision="approve")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE approvals_review DISABLE TRIGGER USER")
        cursor.execute("UPDATE approvals_review SET expires_at = now() - interval '1 second'")
        cursor.execute("ALTER TABLE approvals_review ENABLE TRIGGER USER")
    assert redeem("hold_end", SUBJECT, ACTION, actor=operator()) is None


def test_one_question_of_a_kind_is_open_about_a_subject(cast: Cast) -> None:
    first = ask(question(cast), actor=actor(cast.alice))
    with pytest.raises(ReviewAlreadyOpen):
        ask(question(cast, digest=digest("other")), actor=actor(cast.alice))
    Review.objects.filter(pk=first.pk).update(expires_at=clock.now() - timedelta(seconds=1))
    second = ask(question(cast), actor=actor(cast.alice))
    first.refresh_from_db()
    assert (first.state, second.state) == ("expired", "open")


def test_a_registration_that_took_effect_is_not_redeemed_again(cast: Cast) -> None:
    from approvals.actions import submit_agent
    from tests.factories import make_agent

    agent = make_agent("sorter", owner=cast.alice)
    review = submit_agent("sorter", actor=actor(cast.alice))
    decide_review(review.public_id, actor=actor(cast.sam), decision="approve")
    assert redeem("registration", agent.ref, review.digest, actor=operator()) is None


def test_a_question_without_bytes_is_a_programming_error(cast: Cast) -> None:
    with pytest.raises(ValueError, match="digest"):
        ask(question(cast, digest=""), actor=actor(cast.alice))


@pytest.mark.django_db(transaction=True)
def test_of_many_who_redeem_at_once_one_gets_it() -> None:
    granted(make_cast())
    together, outcomes = threading.Barrier(10), []

    def use(actor: Actor) -> None:
        together.wait()
        outcomes.append(redeem("hold_end", SUBJECT, ACTION, actor=actor) is not None)
        connection.close()

    threads = [threading.Thread(target=use, args=(operator(),)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == [False] * 9 + [True]
