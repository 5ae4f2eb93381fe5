"""Whose decisions count, how they are told apart, and since when."""

from __future__ import annotations

from datetime import timedelta

from effects.launch.figures import Share
from effects.launch.measuring import has_acted, measure_days, measure_newest, measure_stage
from kernel import clock
from registry.models import Agent
from tests.effects.launch.acting import Acts


def test_what_people_decided_is_told_apart(agent: Agent, acts: Acts) -> None:
    assert not has_acted(agent)
    acts.judged("approved", 3)
    acts.judged("edited", 2)
    acts.judged("rejected")
    found = measure_days(agent).total
    assert (found.decided, found.approved, found.edited, found.rejected) == (6, 3, 2, 1)
    assert (found.paths, found.words) == (Share(2, 8), Share(6, 20))
    assert (found.half_seconds, found.most_seconds) == (60, 60)
    assert has_acted(agent)


def test_what_nobody_decided_is_no_agreement(agent: Agent, acts: Acts) -> None:
    acts.made(state="succeeded", decided_how="policy", decided_digest="sha256:a")
    acts.made(state="denied", decided_how="policy")
    acts.made(state="denied", decided_how="check")
    acts.made(state="expired", decided_how="time", review_id="rev_x")
    acts.made(state="proposed", review_id="rev_x")
    acts.made(state="withdrawn", decided_how="agent", review_id="rev_x")
    found = measure_days(agent).total
    assert found.decided == 0
    assert (found.expired, found.refused, found.waiting, found.ended) == (1, 2, 1, 1)


def test_what_was_edited_and_then_rejected_is_rejected(agent: Agent, acts: Acts) -> None:
    acts.made(state="denied", decided_how="people", decided_digest="sha256:edited")
    found = measure_days(agent).total
    assert (found.edited, found.rejected) == (0, 1)


def test_an_approval_that_ran_out_before_it_was_carried_out_is_an_approval(
    agent: Agent, acts: Acts
) -> None:
    acts.judged("approved", state="expired")
    found = measure_days(agent).total
    assert (found.approved, found.expired) == (1, 0)


def test_effects_that_failed_or_are_not_known_are_errors(agent: Agent, acts: Acts) -> None:
    acts.judged("approved", 2)
    acts.judged("approved", state="failed")
    acts.judged("approved", state="unknown")
    acts.judged("approved", state="sent")
    assert measure_days(agent).total.errors == Share(2, 4)


def test_every_operation_has_its_figures_and_the_sum_has_all(agent: Agent, acts: Acts) -> None:
    acts.judged("approved", 2, on="crm.update")
    acts.judged("rejected", 1, on="erp.pay")
    launch = measure_days(agent)
    assert [(one.operation, one.decided) for one in launch.operations] == [
        ("crm.update", 2), ("erp.pay", 1),
    ]  # fmt: skip
    assert launch.total.decided == 3


def test_old_decisions_fall_out_of_the_days_and_of_the_newest(agent: Agent, acts: Acts) -> None:
    acts.judged("rejected", 2, at=clock.now() - timedelta(days=31))
    acts.judged("approved", 3)
    assert measure_days(agent).total.agreement == Share(3, 3)
    assert measure_newest(agent, 3).total.agreement == Share(3, 3)
    assert measure_newest(agent, 4).total.agreement == Share(3, 4)


def test_a_stage_begins_anew(agent: Agent, acts: Acts) -> None:
    acts.judged("rejected", at=agent.stage_changed_at - timedelta(minutes=1))
    acts.judged("approved")
    assert measure_stage(agent).total.agreement == Share(1, 1)


def test_another_agents_actions_do_not_count(agent: Agent, acts: Acts) -> None:
    from tests.factories import make_agent

    other = make_agent("other", owner=agent.owner, stage="soft_launch")
    Acts(other).judged("rejected", 3)
    assert measure_days(agent).is_empty


def test_figures_cost_two_queries_however_many_operations(
    agent: Agent, acts: Acts, django_assert_num_queries: object
) -> None:
    for number in range(5):
        acts.judged("approved", 3, on=f"crm.do{number}")
    with django_assert_num_queries(2):  # type: ignore[operator]
        measure_days(agent)
