from __future__ import annotations

import pytest

from approvals import errors
from approvals.actions import decide_review, request_promotion, submit_agent
from kernel.canonical import digest
from registry.actors import Actor
from registry.errors.agents import AgentNotFound, IllegalTransition, NotYourAgent
from registry.models import Agent
from tests.factories import (
    Cast,
    actor,
    make_agent,
    make_manifest,
    make_similar,
    make_version,
)


@pytest.mark.parametrize("who", ["alice", "bob", "pat"])
def test_those_who_answer_for_a_draft_submit_it(cast: Cast, draft: Agent, who: str) -> None:
    review = submit_agent(draft.name, actor=actor(getattr(cast, who)))
    draft.refresh_from_db()
    assert draft.stage == "in_review"
    assert review.requester == getattr(cast, who)
    assert review.kind == "registration"
    assert review.audience == ["role:security"]
    assert review.digest == digest(draft.versions.get().manifest)
    assert review.excluded == [cast.alice.public_id]


@pytest.mark.parametrize("who", ["mallory", "sam", "ann"])
def test_nobody_else_submits_it(cast: Cast, draft: Agent, who: str) -> None:
    with pytest.raises(NotYourAgent):
        submit_agent(draft.name, actor=actor(getattr(cast, who)))
    with pytest.raises(AgentNotFound):
        submit_agent("nothing", actor=actor(getattr(cast, who)))


def test_an_automation_submits_on_behalf_of_the_owner(cast: Cast, draft: Agent) -> None:
    review = submit_agent(draft.name, actor=Actor.system("demo"))
    assert review.requester == cast.alice


def test_submitting_twice_names_the_review_that_is_open(cast: Cast, draft: Agent) -> None:
    first = submit_agent(draft.name, actor=actor(cast.alice))
    with pytest.raises(errors.ReviewAlreadyOpen) as caught:
        submit_agent(draft.name, actor=actor(cast.bob))
    assert caught.value.facts["review"] == first.public_id


def test_a_similar_agent_is_reused_or_the_new_one_justified(cast: Cast, draft: Agent) -> None:
    other = make_agent("bill-sorter", owner=cast.mallory, stage="live")
    distant = make_agent("weather", owner=cast.mallory, stage="live")
    make_similar(draft, other, 0.5, "sorts the same invoices")
    make_similar(draft, distant, 0.49)
    with pytest.raises(errors.JustificationNeeded, match=r"bill-sorter \(of mallory") as caught:
        submit_agent(draft.name, actor=actor(cast.alice), justification="  ", demands_reason=True)
    assert [found["name"] for found in caught.value.facts["similar"]] == ["bill-sorter"]  # type: ignore[attr-defined]
    draft.refresh_from_db()
    assert draft.stage == "draft"
    review = submit_agent(draft.name, actor=actor(cast.alice), justification="Another ledger.")
    assert review.justification == "Another ledger."
    assert [found["name"] for found in review.evidence["similar"]] == ["bill-sorter", "weather"]


def test_the_evidence_is_what_a_decider_must_see(cast: Cast, draft: Agent) -> None:
    evidence = submit_agent(draft.name, actor=actor(cast.alice)).evidence
    assert evidence["manifest"] == draft.versions.get().manifest
    assert evidence["agent"]["owner"]["email"] == "alice@acme.test"
    assert evidence["data_classes"] == ["internal"]
    assert evidence["routes"] == ["sandbox"]
    assert list(evidence["vendors"]) in ([], ["sandbox"])
    assert evidence["diff"] == []


def test_the_evidence_of_a_version_compares_it_with_the_one_in_force(cast: Cast) -> None:
    agent = make_agent("runner", owner=cast.alice, backup_owner=cast.bob, stage="live")
    manifest = make_manifest("runner", version="2.0.0", dataClasses=["internal", "personal"])
    make_version(agent, manifest)
    review = submit_agent("runner", actor=actor(cast.alice))
    assert review.evidence["compared_with"] == "1.0.0"
    paths = {change["path"] for change in review.evidence["diff"]}
    assert "spec.version" in paths
    assert any("dataClasses" in path for path in paths)
    assert any(change["risk"] for change in review.evidence["diff"])


def test_a_running_agent_without_a_new_version_has_nothing_to_submit(cast: Cast) -> None:
    make_agent("runner", owner=cast.alice, stage="live")
    with pytest.raises(errors.NothingToSubmit):
        submit_agent("runner", actor=actor(cast.alice))


def test_a_retired_agent_is_not_submitted(cast: Cast) -> None:
    make_agent("gone", owner=cast.alice, stage="retired")
    with pytest.raises(IllegalTransition):
        submit_agent("gone", actor=actor(cast.alice))


def test_an_agent_in_soft_launch_is_promoted_by_a_review(cast: Cast) -> None:
    agent = make_agent("trial", owner=cast.alice, backup_owner=cast.bob, stage="soft_launch")
    with pytest.raises(errors.JustificationNeeded):
        request_promotion("trial", actor=actor(cast.alice), justification="")
    with pytest.raises(NotYourAgent):
        request_promotion("trial", actor=actor(cast.mallory), justification="Please.")
    review = request_promotion("trial", actor=actor(cast.alice), justification="98 % agreed.")
    with pytest.raises(errors.ReviewAlreadyOpen):
        request_promotion("trial", actor=actor(cast.bob), justification="Again.")
    decide_review(review.public_id, actor=actor(cast.sam), decision="approve")
    agent.refresh_from_db()
    assert agent.stage == "live"
    with pytest.raises(errors.NotInSoftLaunch):
        request_promotion("trial", actor=actor(cast.alice), justification="More.")


def test_a_refused_promotion_leaves_the_agent_where_it_is(cast: Cast) -> None:
    agent = make_agent("trial", owner=cast.alice, stage="soft_launch")
    review = request_promotion("trial", actor=actor(cast.alice), justification="98 % agreed.")
    decide_review(review.public_id, actor=actor(cast.sam), decision="reject", comment="Too few.")
    agent.refresh_from_db()
    assert agent.stage == "soft_launch"
