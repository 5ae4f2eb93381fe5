"""Many people at one moment, over real connections of their own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from approvals.actions import decide_review, submit_agent, withdraw_review
from approvals.errors import ReviewSettled
from approvals.models import Review, ReviewDecision
from kernel.errors import DomainError
from ledger.models import Entry
from registry.actions.people import deactivate_person
from registry.models import Agent, Person
from tests.factories import Cast, actor, make_agent, make_cast, make_manifest, make_person

pytestmark = pytest.mark.django_db(transaction=True)

# The servers of a test session take 200 connections; the deciders queue for some of them.
CONNECTIONS = 60


def all_at_once(steps: list[Callable[[], object]]) -> Counter[str]:
    """Run every step at the same moment and count how each ended."""
    waiting = threading.Semaphore(0)

    def run(step: Callable[[], object]) -> str:
        waiting.acquire()
        try:
            step()
        except DomainError as error:
            return type(error).__name__
        else:
            return "done"
        finally:
            connection.close()

    with ThreadPoolExecutor(min(len(steps), CONNECTIONS)) as pool:
        futures = [pool.submit(run, step) for step in steps]
        waiting.release(len(steps))
        return Counter(future.result(timeout=120) for future in futures)


def decider(review: Review, person: Person, decision: str = "approve") -> Callable[[], object]:
    return lambda: decide_review(
        review.public_id, actor=actor(person), decision=decision, comment="Said."
    )


def asked(cast: Cast, **spec: object) -> tuple[Agent, Review]:
    manifest = make_manifest("sorter", **spec)
    agent = make_agent("sorter", owner=cast.alice, backup_owner=cast.bob, manifest=manifest)
    return agent, submit_agent("sorter", actor=actor(cast.alice))


def terminal(agent: Agent) -> list[str]:
    ends = ["review.approved", "review.rejected", "review.expired", "review.withdrawn"]
    found = Entry.objects.filter(agent_id=agent.public_id, verb__in=ends)
    return list(found.values_list("verb", flat=True))


def test_of_two_hundred_who_approve_at_once_one_decides() -> None:
    agent, review = asked(make_cast())
    guards = [make_person(f"guard{n}", "security") for n in range(200)]
    outcomes = all_at_once([decider(review, guard) for guard in guards])
    assert outcomes == {"done": 1, "ReviewSettled": 199}
    assert ReviewDecision.objects.count() == 1
    assert terminal(agent) == ["review.approved"]
    assert Entry.objects.filter(verb="agent.launched").count() == 1


def test_of_many_who_approve_and_reject_at_once_one_decides() -> None:
    agent, review = asked(make_cast())
    guards = [make_person(f"guard{n}", "security") for n in range(40)]
    outcomes = all_at_once(
        [
            decider(review, guard, "approve" if number % 2 else "reject")
            for number, guard in enumerate(guards)
        ]
    )
    assert outcomes == {"done": 1, "ReviewSettled": 39}
    review.refresh_from_db()
    agent.refresh_from_db()
    assert terminal(agent) == [f"review.{review.state}"]
    assert agent.stage == {"approved": "soft_launch", "rejected": "draft"}[review.state]


def test_a_quorum_of_two_takes_exactly_two() -> None:
    agent, review = asked(make_cast(), dataClasses=["regulated"])
    guards = [make_person(f"guard{n}", "security") for n in range(30)]
    outcomes = all_at_once([decider(review, guard) for guard in guards])
    assert outcomes == {"done": 2, "ReviewSettled": 28}
    assert terminal(agent) == ["review.approved"]


def test_one_person_who_answers_many_times_at_once_answers_once() -> None:
    cast = make_cast()
    _, review = asked(cast, dataClasses=["regulated"])
    outcomes = all_at_once([decider(review, cast.sam) for _ in range(20)])
    assert outcomes == {"done": 1, "AlreadyDecided": 19}
    review.refresh_from_db()
    assert review.state == "open"


def test_approving_races_withdrawing_and_one_of_them_holds() -> None:
    cast = make_cast()
    agent, review = asked(cast)
    outcomes = all_at_once(
        [
            decider(review, cast.sam),
            lambda: withdraw_review(review.public_id, actor=actor(cast.alice)),
        ]
    )
    assert outcomes == {"done": 1, ReviewSettled.__name__: 1}
    assert len(terminal(agent)) == 1


def test_a_decider_deactivated_at_the_same_moment_decides_before_or_not_at_all() -> None:
    cast = make_cast()
    agent, review = asked(cast)
    outcomes = all_at_once(
        [
            decider(review, cast.sam),
            lambda: deactivate_person(cast.sam, actor=actor(cast.pat)),
        ]
    )
    review.refresh_from_db()
    decided = ReviewDecision.objects.count()
    assert outcomes["done"] == 1 + decided
    assert (review.state, len(terminal(agent))) == (["open", "approved"][decided], decided)


def test_many_submissions_at_once_open_one_review() -> None:
    cast = make_cast()
    make_agent("sorter", owner=cast.alice, backup_owner=cast.bob)
    outcomes = all_at_once(
        [lambda: submit_agent("sorter", actor=actor(cast.alice)) for _ in range(12)]
    )
    assert outcomes == {"done": 1, "ReviewAlreadyOpen": 11}
    assert Review.objects.count() == 1
