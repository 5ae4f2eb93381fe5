"""Many who end one proposal at once, on connections of their own: one end each, and on record."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.db.models.functions import Now

from approvals.actions import decide_review
from approvals.models import Review
from effects.actions.withdrawing import expire_proposals, withdraw_proposal
from effects.models import Proposal
from kernel.errors import DomainError
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Person
from tests.effects.proposals.story import Story, api_of, make_story
from tests.factories import actor, make_person

RACES = int(os.environ.get("UNSPRAWL_SOAK_PROPOSALS", "6"))
ENDS = ("proposal.approved", "proposal.denied", "proposal.expired", "proposal.withdrawn")

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("proposal-races")]


@pytest.fixture
def raced() -> Story:
    return make_story()


def run_all(jobs: list[Callable[[], object]]) -> Counter[str]:
    start = threading.Barrier(len(jobs))

    def one(job: Callable[[], object]) -> str:
        try:
            start.wait(60)
            job()
        except DomainError as error:
            return error.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(jobs)) as pool:
        return Counter(pool.map(one, jobs))


def contenders(story: Story, made: Proposal, people: list[Person]) -> list[Callable[[], object]]:
    def decide(who: Person, decision: str) -> Callable[[], object]:
        by = actor(who)
        return lambda: decide_review(made.review_id, actor=by, decision=decision, comment="x")

    decisions = [decide(who, ("approve", "reject")[at % 2]) for at, who in enumerate(people)]
    agent, owner = Actor.agent(story.agent.ref), actor(story.cast.alice)
    return [
        *decisions,
        lambda: withdraw_proposal(made.public_id, actor=agent),
        lambda: withdraw_proposal(made.public_id, actor=owner),
        lambda: expire_proposals(actor=Actor.system("test")),
    ]


def test_of_approve_reject_withdraw_and_expire_one_wins(raced: Story) -> None:
    people = [make_person(f"judge-{number}", "approver") for number in range(5)]

    for number in range(RACES):
        made = raced.waiting(f"k-{number}", arguments={"note": f"note {number}"})
        if number % 3 == 2:
            Proposal.objects.filter(pk=made.pk).update(expires_at=Now())
        ends = run_all(contenders(raced, made, people))

        made.refresh_from_db()
        said = Entry.objects.filter(subject=str(made.ref), verb__in=ENDS)
        taken_back = made.state == "withdrawn" and said.count() == 2  # after it was approved
        assert made.state in {"approved", "denied", "expired", "withdrawn"}
        assert said.count() == 1 or taken_back, ends
        assert Review.objects.get(public_id=made.review_id).state != "open"
        assert ends["done"] >= 1


def test_one_key_sent_many_times_at_once_is_one_proposal(raced: Story) -> None:
    def send() -> object:
        answer = api_of(raced.text).post("/api/v1/proposals", raced.body())
        assert answer.status_code in {200, 202}, answer.content
        return answer

    assert run_all([send] * 8) == Counter({"done": 8})
    assert Proposal.objects.count() == 1
    assert Entry.objects.filter(verb="proposal.made").count() == 1


def test_proposing_and_deciding_in_one_run_never_wait_for_each_other(raced: Story) -> None:
    made = [raced.waiting(f"a-{n}", arguments={"note": f"a {n}"}) for n in range(4)]
    by = actor(raced.approver)

    def send(number: int) -> Callable[[], object]:
        body = raced.body(f"b-{number}", arguments={"note": f"b {number}"})
        return lambda: api_of(raced.text).post("/api/v1/proposals", body)

    def decide(one: Proposal) -> Callable[[], object]:
        return lambda: decide_review(one.review_id, actor=by, decision="approve")

    ends = run_all([*map(send, range(4)), *map(decide, made)])

    assert ends == Counter({"done": 8})
    assert Proposal.objects.filter(state="approved").count() == 4
    assert Proposal.objects.filter(state="proposed").count() == 4


def test_the_room_of_an_agent_is_not_outrun(raced: Story, settings: object) -> None:
    settings.PROPOSALS_PER_AGENT = 3  # type: ignore[attr-defined]

    def send(number: int) -> Callable[[], object]:
        body = raced.body(f"k-{number}", arguments={"note": f"note {number}"})
        return lambda: api_of(raced.text).post("/api/v1/proposals", body)

    run_all([send(number) for number in range(8)])

    assert Proposal.objects.count() == 3
