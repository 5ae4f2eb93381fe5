"""What is done for an agent on a schedule, or waits for it, ends with it; and what comes back."""

from __future__ import annotations

import pytest

from approvals.actions.deciding import decide_review
from fleet.cutovers.actions.signing import sign_off
from fleet.cutovers.models import Cutover, CutoverAgent
from fleet.cutovers.queries.cutovers import bound_digest
from fleet.evaluations.models import Evaluation
from fleet.health.actions.following import follow_registry
from fleet.health.actions.incidents import open_incident
from fleet.health.models import AgentHealth, Check, Incident
from fleet.retiring.actions.carrying import carry_on
from fleet.retiring.actions.planning import retire_now
from fleet.retiring.actions.restoring import request_restore
from fleet.retiring.models import Retirement
from fleet.telling.models import Message
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Agent
from routing.models import Shift
from tests.factories import Cast, make_agent, make_manifest
from tests.fleet.campaigns.made import ending, move_of, opened, using
from tests.fleet.cutovers.world import World
from tests.fleet.evaluations.rows import make_evaluation

SWEEP = Actor.system("retirement")


def end(agent: Agent) -> Retirement:
    made = retire_now(agent.name, actor=Actor.of(agent.owner), reason="Replaced.")
    return carry_on(made, actor=SWEEP)


def schedules_of(row: Retirement) -> str:
    return str(row.steps.get(name="schedules").detail)


def beating(name: str, cast: Cast) -> Agent:
    """Make an agent that sends heartbeats and is late, with an incident for it."""
    spec = {"schedule": {"type": "interval", "intervalSeconds": 300}}
    agent = make_agent(name, owner=cast.alice, stage="live", manifest=make_manifest(name, **spec))
    follow_registry(actor=Actor.system("health"))
    Check.objects.update_or_create(
        agent=agent, source="heartbeat",
        defaults={
            "kind": "heartbeat", "origin": "manifest", "interval_seconds": 300,
            "since": clock.now(), "due_at": clock.now(), "status": "down",
        },
    )  # fmt: skip
    open_incident(
        key=str(agent.ref), kind="health", subject=agent.ref, agent=agent, title="late", facts={}
    )
    return agent


def test_nobody_is_woken_by_an_agent_that_was_ended(cast: Cast) -> None:
    agent = beating("sorter", cast)
    row = end(agent)
    assert "1 health check" in schedules_of(row)
    assert not Check.objects.filter(agent=agent, due_at__isnull=False).exists()
    assert AgentHealth.objects.get(agent=agent).is_watched is False
    assert Incident.objects.get().resolved_why == "The agent is retired."
    follow_registry(actor=Actor.system("health"))
    assert not Check.objects.filter(agent=agent, due_at__isnull=False).exists()


def test_its_moves_and_evaluations_are_over(cast: Cast) -> None:
    model = ending()
    agent, other = using(model, "sorter", cast.alice), using(model, "stays", cast.alice)
    campaign = opened(model)
    evaluation = make_evaluation(agent, model)
    row = end(agent)
    assert schedules_of(row) == "1 move, 1 evaluation ended."
    move = move_of(campaign, agent)
    assert (move.state, move.ended_why) == ("unneeded", "The agent is retired.")
    assert move_of(campaign, other).state == "open"
    evaluation.refresh_from_db()
    assert evaluation.state == Evaluation.State.CANCELLED
    assert Entry.objects.filter(verb="move.ended", agent_id=agent.public_id).count() == 1


@pytest.mark.django_db
def test_a_cutover_goes_on_without_it_and_is_over_without_anybody() -> None:
    world = World()
    first, second = world.agent("one"), world.agent("two")
    cutover = world.begin(first, second)
    end(first)
    cutover.refresh_from_db()
    assert cutover.state == Cutover.State.SIGNING
    rows = dict(CutoverAgent.objects.values_list("agent__name", "state"))
    assert rows == {"one": "left_out", "two": "waiting"}
    row = end(second)
    cutover.refresh_from_db()
    assert (cutover.state, schedules_of(row)) == (Cutover.State.CANCELLED, "1 cutover ended.")
    assert Entry.objects.filter(verb="cutover.left").count() == 2


@pytest.mark.django_db
def test_its_share_of_a_cutover_that_moves_ends_and_a_move_that_is_done_stays() -> None:
    world = World()
    first, second = world.agent("one"), world.agent("two")
    cutover = world.begin(first, second)
    sign_off(cutover.public_id, digest=bound_digest(cutover), actor=world.alice)
    end(first)
    shifts = dict(Shift.objects.values_list("agent_id", "ended_at"))
    assert shifts[first.public_id] is not None
    assert shifts[second.public_id] is None
    Cutover.objects.filter(pk=cutover.pk).update(state="done", done_at=clock.now())
    CutoverAgent.objects.filter(agent=second).update(state="done")
    end(second)
    assert Shift.objects.get(agent_id=second.public_id).ended_at is None


def test_who_brings_it_back_reads_what_begins_again(cast: Cast) -> None:
    agent = beating("sorter", cast)
    row = end(agent)
    review = request_restore(row.public_id, actor=Actor.of(cast.alice), reason="Needed.")
    assert review.evidence["stopped"] == (
        "1 health check ended. Its health is watched again by itself."
    )
    decide_review(review.public_id, actor=Actor.of(cast.sam), decision="approve")
    assert Message.objects.filter(kind="retirement.restored").count() == 1
    follow_registry(actor=Actor.system("health"))
    assert AgentHealth.objects.get(agent=agent).is_watched is True


def test_stopping_twice_changes_nothing(cast: Cast) -> None:
    agent = beating("sorter", cast)
    row = end(agent)
    row.steps.filter(name="schedules").update(done_at=None)
    carry_on(row, actor=SWEEP)
    assert schedules_of(row) == "Nothing was done for it on a schedule."
    assert Incident.objects.count() == 1
