"""An agent ends: announced, drained, retired, proven, its data kept or destroyed, and back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from approvals.actions.deciding import decide_review
from approvals.errors import OwnMatter
from approvals.models import Review
from fleet.retiring.actions.cancelling import cancel_retirement
from fleet.retiring.actions.carrying import carry_on, carry_on_waiting
from fleet.retiring.actions.planning import Plan, plan_retirement, retire_now
from fleet.retiring.actions.restoring import request_restore
from fleet.retiring.errors import (
    PlanUnusable,
    RestoreLoses,
    RestoreTooLate,
    RetirementUnderWay,
    ShreddingNeedsOffice,
)
from fleet.retiring.models import Retirement
from fleet.retiring.queries.dependants import dependants_of
from fleet.telling.models import Copy
from kernel import clock
from kernel.errors import DomainError
from ledger.models import DataKey, Entry
from ledger.record import record
from ledger.retention import legal_holds
from ledger.retention.legal_holds import Covers
from ledger.verbs import Verb
from registry.actions import agents as act
from registry.actors import Actor
from registry.errors.agents import NotYourAgent, SuccessorUnusable
from registry.models import Agent, Person
from routing.models import Delegation, DelegationEnd
from tests.factories import Cast, make_agent, make_key, make_manifest, make_model, make_route

SWEEP = Actor.system("retirement")
DAY = timedelta(days=1)


def by(person: Person) -> Actor:
    return Actor.of(person)


@pytest.fixture
def agent(cast: Cast) -> Agent:
    made = make_agent("sorter", owner=cast.alice, backup_owner=cast.bob, stage="live")
    make_key(made)
    return made


@pytest.fixture
def follower(cast: Cast) -> Agent:
    return make_agent("sorter-2", owner=cast.bob, stage="live")


def steps_of(row: Retirement) -> list[str]:
    done = row.steps.filter(done_at__isnull=False).order_by("place")
    return list(done.values_list("name", flat=True))


def retired(agent: Agent, cast: Cast, **plan: object) -> Retirement:
    wanted = Plan(**plan) if plan else None  # type: ignore[arg-type]
    by_whom = by(cast.pat if plan else cast.alice)
    made = retire_now(agent.name, actor=by_whom, reason="Replaced.", plan=wanted)
    return carry_on(made, actor=SWEEP)


def test_a_plan_is_carried_through_to_its_proof(cast: Cast, agent: Agent, follower: Agent) -> None:
    now = clock.now()
    plan = Plan(now + DAY, 60, follower)
    row = plan_retirement("sorter", plan, actor=by(cast.alice), reason="Replaced.")
    agent.refresh_from_db()
    assert (agent.stage, agent.ends_at, agent.successor) == ("deprecated", now + DAY, follower)
    carry_on_waiting(actor=SWEEP)
    row.refresh_from_db()
    assert (row.state, steps_of(row)) == ("announced", ["announced", "warned"])
    with clock.held_at(now + DAY):
        carry_on_waiting(actor=SWEEP)
    row.refresh_from_db()
    assert (row.state, steps_of(row)[-1]) == ("draining", "draining")
    assert agent.keys.get().revoked_at is None
    with clock.held_at(now + DAY + timedelta(hours=1)):
        carry_on_waiting(actor=SWEEP)
        carry_on_waiting(actor=SWEEP)
    row.refresh_from_db()
    agent.refresh_from_db()
    assert (row.state, agent.stage) == ("retired", "retired")
    assert row.is_contained, row.proof
    assert len(steps_of(row)) == 11
    assert agent.keys.get().revoked_at is not None
    assert row.figures["calls"] == 0
    taken = Entry.objects.filter(verb="retirement.step_taken", agent_id=agent.public_id)
    assert taken.count() == 11


def test_retiring_at_once_leaves_the_same_tombstone(cast: Cast, agent: Agent) -> None:
    row = retired(agent, cast)
    assert (row.state, len(steps_of(row))) == ("retired", 11)
    assert row.steps.get(name="ended").detail == "1 key that worked was revoked."


def test_an_agent_that_was_retired_elsewhere_gets_its_tombstone(cast: Cast, agent: Agent) -> None:
    act.retire_agent("sorter", actor=by(cast.alice), reason="By the old way.")
    carry_on_waiting(actor=SWEEP)
    row = Retirement.objects.get()
    assert (row.state, row.reason, row.planned_by) == (
        "retired", "By the old way.", str(cast.alice.ref),
    )  # fmt: skip
    assert len(steps_of(row)) == 11


def test_who_may_plan_and_what_cannot_be(cast: Cast, agent: Agent, follower: Agent) -> None:
    later = Plan(clock.now() + DAY)
    with pytest.raises(NotYourAgent):
        plan_retirement("sorter", later, actor=by(cast.mallory), reason="x")
    with pytest.raises(PlanUnusable):
        plan_retirement("sorter", Plan(clock.now() - DAY), actor=by(cast.alice), reason="x")
    with pytest.raises(SuccessorUnusable):
        plan_retirement("sorter", Plan(successor=agent), actor=by(cast.alice), reason="x")
    with pytest.raises(ShreddingNeedsOffice):
        plan_retirement("sorter", Plan(shred_after_days=1), actor=by(cast.alice), reason="x")
    agent.refresh_from_db()
    assert agent.stage == "live"


def test_a_plan_is_changed_and_cancelled_before_its_day_only(cast: Cast, agent: Agent) -> None:
    now = clock.now()
    row = plan_retirement("sorter", Plan(now + DAY), actor=by(cast.alice), reason="x")
    carry_on_waiting(actor=SWEEP)
    again = plan_retirement("sorter", Plan(now + 2 * DAY), actor=by(cast.alice), reason="y")
    assert again.pk == row.pk
    assert "warned" not in steps_of(again)
    cancel_retirement(row.public_id, actor=by(cast.alice), reason="It stays.")
    agent.refresh_from_db()
    assert (agent.stage, agent.ends_at) == ("live", None)
    second = plan_retirement("sorter", Plan(now + DAY), actor=by(cast.alice), reason="x")
    with clock.held_at(now + DAY), pytest.raises(RetirementUnderWay):
        cancel_retirement(second.public_id, actor=by(cast.alice), reason="Too late.")


def test_who_depends_is_found_by_delegation_by_name_and_by_route(cast: Cast, agent: Agent) -> None:
    now = clock.now()
    boss = make_agent("boss", owner=cast.bob, stage="live")
    tools = [{"name": "sorting", "server": "https://gateway.acme.test/agents/sorter"}]
    make_agent(
        "namer", owner=cast.mallory, stage="live", manifest=make_manifest("namer", tools=tools)
    )
    model = make_model()
    for name in ("only-it", "shared"):
        make_route(name, model)
    Agent.objects.filter(pk=agent.pk).update(routes=["only-it", "shared"])
    Agent.objects.filter(pk=boss.pk).update(routes=["shared"])
    Delegation.objects.create(
        public_id="dlg_1", acting_for=boss.public_id, from_agent=boss.public_id,
        to_agent=agent.public_id, run_id="run_x", depth=1, created_at=now,
        expires_at=now + timedelta(hours=1),
    )  # fmt: skip
    found = dependants_of([agent])[agent.public_id]
    assert {(one.way, one.name) for one in found} == {
        ("delegates", "boss"), ("names", "namer"), ("route", "only-it"),
    }  # fmt: skip
    row = retired(agent, cast)
    told = Copy.objects.filter(message__kind="retirement.announced")
    assert sorted(told.values_list("person__email", flat=True)) == [
        f"{name}@acme.test" for name in ("alice", "bob", "mallory", "pat")
    ]
    assert DelegationEnd.objects.get().delegation_id == "dlg_1"
    assert [one["name"] for one in row.dependants] == ["boss", "namer", "only-it"]
    carry_on(row, actor=SWEEP)
    assert Copy.objects.filter(message__kind="retirement.announced").count() == 4
    assert Entry.objects.filter(verb="delegation.ended").count() == 1


def test_two_people_restore_and_neither_is_the_one_who_asked(cast: Cast, agent: Agent) -> None:
    row = retired(agent, cast)
    review = request_restore(row.public_id, actor=by(cast.sam), reason="Needed after all.")
    with pytest.raises(OwnMatter):
        decide_review(review.public_id, actor=by(cast.sam), decision="approve")
    decide_review(review.public_id, actor=by(cast.pat), decision="approve", comment="Yes.")
    agent.refresh_from_db()
    row.refresh_from_db()
    assert (agent.stage, row.state) == ("soft_launch", "restored")
    assert not agent.keys.filter(revoked_at__isnull=True).exists()
    assert agent.ends_at is None


def test_nobody_comes_back_after_thirty_days(cast: Cast, agent: Agent) -> None:
    row = retired(agent, cast)
    review = request_restore(row.public_id, actor=by(cast.alice), reason="Needed.")
    late = clock.now() + timedelta(days=31)
    with clock.held_at(late):
        with pytest.raises(RestoreTooLate):
            request_restore(row.public_id, actor=by(cast.alice), reason="Needed.")
        with pytest.raises(DomainError):
            decide_review(review.public_id, actor=by(cast.sue), decision="approve")
    agent.refresh_from_db()
    assert agent.stage == "retired"


@pytest.mark.django_db(transaction=True)
def test_of_two_that_decide_a_return_at_once_one_brings_it_back(cast: Cast, agent: Agent) -> None:
    row = retired(agent, cast)
    review = request_restore(row.public_id, actor=by(cast.alice), reason="Needed.")

    def decide(person: Person) -> str:
        try:
            decide_review(review.public_id, actor=by(person), decision="approve")
        except DomainError as error:
            return error.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(decide, (cast.sam, cast.sue)))
    assert outcomes == ["approvals.review_settled", "done"]
    assert Entry.objects.filter(verb="agent.restored").count() == 1


def said_something(agent: Agent, days_ago: int) -> str:
    """Have a payload lie under a key of the agent that is so old; return the key."""
    entry = record(
        Verb.AGENT_CHANGED, agent.ref, actor=SWEEP.ref, agent_id=agent.public_id, payload=b"words"
    )
    dek = DataKey.objects.filter(scope__startswith=agent.public_id).latest("created_at")
    assert entry.entry_id
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE ledger_datakey SET created_at = now() - make_interval(days => %s)"
            " WHERE dek_id = %s",
            [days_ago, dek.dek_id],
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
    return str(dek.dek_id)


def test_data_are_destroyed_by_rule_and_a_hold_and_the_floor_win(cast: Cast, agent: Agent) -> None:
    dek = said_something(agent, days_ago=200)
    hold = legal_holds.place(
        Covers("agent", agent.public_id, agent.name), actor=by(cast.sam).ref, reason="A case."
    )
    row = retired(agent, cast, shred_after_days=0)
    assert (row.keys_destroyed, DataKey.objects.get(dek_id=dek).state) == (0, "active")
    assert row.keys_held >= 1
    legal_holds.end(hold, actor=by(cast.sam).ref, reason="Over.", review="rev_x")
    Retirement.objects.filter(pk=row.pk).update(again_at=None)
    row = carry_on(row, actor=SWEEP)
    assert (row.keys_destroyed, DataKey.objects.get(dek_id=dek).state) == (1, "shredded")
    with pytest.raises(RestoreLoses, match="1 keys are gone"):
        request_restore(row.public_id, actor=by(cast.alice), reason="Needed.")
    asked = request_restore(row.public_id, actor=by(cast.alice), reason="Needed.", knows_loss=True)
    assert "cannot" not in asked.evidence["lost"]
    assert Review.objects.get(pk=asked.pk).evidence["lost"].startswith("What it said is partly")


def test_what_is_younger_than_the_floor_stays(cast: Cast, agent: Agent) -> None:
    dek = said_something(agent, days_ago=100)
    row = retired(agent, cast, shred_after_days=0)
    assert (row.keys_destroyed, DataKey.objects.get(dek_id=dek).state) == (0, "active")
    assert "data" not in steps_of(row)
