from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.models import Entry
from registry.actions import agents as act
from registry.errors.agents import (
    IllegalTransition,
    ManifestInvalid,
    NotYourAgent,
    VersionAlreadyProposed,
    VersionNotGreater,
    VersionSettled,
    VersionUnchanged,
)
from registry.manifest import manifest_of
from registry.models import Agent
from tests.factories import Cast, actor, make_agent, make_manifest


def agent_of(cast: Cast, stage: str = "live") -> Agent:
    return make_agent(owner=cast.alice, backup_owner=cast.bob, stage=stage)


def propose(cast: Cast, who: str = "alice", **spec: Any) -> act.Proposed:
    manifest = manifest_of(make_manifest(**spec))
    return act.propose_version(
        manifest.name, manifest, actor=actor(getattr(cast, who)), source="api"
    )


def facts(verb: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(Entry.objects.get(verb=verb).header))["facts"]
    return found


@pytest.mark.parametrize("stage", ["soft_launch", "live", "deprecated"])
def test_a_running_agents_new_version_waits_and_changes_nothing_yet(cast: Cast, stage: str) -> None:
    agent = agent_of(cast, stage)
    done = propose(cast, version="1.1.0", dataClasses=["internal", "personal"])
    agent.refresh_from_db()
    assert (done.version.number, done.version.state) == (2, "proposed")
    assert (agent.data_classes, agent.current_version.version) == (["internal"], "1.0.0")  # type: ignore[union-attr]
    assert facts("agent.version_proposed")["risks"] == ["sees personal data"]


def test_an_accepted_version_comes_into_force(cast: Cast) -> None:
    agent = agent_of(cast)
    done = propose(cast, version="1.1.0", dataClasses=["internal", "personal"], costCenter="1")
    act.accept_version(agent, done.version, actor=actor(cast.sam))
    agent.refresh_from_db()
    assert (agent.current_version, agent.risk_tier, agent.cost_center) == (
        done.version,
        "high",
        "1",
    )
    assert done.version.state == "accepted"
    with pytest.raises(VersionSettled):
        act.accept_version(agent, done.version, actor=actor(cast.sam))
    with pytest.raises(VersionSettled):
        act.reject_version(agent, done.version, actor=actor(cast.sam))


def test_a_rejected_version_leaves_the_one_in_force(cast: Cast) -> None:
    agent = agent_of(cast)
    done = propose(cast, version="1.1.0", costCenter="1")
    act.reject_version(agent, done.version, actor=actor(cast.sam), reason="too wide")
    agent.refresh_from_db()
    assert (agent.cost_center, done.version.state) == ("", "rejected")
    assert facts("agent.version_rejected")["reason"] == "too wide"
    assert propose(cast, version="1.1.0", costCenter="2").version.number == 3


def test_a_version_of_another_agent_is_not_accepted(cast: Cast) -> None:
    agent_of(cast)
    other = make_agent("other", owner=cast.alice, stage="live")
    done = propose(cast, version="1.1.0")
    with pytest.raises(VersionSettled):
        act.accept_version(other, done.version, actor=actor(cast.sam))


@pytest.mark.parametrize("stage", ["in_review", "retired"])
def test_an_agent_in_review_or_retired_takes_no_new_version(cast: Cast, stage: str) -> None:
    agent_of(cast, stage)
    with pytest.raises(IllegalTransition):
        propose(cast, version="1.1.0")


def test_one_version_waits_at_a_time(cast: Cast) -> None:
    agent_of(cast)
    first = propose(cast, version="1.1.0")
    with pytest.raises(VersionAlreadyProposed, match=r"1\.1\.0"):
        propose(cast, version="1.2.0")
    again = propose(cast, version="1.1.0")
    assert (again.created, again.version) == (False, first.version)


def test_a_waiting_version_can_be_taken_back(cast: Cast) -> None:
    agent = agent_of(cast)
    propose(cast, version="1.1.0")
    with pytest.raises(NotYourAgent):
        act.withdraw_version(agent.name, actor=actor(cast.mallory))
    assert act.withdraw_version(agent.name, actor=actor(cast.bob)).state == "rejected"
    with pytest.raises(VersionSettled):
        act.withdraw_version(agent.name, actor=actor(cast.bob))


def test_a_drafts_version_is_replaced_not_taken_back(cast: Cast) -> None:
    agent = agent_of(cast, "draft")
    with pytest.raises(IllegalTransition):
        act.withdraw_version(agent.name, actor=actor(cast.alice))


@pytest.mark.parametrize("version", ["1.0.0", "0.9.0", "1.0.0-rc.1", "1.0.0+build"])
def test_a_new_version_is_above_the_one_in_force(cast: Cast, version: str) -> None:
    agent_of(cast)
    with pytest.raises(VersionNotGreater):
        propose(cast, version=version, costCenter="1")


def test_the_manifest_in_force_is_no_new_version(cast: Cast) -> None:
    agent_of(cast)
    with pytest.raises(VersionUnchanged):
        propose(cast)


def test_a_drafts_new_manifest_takes_the_place_of_the_last(cast: Cast) -> None:
    agent = agent_of(cast, "draft")
    done = propose(cast, costCenter="1", dataClasses=["regulated"])
    agent.refresh_from_db()
    assert (agent.cost_center, agent.risk_tier) == ("1", "high")
    assert [version.state for version in agent.versions.order_by("number")] == [
        "superseded",
        "proposed",
    ]
    assert [change.path for change in done.changes] == [
        "spec.dataClasses[regulated]",
        "spec.dataClasses[internal]",
        "spec.costCenter",
    ]


@pytest.mark.parametrize("who", ["mallory", "sam", "ann"])
def test_those_who_do_not_answer_for_an_agent_propose_nothing(cast: Cast, who: str) -> None:
    agent_of(cast)
    with pytest.raises(NotYourAgent):
        propose(cast, who, version="1.1.0")


def test_an_agent_keeps_its_name(cast: Cast) -> None:
    agent = agent_of(cast)
    manifest = manifest_of(make_manifest("another", version="1.1.0"))
    with pytest.raises(ManifestInvalid, match="keeps its name"):
        act.propose_version(agent.name, manifest, actor=actor(cast.alice), source="api")


def test_the_owner_hands_an_agent_over_and_that_is_recorded(cast: Cast) -> None:
    agent = agent_of(cast)
    done = propose(cast, version="1.1.0", owner="user:mallory@acme.test")
    act.accept_version(agent, done.version, actor=actor(cast.sam))
    agent.refresh_from_db()
    assert agent.owner == cast.mallory
    assert facts("agent.changed")["previous_owner"] == str(cast.alice.ref)


def test_the_backup_owner_hands_nothing_over(cast: Cast) -> None:
    agent_of(cast)
    with pytest.raises(NotYourAgent):
        propose(cast, "bob", version="1.1.0", owner="user:mallory@acme.test")
    assert propose(cast, "bob", version="1.1.0").created


def test_a_version_that_names_somebody_who_left_meanwhile_is_not_accepted(cast: Cast) -> None:
    agent = agent_of(cast)
    done = propose(cast, version="1.1.0")
    type(cast.bob).objects.filter(pk=cast.bob.pk).update(deactivated_at="2026-01-01T00:00:00Z")
    with pytest.raises(ManifestInvalid, match="deactivated"):
        act.accept_version(agent, done.version, actor=actor(cast.sam))
    done.version.refresh_from_db()
    assert done.version.state == "proposed"
