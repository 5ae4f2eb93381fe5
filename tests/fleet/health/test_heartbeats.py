"""Heartbeats: taken by key, missed in time, and nobody punished for our own outages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from fleet.health.actions.beating import note_late, take_heartbeat
from fleet.health.actions.following import follow_registry
from fleet.health.actions.setting import set_check
from fleet.health.expected import Expected
from fleet.health.models import AgentHealth, Check, HealthChange, HealthDay
from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from tests.factories import Cast, actor, make_agent, make_cast, make_key, make_manifest

WORKER = Actor.system("health")
pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def beating(cast: Cast, name: str = "invoice-sorter", **health: str) -> Agent:
    given = {"kind": "heartbeat", "interval": "5m", "grace": "1m"} | health
    agent = make_agent(
        name, owner=cast.alice, stage="live", manifest=make_manifest(name, health=given)
    )
    follow_registry(actor=WORKER)
    return agent


def send(key: str, body: Any) -> Any:
    return Client().post(
        "/api/v1/heartbeats", body, content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )  # fmt: skip


def sweep(begun: datetime, first: int, last: int) -> int:
    """Look every minute, as the worker does; return how many were late."""
    found = 0
    for minute in range(first, last + 1):
        with clock.held_at(begun + timedelta(minutes=minute)):
            found += note_late(actor=WORKER)
    return found


def status_of(agent: Agent) -> str:
    return AgentHealth.objects.get(agent=agent).status


def test_an_agent_says_by_its_key_how_it_is(cast: Cast) -> None:
    agent = beating(cast)
    _, key = make_key(agent)
    answer = send(key, {"status": "ok"})
    assert answer.status_code == 202
    assert answer.json()["status"] == "healthy"
    assert status_of(agent) == "healthy"
    assert send(key, {"status": "down", "message": "queue full\u202e<b>"}).status_code == 202
    check = Check.objects.get(agent=agent)
    assert (check.status, check.said) == ("down", "queue full\\u202e<b>")
    assert HealthDay.objects.get(agent=agent).beats == 2


@pytest.mark.parametrize(
    "body",
    [{}, {"status": "fine"}, {"status": "ok", "agent": "another"}, {"status": ["ok"]},
     {"status": "ok", "message": "x" * 501}, {"status": "ok", "message": 7}, []],
)  # fmt: skip
def test_what_is_no_heartbeat_is_refused(cast: Cast, body: Any) -> None:
    _, key = make_key(beating(cast))
    assert send(key, body).status_code in {400, 422}
    assert Check.objects.get().seen_at is None


def test_only_a_key_in_force_speaks_and_for_its_own_agent_alone(cast: Cast) -> None:
    agent, other = beating(cast), beating(cast, "ticket-router")
    _, revoked = make_key(agent, revoked_at=clock.now(), revoked_by="x:y")
    assert send(revoked, {"status": "ok"}).status_code == 401
    assert send("usp_nonsense", {"status": "ok"}).status_code == 401
    _, theirs = make_key(other)
    send(theirs, {"status": "ok"})
    assert (status_of(agent), status_of(other)) == ("unknown", "healthy")


def test_a_heartbeat_that_does_not_come_is_late_then_down_then_well_again(cast: Cast) -> None:
    agent, begun = beating(cast), clock.now()
    take_heartbeat(agent, status="ok", actor=WORKER)
    assert sweep(begun, 0, 5) == 0
    assert sweep(begun, 6, 7) == 1
    assert status_of(agent) == "degraded"
    assert sweep(begun, 8, 15) == 1
    assert status_of(agent) == "down"
    assert sweep(begun, 16, 60) == 0  # there is nothing more to find out
    with clock.held_at(begun + timedelta(minutes=61)):
        take_heartbeat(agent, status="ok", actor=WORKER)
    assert status_of(agent) == "healthy"


def test_after_an_hour_in_which_nobody_could_hear_nobody_is_late(cast: Cast) -> None:
    agent, begun = beating(cast), clock.now()
    take_heartbeat(agent, status="ok", actor=WORKER)
    note_late(actor=WORKER)
    with clock.held_at(begun + timedelta(hours=1)):
        assert note_late(actor=WORKER) == 0
    assert status_of(agent) == "healthy"
    assert sweep(begun, 61, 67) == 1


def test_a_worker_that_was_away_finds_the_latest_state_only(cast: Cast) -> None:
    silent, heard, begun = beating(cast), beating(cast, "ticket-router"), clock.now()
    for agent in (silent, heard):
        take_heartbeat(agent, status="ok", actor=WORKER)
    note_late(actor=WORKER)
    for minutes in range(5, 60, 5):  # the web process went on hearing
        with clock.held_at(begun + timedelta(minutes=minutes)):
            take_heartbeat(heard, status="ok", actor=WORKER)
    with clock.held_at(begun + timedelta(minutes=57)):
        assert note_late(actor=WORKER) == 1
    assert (status_of(silent), status_of(heard)) == ("degraded", "healthy")
    assert HealthChange.objects.filter(agent=silent, status="degraded").count() == 1


def test_a_clock_that_is_set_back_makes_nobody_late(cast: Cast) -> None:
    agent, begun = beating(cast), clock.now()
    take_heartbeat(agent, status="ok", actor=WORKER)
    note_late(actor=WORKER)
    with clock.held_at(begun - timedelta(hours=2)):
        assert note_late(actor=WORKER) == 0
        take_heartbeat(agent, status="ok", actor=WORKER)
    assert status_of(agent) == "healthy"


def test_a_schedule_in_a_zone_is_late_by_that_zones_clock(cast: Cast) -> None:
    agent = beating(cast)
    wanted = Expected("heartbeat", "heartbeat", cron="0 6 * * *", zone="Europe/Berlin",
                      grace_seconds=600)  # fmt: skip
    check = set_check(agent, wanted, actor=actor(cast.alice))
    assert check.due_at is not None
    assert f"{check.due_at:%M}" == "10"
    assert f"{check.due_at:%H}" in {"04", "05"}


def test_the_manifest_is_followed_and_what_was_set_by_hand_stays(cast: Cast) -> None:
    agent = beating(cast)
    wanted = Expected("heartbeat", "heartbeat", interval_seconds=60, grace_seconds=30)
    set_check(agent, wanted, actor=actor(cast.alice))
    AgentHealth.objects.filter(agent=agent).update(version_id=None)
    follow_registry(actor=WORKER)
    assert Check.objects.get(agent=agent).interval_seconds == 60


def test_what_does_not_run_is_not_watched(cast: Cast) -> None:
    agent = beating(cast)
    Agent.objects.filter(pk=agent.pk).update(suspended_at=clock.now(), suspended_reason="why")
    follow_registry(actor=WORKER)
    assert Check.objects.get(agent=agent).due_at is None
    assert AgentHealth.objects.get(agent=agent).reason == "It is not in service."
