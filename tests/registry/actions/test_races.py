"""Two callers at once, on two connections of their own: one wins, the other is told so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from kernel.errors import Conflict
from ledger.models import Entry
from registry.actions import agents as act
from registry.actions.keys import issue_key, rotate_key
from registry.errors.agents import (
    AgentNotCallable,
    IllegalTransition,
    KeyNotActive,
    NameTaken,
    TooManyKeys,
    VersionAlreadyProposed,
    VersionSettled,
)
from registry.manifest import manifest_of
from registry.models import Agent, AgentKey, AgentVersion
from tests.factories import Cast, actor, make_agent, make_cast, make_key, make_manifest

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def at_once(pool: ThreadPoolExecutor, *calls: Callable[[], Any]) -> list[Any]:
    """Start all calls together; return each answer or the refusal it met."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        gate.wait(60)
        try:
            return call()
        except Conflict as refusal:
            return refusal
        finally:
            connection.close()

    return [future.result(60) for future in [pool.submit(run, call) for call in calls]]


def refusals(outcomes: list[Any]) -> list[type]:
    return [type(outcome) for outcome in outcomes if isinstance(outcome, Conflict)]


def test_of_two_retirements_one_happens(cast: Cast, pool: ThreadPoolExecutor) -> None:
    make_agent("a", owner=cast.alice, stage="live")
    by = actor(cast.alice)
    outcomes = at_once(pool, *[lambda: act.retire_agent("a", actor=by, reason="x")] * 2)
    assert refusals(outcomes) == [IllegalTransition]
    assert Entry.objects.filter(verb="agent.retired").count() == 1


def test_of_eight_suspensions_one_happens(cast: Cast, pool: ThreadPoolExecutor) -> None:
    make_agent("a", owner=cast.alice, stage="live")
    by = actor(cast.sam)
    outcomes = at_once(pool, *[lambda: act.suspend_agent("a", actor=by, reason="x")] * 8)
    assert refusals(outcomes) == [IllegalTransition] * 7
    assert Entry.objects.filter(verb="agent.suspended").count() == 1


def test_of_two_versions_proposed_at_once_one_waits(cast: Cast, pool: ThreadPoolExecutor) -> None:
    make_agent("a", owner=cast.alice, backup_owner=cast.bob, stage="live")
    by = actor(cast.alice)

    def propose(version: str) -> act.Proposed:
        manifest = manifest_of(make_manifest("a", version=version))
        return act.propose_version("a", manifest, actor=by, source="api")

    outcomes = at_once(pool, lambda: propose("1.1.0"), lambda: propose("1.2.0"))
    assert refusals(outcomes) == [VersionAlreadyProposed]
    assert AgentVersion.objects.filter(state="proposed").count() == 1


def test_of_two_drafts_handed_in_at_once_the_later_stands(
    cast: Cast, pool: ThreadPoolExecutor
) -> None:
    agent = make_agent("a", owner=cast.alice, backup_owner=cast.bob)
    by = actor(cast.alice)

    def propose(cost_center: str) -> act.Proposed:
        manifest = manifest_of(make_manifest("a", costCenter=cost_center))
        return act.propose_version("a", manifest, actor=by, source="api")

    outcomes = at_once(pool, *[lambda n=n: propose(str(n)) for n in range(4)])
    agent.refresh_from_db()
    waiting = AgentVersion.objects.get(state="proposed")
    assert refusals(outcomes) == []
    assert waiting.number == 5
    assert waiting.manifest["spec"]["costCenter"] == agent.cost_center


def test_of_two_acceptances_one_happens(cast: Cast, pool: ThreadPoolExecutor) -> None:
    agent = make_agent("a", owner=cast.alice, backup_owner=cast.bob, stage="live")
    manifest = manifest_of(make_manifest("a", version="1.1.0"))
    version = act.propose_version("a", manifest, actor=actor(cast.alice), source="api").version

    def accept() -> AgentVersion:
        return act.accept_version(
            Agent.objects.get(pk=agent.pk),
            AgentVersion.objects.get(pk=version.pk),
            actor=actor(cast.sam),
        )

    def reject() -> AgentVersion:
        return act.reject_version(
            Agent.objects.get(pk=agent.pk),
            AgentVersion.objects.get(pk=version.pk),
            actor=actor(cast.sue),
        )

    outcomes = at_once(pool, accept, accept, reject)
    assert refusals(outcomes) == [VersionSettled] * 2


def test_of_two_owners_one_gets_the_name(cast: Cast, pool: ThreadPoolExecutor) -> None:
    def register(owner: str, backup: str) -> act.Registered:
        person = getattr(cast, owner)
        spec = {"owner": f"user:{owner}@acme.test", "backupOwner": f"user:{backup}@acme.test"}
        manifest = manifest_of(make_manifest("a", **spec))
        return act.register_agent(manifest, actor=actor(person), source="api")

    outcomes = at_once(pool, lambda: register("alice", "bob"), lambda: register("bob", "alice"))
    assert refusals(outcomes) == [NameTaken]
    assert Agent.objects.count() == AgentVersion.objects.count() == 1
    assert Entry.objects.filter(verb="agent.registered").count() == 1


def test_the_same_registration_sent_twice_is_one_agent_and_no_error(
    cast: Cast, pool: ThreadPoolExecutor
) -> None:
    manifest = manifest_of(make_manifest("a"))
    by = actor(cast.alice)
    outcomes = at_once(pool, *[lambda: act.register_agent(manifest, actor=by, source="api")] * 4)
    assert sorted(outcome.created for outcome in outcomes) == [False, False, False, True]
    assert len({outcome.agent.public_id for outcome in outcomes}) == 1


def test_no_key_slips_past_a_kill(cast: Cast, pool: ThreadPoolExecutor) -> None:
    make_agent("a", owner=cast.alice, stage="live")
    owner, security = actor(cast.alice), actor(cast.sam)
    outcomes = at_once(
        pool,
        *[lambda: issue_key("a", actor=owner)] * 4,
        lambda: act.kill_agent("a", actor=security, reason="leak"),
    )
    assert set(refusals(outcomes)) <= {AgentNotCallable}
    assert not AgentKey.objects.filter(revoked_at__isnull=True).exists()


def test_the_cap_on_keys_holds_when_all_ask_at_once(cast: Cast, pool: ThreadPoolExecutor) -> None:
    agent = make_agent("a", owner=cast.alice, stage="live")
    for _ in range(8):
        make_key(agent)
    by = actor(cast.alice)
    outcomes = at_once(pool, *[lambda: issue_key("a", actor=by)] * 5)
    assert refusals(outcomes) == [TooManyKeys] * 3


def test_a_key_rotated_twice_at_once_has_one_successor(
    cast: Cast, pool: ThreadPoolExecutor
) -> None:
    key = make_key(make_agent("a", owner=cast.alice, stage="live"))[0]
    by = actor(cast.alice)
    outcomes = at_once(pool, *[lambda: rotate_key("a", key.public_id, actor=by)] * 3)
    assert refusals(outcomes) == [KeyNotActive] * 2
    assert AgentKey.objects.count() == 2


def test_an_owner_cannot_lift_what_security_took_over_meanwhile(
    cast: Cast, pool: ThreadPoolExecutor
) -> None:
    agent = make_agent("a", owner=cast.alice, stage="live")
    act.suspend_agent("a", actor=actor(cast.alice), reason="mine")
    owner, security = actor(cast.alice), actor(cast.sam)
    outcomes = at_once(
        pool,
        lambda: act.suspend_agent("a", actor=security, reason="ours"),
        lambda: _resume_or_denied(owner),
    )
    agent.refresh_from_db()
    # Whichever came first, security's word is the last one.
    assert (agent.suspended_by, agent.is_suspended) == (str(cast.sam.ref), True)
    assert len(outcomes) == 2


def _resume_or_denied(owner: Any) -> object:
    from registry.errors.agents import NotYourAgent

    try:
        return act.resume_agent("a", actor=owner)
    except NotYourAgent as denied:
        return denied
