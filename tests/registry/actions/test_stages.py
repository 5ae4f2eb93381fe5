from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from ledger.models import Entry
from registry.actions import agents as act
from registry.actors import Actor, RoleMissing
from registry.errors.agents import (
    IllegalTransition,
    NotYourAgent,
    ReasonMissing,
    VersionSettled,
)
from registry.models import Agent, AgentVersion
from tests.factories import STAGES, Cast, actor, make_agent, make_key

LEGAL = {
    ("draft", "in_review"),
    ("in_review", "draft"),
    ("in_review", "soft_launch"),
    ("soft_launch", "live"),
    ("soft_launch", "deprecated"),
    ("soft_launch", "retired"),
    ("live", "deprecated"),
    ("live", "retired"),
    ("deprecated", "retired"),
}
DEMOTION = ("live", "soft_launch")
# An end that is taken back: before its day, and within 30 days of it.
RETURNS = {("deprecated", "soft_launch"), ("deprecated", "live"), ("retired", "soft_launch")}
Step = Callable[[Agent, Actor], object]
STEPS: dict[str, tuple[Step, str]] = {
    "enter_review": (lambda agent, by: act.enter_review(agent, actor=by), "in_review"),
    "launch": (lambda agent, by: act.launch_agent(agent, newest(agent), actor=by), "soft_launch"),
    "return": (lambda agent, by: act.return_to_draft(agent, newest(agent), actor=by), "draft"),
    "promote": (lambda agent, by: act.promote_agent(agent, actor=by), "live"),
    "deprecate": (
        lambda agent, by: act.deprecate_agent(agent.name, actor=by, reason="old"),
        "deprecated",
    ),
    "retire": (lambda agent, by: act.retire_agent(agent.name, actor=by, reason="old"), "retired"),
}


def newest(agent: Agent) -> AgentVersion:
    version = agent.versions.order_by("-number").first()
    assert version is not None
    return version


def agent_of(cast: Cast, stage: str = "live", **over: Any) -> Agent:
    return make_agent(owner=cast.alice, backup_owner=cast.bob, stage=stage, **over)


def entries(agent: Agent) -> list[str]:
    return list(
        Entry.objects.filter(agent_id=agent.public_id).order_by("id").values_list("verb", flat=True)
    )


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_leaves_the_stages_it_may_leave_and_no_other(
    cast: Cast, stage: str, step: str
) -> None:
    agent = agent_of(cast, stage)
    take, to = STEPS[step]
    if (stage, to) in LEGAL:
        take(agent, actor(cast.alice))
        agent.refresh_from_db()
        assert agent.stage == to
        assert len(entries(agent)) == 1
    else:
        with pytest.raises((IllegalTransition, VersionSettled)):
            take(agent, actor(cast.alice))
        agent.refresh_from_db()
        assert agent.stage == stage
        assert entries(agent) == []


@pytest.mark.parametrize("before", STAGES)
@pytest.mark.parametrize("after", STAGES)
def test_the_database_lets_no_stage_be_skipped(cast: Cast, before: str, after: str) -> None:
    agent = agent_of(cast, before)
    is_legal = before == after or (before, after) in LEGAL | {DEMOTION} | RETURNS
    sql = (
        "UPDATE registry_agent SET stage = %s,"
        " retired_at = CASE WHEN %s = 'retired' THEN now() END,"
        " current_version_id = (SELECT max(id) FROM registry_agentversion) WHERE id = %s"
    )
    outcome = []
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, [after, after, agent.pk])
    except IntegrityError as error:
        outcome.append(error.__cause__.diag.constraint_name)  # type: ignore[union-attr]
    assert outcome == ([] if is_legal else ["registry_agent_stage_follows"])


@pytest.mark.parametrize("stage", STAGES)
def test_only_a_live_agent_is_demoted_by_rule_and_on_record(cast: Cast, stage: str) -> None:
    agent = agent_of(cast, stage)
    sweep = Actor.system("launch")
    if stage != "live":
        with pytest.raises(IllegalTransition):
            act.demote_agent(agent, actor=sweep, reason="it erred")
        return
    with pytest.raises(RoleMissing):
        act.demote_agent(agent, actor=actor(cast.alice), reason="it erred")
    act.demote_agent(agent, actor=sweep, reason="it erred", facts={"rule": "launch.errors"})
    agent.refresh_from_db()
    assert agent.stage == "soft_launch"
    assert entries(agent) == ["agent.demoted"]


def test_a_launch_brings_the_version_into_force(cast: Cast) -> None:
    agent = agent_of(cast, "in_review")
    act.launch_agent(agent, newest(agent), actor=actor(cast.sam))
    agent.refresh_from_db()
    assert agent.current_version == newest(agent)
    assert newest(agent).state == "accepted"
    assert agent.is_callable


def test_a_killed_agent_is_neither_submitted_nor_launched(cast: Cast) -> None:
    draft, waiting = agent_of(cast, "draft"), agent_of(cast, "in_review", name="waiting")
    for agent in (draft, waiting):
        act.kill_agent(agent.name, actor=actor(cast.sam), reason="leak")
    with pytest.raises(IllegalTransition, match="killed"):
        act.enter_review(draft, actor=actor(cast.alice))
    with pytest.raises(IllegalTransition, match="killed"):
        act.launch_agent(waiting, newest(waiting), actor=actor(cast.sam))


def test_a_draft_without_a_waiting_version_is_not_submitted(cast: Cast) -> None:
    agent = agent_of(cast, "draft")
    AgentVersion.objects.update(state="rejected", settled_at="2026-01-01T00:00:00Z")
    with pytest.raises(VersionSettled):
        act.enter_review(agent, actor=actor(cast.alice))
    agent.refresh_from_db()
    assert agent.stage == "draft"


WHO_MAY = {
    "suspend": {"alice", "bob", "sam", "pat"},
    "kill": {"alice", "bob", "sam", "pat"},
    "deprecate": {"alice", "pat"},
    "retire": {"alice", "pat"},
}
BY_NAME: dict[str, Callable[..., object]] = {
    "suspend": act.suspend_agent,
    "kill": act.kill_agent,
    "deprecate": act.deprecate_agent,
    "retire": act.retire_agent,
}


@pytest.mark.parametrize("who", ["alice", "bob", "mallory", "sam", "pat", "ann"])
@pytest.mark.parametrize("step", BY_NAME)
def test_each_step_is_open_to_those_it_names(cast: Cast, step: str, who: str) -> None:
    agent = agent_of(cast)
    by = actor(getattr(cast, who))
    if who in WHO_MAY[step]:
        BY_NAME[step](agent.name, actor=by, reason="because")
        assert entries(agent)
    else:
        with pytest.raises(NotYourAgent) as error:
            BY_NAME[step](agent.name, actor=by, reason="because")
        assert str(error.value.facts["rule"]).startswith("registry.")
        assert entries(agent) == []


@pytest.mark.parametrize("step", BY_NAME)
def test_an_owners_token_without_the_employee_role_moves_nothing(cast: Cast, step: str) -> None:
    agent = agent_of(cast)
    with pytest.raises(NotYourAgent):
        BY_NAME[step](agent.name, actor=Actor.of(cast.alice, ["auditor"]), reason="because")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 2001, "a\x00b"])
@pytest.mark.parametrize("step", BY_NAME)
def test_each_step_wants_a_reason(cast: Cast, step: str, reason: str) -> None:
    agent = agent_of(cast)
    with pytest.raises(ReasonMissing):
        BY_NAME[step](agent.name, actor=actor(cast.alice), reason=reason)
    assert entries(agent) == []


@pytest.mark.parametrize("stage", STAGES[:-1])
def test_any_agent_that_is_not_retired_can_be_suspended_and_resumed(cast: Cast, stage: str) -> None:
    agent = agent_of(cast, stage)
    suspended = act.suspend_agent(agent.name, actor=actor(cast.sam), reason="odd traffic")
    assert (suspended.stage, suspended.is_callable) == (stage, False)
    assert (suspended.suspended_reason, suspended.suspended_by) == (
        "odd traffic",
        str(cast.sam.ref),
    )
    resumed = act.resume_agent(agent.name, actor=actor(cast.sam))
    assert (resumed.stage, resumed.is_suspended) == (stage, False)
    assert entries(agent) == ["agent.suspended", "agent.resumed"]


@pytest.mark.parametrize("step", ["suspend", "kill"])
def test_a_retired_agent_is_neither_suspended_nor_killed(cast: Cast, step: str) -> None:
    agent = agent_of(cast, "retired")
    with pytest.raises(IllegalTransition, match="retired"):
        BY_NAME[step](agent.name, actor=actor(cast.sam), reason="because")


def test_suspending_twice_is_refused_and_records_once(cast: Cast) -> None:
    agent = agent_of(cast)
    act.suspend_agent(agent.name, actor=actor(cast.alice), reason="one")
    with pytest.raises(IllegalTransition):
        act.suspend_agent(agent.name, actor=actor(cast.bob), reason="two")
    assert entries(agent) == ["agent.suspended"]


def test_security_takes_over_a_suspension_that_the_owner_set(cast: Cast) -> None:
    agent = agent_of(cast)
    act.suspend_agent(agent.name, actor=actor(cast.alice), reason="mine")
    taken = act.suspend_agent(agent.name, actor=actor(cast.sam), reason="ours now")
    assert (taken.suspended_by, taken.suspended_reason) == (str(cast.sam.ref), "ours now")
    with pytest.raises(NotYourAgent):
        act.resume_agent(agent.name, actor=actor(cast.alice))
    with pytest.raises(IllegalTransition):
        act.suspend_agent(agent.name, actor=actor(cast.sue), reason="again")


def test_an_owner_resumes_what_they_suspended_themselves(cast: Cast) -> None:
    agent = agent_of(cast)
    act.suspend_agent(agent.name, actor=actor(cast.alice), reason="mine")
    with pytest.raises(NotYourAgent):
        act.resume_agent(agent.name, actor=actor(cast.bob))
    assert act.resume_agent(agent.name, actor=actor(cast.alice)).is_callable


@pytest.mark.parametrize("who", ["mallory", "ann"])
def test_outsiders_resume_nothing(cast: Cast, who: str) -> None:
    agent = agent_of(cast)
    act.suspend_agent(agent.name, actor=actor(cast.sam), reason="odd")
    with pytest.raises(NotYourAgent):
        act.resume_agent(agent.name, actor=actor(getattr(cast, who)))


def test_what_is_not_suspended_is_not_resumed(cast: Cast) -> None:
    agent = agent_of(cast)
    with pytest.raises(IllegalTransition):
        act.resume_agent(agent.name, actor=actor(cast.sam))


def test_a_kill_suspends_and_revokes_every_key_and_says_which(cast: Cast) -> None:
    agent = agent_of(cast)
    one, two = make_key(agent)[0], make_key(agent)[0]
    killed = act.kill_agent(agent.name, actor=actor(cast.bob), reason="leak")
    assert killed.revoked_keys == [one.public_id, two.public_id]
    assert not killed.agent.is_callable
    one.refresh_from_db()
    assert (one.revoked_by, one.revoked_reason) == (str(cast.bob.ref), "agent killed: leak")
    assert entries(agent) == ["key.revoked", "key.revoked", "agent.killed"]
    last = Entry.objects.get(verb="agent.killed")
    assert json.loads(bytes(last.header))["facts"]["revoked_keys"] == killed.revoked_keys


def test_a_suspended_agent_can_still_be_killed_and_keeps_when_it_stopped(cast: Cast) -> None:
    agent = agent_of(cast)
    suspended = act.suspend_agent(agent.name, actor=actor(cast.alice), reason="odd")
    killed = act.kill_agent(agent.name, actor=actor(cast.sam), reason="leak").agent
    assert killed.suspended_at == suspended.suspended_at
    with pytest.raises(IllegalTransition):
        act.kill_agent(agent.name, actor=actor(cast.sam), reason="again")


def test_a_killed_agent_comes_back_by_security_only_and_without_keys(cast: Cast) -> None:
    agent = agent_of(cast)
    key = make_key(agent)[0]
    act.kill_agent(agent.name, actor=actor(cast.alice), reason="leak")
    with pytest.raises(NotYourAgent):
        act.resume_agent(agent.name, actor=actor(cast.alice))
    with pytest.raises(IllegalTransition):
        act.suspend_agent(agent.name, actor=actor(cast.sam), reason="too")
    back = act.resume_agent(agent.name, actor=actor(cast.sam), reason="cleared")
    key.refresh_from_db()
    assert back.is_callable
    assert key.revoked_at is not None


def test_retiring_revokes_the_keys(cast: Cast) -> None:
    agent = agent_of(cast)
    key = make_key(agent)[0]
    retired = act.retire_agent(agent.name, actor=actor(cast.alice), reason="replaced")
    key.refresh_from_db()
    assert retired.retired_at is not None
    assert key.revoked_at is not None
    assert entries(agent) == ["key.revoked", "agent.retired"]
