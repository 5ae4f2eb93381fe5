from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from kernel import clock, keys
from ledger.models import Entry
from registry.actions.keys import issue_key, revoke_key, rotate_key
from registry.errors.agents import (
    AgentNotCallable,
    KeyNotActive,
    KeyNotFound,
    LifetimeOutOfRange,
    NotYourAgent,
    OverlapOutOfRange,
    PepperMissing,
    TooManyKeys,
)
from registry.models import Agent, AgentKey
from registry.pepper import pepper_ring
from registry.queries import agent_key_for
from tests.factories import Cast, actor, make_agent, make_key


def agent_of(cast: Cast, stage: str = "live", **over: Any) -> Agent:
    return make_agent(owner=cast.alice, backup_owner=cast.bob, stage=stage, **over)


@pytest.fixture
def agent(cast: Cast) -> Agent:
    return agent_of(cast)


def test_an_issued_key_opens_and_is_stored_as_a_keyed_hash_only(cast: Cast, agent: Agent) -> None:
    issued = issue_key(agent.name, actor=actor(cast.alice), label="laptop")
    assert agent_key_for(issued.text) == issued.row
    assert keys.parse(issued.text) is not None
    row = AgentKey.objects.values().get(pk=issued.row.pk)
    secret = issued.text.split("_")[2]
    assert all(secret not in str(value) for value in row.values())
    assert pepper_ring().matches(issued.text, bytes(row["digest"]), row["pepper_id"])
    assert secret not in repr(issued)


def test_a_key_lives_ninety_days_unless_said(cast: Cast, agent: Agent) -> None:
    usual = issue_key(agent.name, actor=actor(cast.alice)).row
    short = issue_key(agent.name, actor=actor(cast.alice), expires_in_days=1).row
    assert usual.expires_at - usual.created_at == pytest.approx(
        timedelta(days=90), abs=timedelta(seconds=5)
    )
    assert short.expires_at - short.created_at < timedelta(days=1, seconds=5)


@pytest.mark.parametrize("days", [0, -1, 366, 10**9])
def test_other_lifetimes_are_refused(cast: Cast, agent: Agent, days: int) -> None:
    with pytest.raises(LifetimeOutOfRange):
        issue_key(agent.name, actor=actor(cast.alice), expires_in_days=days)


def test_the_ledger_names_the_key_and_never_its_value(cast: Cast, agent: Agent) -> None:
    issued = issue_key(agent.name, actor=actor(cast.alice))
    entry = Entry.objects.get(verb="key.issued")
    assert entry.subject == f"key:{issued.row.public_id}"
    assert entry.stream == f"agent:{agent.public_id}"
    assert issued.text.split("_")[2] not in bytes(entry.header).decode()


@pytest.mark.parametrize(
    ("stage", "why"),
    [("draft", "submit it"), ("in_review", "in review"), ("retired", "retired")],
)
def test_an_agent_that_may_not_call_gets_no_key_and_is_told_why(
    cast: Cast, stage: str, why: str
) -> None:
    agent = agent_of(cast, stage)
    with pytest.raises(AgentNotCallable, match=why):
        issue_key(agent.name, actor=actor(cast.alice))


def test_a_suspended_or_killed_agent_gets_no_key(cast: Cast, agent: Agent) -> None:
    now = clock.now()
    Agent.objects.filter(pk=agent.pk).update(suspended_at=now)
    with pytest.raises(AgentNotCallable, match="suspended"):
        issue_key(agent.name, actor=actor(cast.alice))
    Agent.objects.filter(pk=agent.pk).update(killed_at=now)
    with pytest.raises(AgentNotCallable, match="killed"):
        issue_key(agent.name, actor=actor(cast.alice))


@pytest.mark.parametrize("who", ["mallory", "sam", "ann"])
def test_keys_are_issued_by_those_who_answer_for_the_agent(
    cast: Cast, agent: Agent, who: str
) -> None:
    with pytest.raises(NotYourAgent):
        issue_key(agent.name, actor=actor(getattr(cast, who)))


def test_an_agent_has_ten_active_keys_at_most(cast: Cast, agent: Agent) -> None:
    made = [issue_key(agent.name, actor=actor(cast.alice)).row for _ in range(10)]
    with pytest.raises(TooManyKeys):
        issue_key(agent.name, actor=actor(cast.alice))
    revoke_key(agent.name, made[0].public_id, actor=actor(cast.alice))
    issue_key(agent.name, actor=actor(cast.alice))


def test_a_rotated_key_works_for_the_overlap_beside_its_successor(cast: Cast, agent: Agent) -> None:
    old = issue_key(agent.name, actor=actor(cast.alice), label="ci")
    new = rotate_key(agent.name, old.row.public_id, actor=actor(cast.bob), overlap_hours=2)
    old.row.refresh_from_db()
    assert old.row.rotated_to == new.row
    assert old.row.expires_at - clock.now() < timedelta(hours=2)
    assert new.row.name == "ci"
    assert new.row.expires_at - new.row.created_at > timedelta(days=89)
    assert agent_key_for(old.text) == old.row
    assert agent_key_for(new.text) == new.row


def test_rotation_without_overlap_ends_the_old_key_now(cast: Cast, agent: Agent) -> None:
    old = issue_key(agent.name, actor=actor(cast.alice))
    rotate_key(agent.name, old.row.public_id, actor=actor(cast.alice), overlap_hours=0)
    old.row.refresh_from_db()
    assert old.row.expires_at <= clock.now()


def test_a_rotation_never_lengthens_a_key(cast: Cast, agent: Agent) -> None:
    key = make_key(agent, expires_at=clock.now() + timedelta(hours=1))[0]
    before = key.expires_at
    rotate_key(agent.name, key.public_id, actor=actor(cast.alice), overlap_hours=24)
    key.refresh_from_db()
    assert key.expires_at == before


def test_only_an_active_key_is_rotated_and_only_once(cast: Cast, agent: Agent) -> None:
    past = clock.now() - timedelta(days=2)
    expired = make_key(agent, created_at=past, expires_at=past + timedelta(days=1))[0]
    revoked = make_key(agent, revoked_at=clock.now())[0]
    rotated = make_key(agent)[0]
    rotate_key(agent.name, rotated.public_id, actor=actor(cast.alice))
    for key in (expired, revoked, rotated):
        with pytest.raises(KeyNotActive):
            rotate_key(agent.name, key.public_id, actor=actor(cast.alice))


def test_rotating_over_and_over_does_not_pile_up_keys(cast: Cast, agent: Agent) -> None:
    key = issue_key(agent.name, actor=actor(cast.alice)).row
    for _ in range(19):
        key = rotate_key(agent.name, key.public_id, actor=actor(cast.alice)).row
    with pytest.raises(TooManyKeys):
        rotate_key(agent.name, key.public_id, actor=actor(cast.alice))


@pytest.mark.parametrize("hours", [-1, 169])
def test_other_overlaps_are_refused(cast: Cast, agent: Agent, hours: int) -> None:
    key = make_key(agent)[0]
    with pytest.raises(OverlapOutOfRange):
        rotate_key(agent.name, key.public_id, actor=actor(cast.alice), overlap_hours=hours)


@pytest.mark.parametrize("who", ["alice", "bob", "sam", "pat"])
def test_a_key_is_revoked_at_once_and_once(cast: Cast, agent: Agent, who: str) -> None:
    key = make_key(agent)[0]
    by = actor(getattr(cast, who))
    first = revoke_key(agent.name, key.public_id, actor=by, reason="lost")
    again = revoke_key(agent.name, key.public_id, actor=by, reason="lost again")
    assert (first.revoked_at, again.revoked_reason) == (again.revoked_at, "lost")
    assert Entry.objects.filter(verb="key.revoked").count() == 1


@pytest.mark.parametrize("who", ["mallory", "ann"])
def test_outsiders_revoke_nothing(cast: Cast, agent: Agent, who: str) -> None:
    key = make_key(agent)[0]
    with pytest.raises(NotYourAgent):
        revoke_key(agent.name, key.public_id, actor=actor(getattr(cast, who)))


def test_a_key_of_another_agent_is_not_found(cast: Cast, agent: Agent) -> None:
    other = make_key(make_agent("other", owner=cast.mallory, stage="live"))[0]
    with pytest.raises(KeyNotFound):
        revoke_key(agent.name, other.public_id, actor=actor(cast.alice))
    with pytest.raises(KeyNotFound):
        rotate_key(agent.name, other.public_id, actor=actor(cast.alice))


def test_without_a_pepper_no_key_is_made(
    cast: Cast, agent: Agent, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "KEYS_DIR", tmp_path)
    with pytest.raises(PepperMissing):
        issue_key(agent.name, actor=actor(cast.alice))
    (tmp_path / "pepper.json").write_text(json.dumps({"active": "p2", "peppers": {}}))
    with pytest.raises(PepperMissing):
        issue_key(agent.name, actor=actor(cast.alice))
    assert not AgentKey.objects.exists()
