from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from kernel.canonical import digest
from ledger.models import Entry
from registry.actions.agents import (
    check_manifest,
    register_agent,
    remove_demo_agent,
    remove_draft,
)
from registry.actors import Actor, RoleMissing
from registry.errors.agents import (
    AgentNotFound,
    DraftHasRun,
    IllegalTransition,
    ManifestInvalid,
    NameTaken,
    NotYourAgent,
    OwnerMustBeYou,
)
from registry.manifest import Manifest, manifest_of
from registry.models import Agent, AgentVersion, SimilarAgent
from registry.queries import history_of
from tests.factories import (
    Cast,
    actor,
    make_agent,
    make_key,
    make_manifest,
    make_person,
    make_similar,
    operator,
)
from tests.registry.conftest import KnownRoutes


def manifest(name: str = "invoice-sorter", **spec: Any) -> Manifest:
    return manifest_of(make_manifest(name, **spec))


def register(cast: Cast, name: str = "invoice-sorter", **spec: Any) -> Agent:
    return register_agent(manifest(name, **spec), actor=actor(cast.alice), source="api").agent


def facts_of(agent: Agent) -> list[tuple[str, dict[str, Any]]]:
    return [
        (entry.verb, json.loads(bytes(entry.header))["facts"])
        for entry in history_of(agent).order_by("id")
    ]


def problems(error: pytest.ExceptionInfo[ManifestInvalid]) -> dict[str, str]:
    return {each["key"]: each["message"] for each in error.value.facts["errors"]}  # type: ignore[attr-defined]


def test_a_registered_agent_is_a_draft_with_its_version_proposed(cast: Cast) -> None:
    agent = register(cast)
    version = agent.versions.get()
    assert (agent.stage, agent.owner, agent.backup_owner) == ("draft", cast.alice, cast.bob)
    assert (agent.team, agent.routes, agent.data_classes) == (
        cast.finance,
        ["sandbox"],
        ["internal"],
    )
    assert (version.number, version.state, version.version) == (1, "proposed", "1.0.0")
    assert version.digest == digest(version.manifest)


def test_every_section_reaches_the_inventory(cast: Cast, full: dict[str, Any]) -> None:
    full["spec"]["team"] = "research"
    agent = register_agent(manifest_of(full), actor=actor(cast.alice), source="api").agent
    assert agent.team == cast.research
    assert (agent.on_call, agent.cost_center) == ("#finance-on-call", "4711")
    assert (agent.risk_tier, agent.tools) == ("high", ["wire_transfer", "com.acme/erp"])
    assert (agent.tags, agent.routes) == (["finance"], ["classify-invoice", "sandbox"])


def test_registering_is_recorded_once_with_who_and_what(cast: Cast) -> None:
    agent = register(cast)
    [(verb, facts)] = facts_of(agent)
    assert verb == "agent.registered"
    assert facts["digest"] == agent.versions.get().digest
    assert facts["owner"] == str(cast.alice.ref)
    assert Entry.objects.get(verb=verb).actor == str(cast.alice.ref)


def test_an_agent_is_registered_by_its_owner(cast: Cast) -> None:
    with pytest.raises(OwnerMustBeYou):
        register_agent(manifest(), actor=actor(cast.mallory), source="api")
    with pytest.raises(OwnerMustBeYou):
        register_agent(manifest(), actor=actor(cast.sam), source="api")


def test_the_platform_and_the_operator_register_for_others(cast: Cast) -> None:
    first = register_agent(manifest("a1"), actor=actor(cast.pat), source="api")
    second = register_agent(manifest("a2"), actor=operator(), source="command")
    assert first.agent.owner == second.agent.owner == cast.alice


@pytest.mark.parametrize("roles", [("auditor",), ()])
def test_a_token_without_the_employee_role_registers_nothing(cast: Cast, roles: Any) -> None:
    with pytest.raises(RoleMissing):
        register_agent(manifest(), actor=Actor.of(cast.alice, roles), source="api")


def test_the_same_manifest_again_answers_with_what_exists(cast: Cast) -> None:
    first = register_agent(manifest(), actor=actor(cast.alice), source="api")
    again = register_agent(manifest(), actor=actor(cast.alice), source="api")
    assert (again.created, again.agent, again.version) == (False, first.agent, first.version)
    assert len(facts_of(first.agent)) == 1


@pytest.mark.parametrize("who", ["mallory", "sam"])
def test_a_taken_name_is_refused_to_others_even_with_the_same_manifest(
    cast: Cast, who: str
) -> None:
    register(cast)
    with pytest.raises(NameTaken):
        register_agent(manifest(), actor=actor(getattr(cast, who)), source="api")


def test_a_taken_name_is_refused_to_its_owner_with_another_manifest(cast: Cast) -> None:
    register(cast)
    with pytest.raises(NameTaken, match="/versions"):
        register(cast, costCenter="1")


def test_a_retired_agents_name_stays_taken(cast: Cast) -> None:
    document = make_manifest()
    make_agent(owner=cast.alice, manifest=document, stage="retired")
    with pytest.raises(NameTaken):
        register_agent(manifest_of(document), actor=actor(cast.alice), source="api")


def test_everything_that_does_not_exist_is_named_at_once(cast: Cast) -> None:
    with pytest.raises(ManifestInvalid) as error:
        register(
            cast,
            owner="user:nobody@acme.test",
            backupOwner="user:noone@acme.test",
            team="finanze",
            dataClasses=["internal", "pii"],
            models=[{"alias": "a", "route": "clasify-invoice", "fallback": ["moon"]}],
        )
    found = problems(error)
    assert "no person nobody@acme.test" in found["spec.owner"]
    assert "no person noone@acme.test" in found["spec.backupOwner"]
    assert "did you mean finance?" in found["spec.team"]
    assert "did you mean personal?" in found["spec.dataClasses[1]"]
    assert "did you mean classify-invoice?" in found["spec.models[0].route"]
    assert "there are sandbox" in found["spec.models[0].fallback[0]"]
    assert not Agent.objects.exists()


def test_a_pinned_model_is_accepted_when_a_route_has_its_name(
    cast: Cast, routes: KnownRoutes
) -> None:
    agent = register(cast, models=[{"alias": "a", "pin": "openai/gpt-5"}])
    assert agent.routes == ["openai/gpt-5"]
    routes.names.remove("openai/gpt-5")
    with pytest.raises(ManifestInvalid, match="no route 'openai/gpt-5'"):
        register(cast, "another", models=[{"alias": "a", "pin": "openai/gpt-5"}])


def test_somebody_who_left_answers_for_nothing_new(cast: Cast) -> None:
    make_person("gone", deactivated_at="2026-01-01T00:00:00Z")
    with pytest.raises(ManifestInvalid, match="deactivated"):
        register(cast, backupOwner="user:gone@acme.test")


def test_people_are_found_whatever_the_case_of_their_address(cast: Cast) -> None:
    assert register(cast, owner="user:Alice@ACME.test").owner == cast.alice


def test_those_it_resembles_are_answered_and_kept(cast: Cast) -> None:
    other = make_agent("invoice-sorting", owner=cast.bob)
    Agent.objects.filter(pk=other.pk).update(title="Invoice sorter")
    done = register_agent(manifest(), actor=actor(cast.alice), source="api")
    assert [each.agent.name for each in done.similar] == ["invoice-sorting"]
    kept = SimilarAgent.objects.get(agent=done.agent)
    assert (kept.other, kept.score) == (other, done.similar[0].score)


def test_checking_says_what_registering_would_and_changes_nothing(cast: Cast) -> None:
    make_agent("invoice-sorting", owner=cast.bob)
    checked = check_manifest(manifest(), actor=actor(cast.alice))
    assert [each.agent.name for each in checked.similar] == ["invoice-sorting"]
    with pytest.raises(OwnerMustBeYou):
        check_manifest(manifest(), actor=actor(cast.mallory))
    with pytest.raises(NameTaken):
        check_manifest(manifest("invoice-sorting"), actor=actor(cast.alice))
    assert Agent.objects.count() == 1
    assert not Entry.objects.exists()


def test_a_draft_that_never_ran_can_be_removed_and_its_name_is_free(cast: Cast) -> None:
    agent = register(cast)
    remove_draft(agent.name, actor=actor(cast.bob))
    assert not Agent.objects.exists()
    assert not AgentVersion.objects.exists()
    assert [verb for verb, _ in facts_of(agent)] == ["agent.registered", "agent.removed"]
    register(cast)


@pytest.mark.parametrize("who", ["mallory", "sam", "ann"])
def test_a_draft_is_removed_by_those_who_answer_for_it_only(cast: Cast, who: str) -> None:
    agent = register(cast)
    with pytest.raises(NotYourAgent):
        remove_draft(agent.name, actor=actor(getattr(cast, who)))


@pytest.mark.parametrize("stage", ["in_review", "soft_launch", "live", "deprecated", "retired"])
def test_an_agent_beyond_draft_is_never_removed(cast: Cast, stage: str) -> None:
    agent = make_agent(owner=cast.alice, stage=stage)
    with pytest.raises(IllegalTransition):
        remove_draft(agent.name, actor=actor(cast.alice))


def test_a_draft_that_has_keys_is_not_removed(cast: Cast) -> None:
    agent = make_agent(owner=cast.alice)
    make_key(agent)
    with pytest.raises(DraftHasRun):
        remove_draft(agent.name, actor=actor(cast.alice))


@pytest.mark.parametrize("name", ["nothing", "agt_nothing", "a\x00b", ""])
def test_an_agent_that_is_not_there_is_not_found(cast: Cast, name: str) -> None:
    with pytest.raises(AgentNotFound):
        remove_draft(name, actor=actor(cast.pat))


REFUSED_BY_THE_DATABASE = {
    "a manifest that is changed": (
        "UPDATE registry_agentversion SET manifest = '{}'",
        "registry_agentversion_immutable",
    ),
    "a digest that is changed": (
        "UPDATE registry_agentversion SET digest = 'sha256:0'",
        "registry_agentversion_immutable",
    ),
    "a version that is renamed": (
        "UPDATE registry_agentversion SET version = '9.9.9'",
        "registry_agentversion_immutable",
    ),
    "an accepted version that is taken back": (
        "UPDATE registry_agentversion SET state = 'proposed', settled_at = NULL",
        "registry_agentversion_settled_once",
    ),
    "an accepted version that is deleted": (
        "DELETE FROM registry_agentversion",
        "registry_agentversion_accepted_is_kept",
    ),
    "an agent that is renamed": (
        "UPDATE registry_agent SET name = 'other'",
        "registry_agent_keeps_its_name",
    ),
    "an agent with another id": (
        "UPDATE registry_agent SET public_id = 'agt_other'",
        "registry_agent_keeps_its_name",
    ),
    "what ran turned into demo data": (
        "UPDATE registry_agent SET is_demo = true",
        "registry_agent_demo_from_the_start",
    ),
    "a retirement without its stamp": (
        "UPDATE registry_agent SET stage = 'retired'",
        "registry_agent_retired_iff_stamped",
    ),
    "an owner who backs themselves up": (
        "UPDATE registry_agent SET backup_owner_id = owner_id",
        "registry_agent_backup_is_another",
    ),
    "a running agent without a version": (
        "UPDATE registry_agent SET current_version_id = NULL",
        "registry_agent_running_has_version",
    ),
    "a kill that does not suspend": (
        "UPDATE registry_agent SET killed_at = now()",
        "registry_agent_killed_is_suspended",
    ),
    "a reason without a suspension": (
        "UPDATE registry_agent SET suspended_reason = 'x'",
        "registry_agent_suspended_iff_stamped",
    ),
    "an agent that sees no data class": (
        "UPDATE registry_agent SET data_classes = '{}'",
        "registry_agent_has_data_class",
    ),
    "a risk tier of one's own": (
        "UPDATE registry_agent SET risk_tier = 'tiny'",
        "registry_agent_known_risk_tier",
    ),
    "a second name": (
        "INSERT INTO registry_agent (public_id, name, title, description, purpose, owner_id,"
        " on_call, cost_center, risk_tier, data_classes, tags, routes, tools, stage,"
        " stage_changed_at, suspended_reason, suspended_by, is_demo, created_at)"
        " SELECT 'agt_2', name, '', '', '', owner_id, '', '', 'low', data_classes, tags, routes,"
        " tools, 'draft', now(), '', '', false, now() FROM registry_agent",
        "registry_agent_name_key",
    ),
    "a proposal without end": (
        "UPDATE registry_agentversion SET settled_at = NULL",
        "registry_agentversion_settled_iff_stamped",
    ),
}


@pytest.mark.parametrize(
    "statement, constraint",  # noqa: PT006
    REFUSED_BY_THE_DATABASE.values(),
    ids=REFUSED_BY_THE_DATABASE.keys(),
)
def test_the_database_itself_refuses(cast: Cast, statement: str, constraint: str) -> None:
    make_agent(owner=cast.alice, stage="live")
    with (
        pytest.raises(IntegrityError) as error,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert error.value.__cause__.diag.constraint_name == constraint  # type: ignore[union-attr]


def test_a_demo_agent_can_be_removed_whatever_it_has_done(cast: Cast) -> None:
    agent = make_agent(owner=cast.alice, is_demo=True, stage="live")
    other = make_agent("other", owner=cast.alice)
    make_key(agent)
    make_similar(other, agent, 0.5)
    with pytest.raises(RoleMissing):
        remove_demo_agent(agent.name, actor=actor(cast.alice))
    remove_demo_agent(agent.name, actor=actor(cast.pat))
    assert list(Agent.objects.all()) == [other]
    assert [verb for verb, _ in facts_of(agent)] == ["agent.removed"]


def test_what_is_no_demo_agent_is_not_removed_as_one(cast: Cast) -> None:
    agent = make_agent(owner=cast.alice, stage="live")
    with pytest.raises(DraftHasRun):
        remove_demo_agent(agent.name, actor=actor(cast.pat))
