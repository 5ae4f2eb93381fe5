"""Incidents: one for what is wrong, told once, escalated, grouped, and over when it is well."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import Client

from fleet.health.actions.attending import TOGETHER, attend, escalate
from fleet.health.actions.incidents import (
    acknowledge_incident,
    open_incident,
    resolve_incident,
)
from fleet.health.actions.restating import restate
from fleet.health.actions.setting import set_mute
from fleet.health.models import AgentHealth, Check, Incident
from fleet.telling.models import Copy, Message
from kernel import clock
from kernel.refs import Ref
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Agent
from tests.factories import Cast, actor, make_agent, make_cast, make_token

WORKER = Actor.system("health")


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def sick(cast: Cast, name: str = "invoice-sorter", cause: str = "", status: str = "down") -> Agent:
    agent = make_agent(name, owner=cast.alice, stage="live", backup_owner=cast.bob)
    AgentHealth.objects.create(agent=agent, since=clock.now(), is_watched=True)
    Check.objects.create(
        agent=agent, source="probe", kind="http", origin="manifest", since=clock.now(),
        status=status, reason="It answers 503.", cause=cause,
    )  # fmt: skip
    with transaction.atomic():
        restate([agent.pk])
    return agent


def turn(agent: Agent, status: str) -> None:
    Check.objects.filter(agent=agent).update(status=status, cause="")
    restate([agent.pk])


@pytest.mark.django_db
def test_what_is_down_has_one_incident_that_its_owner_is_told_of_once(cast: Cast) -> None:
    agent = sick(cast)
    assert attend(actor=WORKER) == 1
    assert attend(actor=WORKER) == 0
    incident = Incident.objects.get()
    assert (incident.title, incident.owner) == ("invoice-sorter is down", cast.alice)
    assert Message.objects.get().title == "Incident: invoice-sorter is down"
    assert [copy.person for copy in Copy.objects.all()] == [cast.alice]
    assert Entry.objects.filter(verb="incident.opened", agent_id=agent.public_id).count() == 1


@pytest.mark.django_db
def test_what_is_degraded_is_given_time_and_what_flaps_is_one_incident(cast: Cast) -> None:
    agent, begun = sick(cast, status="degraded"), clock.now()
    assert attend(actor=WORKER) == 0
    with clock.held_at(begun + timedelta(minutes=11)):
        assert attend(actor=WORKER) == 1
    turn(agent, "down")
    with clock.held_at(begun + timedelta(minutes=11, seconds=30)):
        attend(actor=WORKER)
    assert Message.objects.get(kind="incident.worsened").is_urgent
    for minute in range(12, 40):
        turn(agent, "healthy" if minute % 2 else "down")
        with clock.held_at(begun + timedelta(minutes=minute)):
            assert attend(actor=WORKER) == 0
    assert Incident.objects.count() == 1
    turn(agent, "healthy")
    for minute in (41, 47):
        with clock.held_at(begun + timedelta(minutes=minute)):
            attend(actor=WORKER)
    assert Incident.objects.get().state == "resolved"
    assert Message.objects.count() == 3


@pytest.mark.django_db
def test_what_one_vendor_does_to_many_is_one_incident(cast: Cast) -> None:
    first = sick(cast, "agent-0", "vendor:openai")
    attend(actor=WORKER)
    for number in range(1, TOGETHER + 7):
        sick(cast, f"agent-{number}", "vendor:openai")
    other = sick(cast, "loner", "vendor:mistral")
    attend(actor=WORKER)
    live = Incident.objects.filter(resolved_at__isnull=True)
    assert sorted(live.values_list("key", flat=True)) == sorted(["vendor:openai", str(other.ref)])
    group = live.get(key="vendor:openai")
    assert group.title == f"Vendor openai fails for {TOGETHER + 7} agents"
    assert Incident.objects.get(key=str(first.ref)).state == "resolved"
    sick(cast, "one-more", "vendor:openai")
    assert attend(actor=WORKER) == 0
    group.refresh_from_db()
    assert group.agent_count == TOGETHER + 8


@pytest.mark.django_db
def test_nobody_takes_it_and_it_goes_to_the_backup_then_to_the_team(cast: Cast) -> None:
    sick(cast)
    attend(actor=WORKER)
    begun = clock.now()
    for minutes, told in ((16, cast.bob), (32, cast.pat)):
        with clock.held_at(begun + timedelta(minutes=minutes)):
            assert escalate(actor=WORKER) == 1
            assert escalate(actor=WORKER) == 0
        assert Copy.objects.filter(person=told, message__kind="incident.escalated").exists()
    with clock.held_at(begun + timedelta(hours=9)):
        assert escalate(actor=WORKER) == 0


@pytest.mark.django_db
def test_what_somebody_took_escalates_no_further(cast: Cast) -> None:
    sick(cast)
    attend(actor=WORKER)
    acknowledge_incident(Incident.objects.get(), actor=actor(cast.bob))
    with clock.held_at(clock.now() + timedelta(hours=1)):
        assert escalate(actor=WORKER) == 0
    assert Incident.objects.get().acknowledged_by == cast.bob


@pytest.mark.django_db
def test_while_it_is_muted_nobody_is_told(cast: Cast) -> None:
    agent, now = sick(cast), clock.now()
    set_mute(agent=agent, starts_at=now, ends_at=now + timedelta(hours=1), actor=actor(cast.alice))
    with clock.held_at(now + timedelta(minutes=1)):
        assert attend(actor=WORKER) == 0
    with clock.held_at(now + timedelta(minutes=61)):
        assert attend(actor=WORKER) == 1


@pytest.mark.django_db
def test_others_open_and_close_incidents_by_key(cast: Cast) -> None:
    given = {"key": "cutover:cut_1", "kind": "cutover", "subject": Ref("cutover", "cut_1")}
    first = open_incident(agent=None, title="Rolled back", facts={}, **given)  # type: ignore[arg-type]
    again = open_incident(agent=None, title="Rolled back", facts={}, **given)  # type: ignore[arg-type]
    assert first.pk == again.pk
    attend(actor=WORKER)
    assert Incident.objects.get().state == "open"  # statuses of agents do not end it
    assert resolve_incident("cutover:cut_1", why="It went on.") is not None
    assert resolve_incident("cutover:cut_1", why="It went on.") is None


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_open_one_incident(cast: Cast) -> None:
    for number in range(3):
        sick(cast, f"agent-{number}")

    def sweep(_: int) -> int:
        try:
            return attend(actor=WORKER)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(sweep, range(4))) == 3
    assert Incident.objects.count() == 3
    assert Copy.objects.filter(person=cast.alice).count() == 3


@pytest.mark.django_db
def test_pages_and_api_show_each_what_is_theirs(cast: Cast) -> None:
    sick(cast, "agent-x")
    attend(actor=WORKER)
    incident = Incident.objects.get()
    page = f"/health/incidents/{incident.public_id}/"
    for person, status in (
        (cast.alice, 200),
        (cast.bob, 200),
        (cast.sam, 200),
        (cast.mallory, 404),
    ):
        client = Client()
        client.force_login(person)
        assert client.get(page).status_code == status
        board = client.get("/health/").content.decode()
        assert "Agent x" in board
        assert ("It answers 503." in board) is (status == 200)
        _, token = make_token(person)
        headers = {"Authorization": f"Bearer {token}"}
        listed = Client().get("/api/v1/incidents", headers=headers).json()["results"]
        assert len(listed) == (1 if status == 200 else 0)
        health = Client().get("/api/v1/health", headers=headers).json()["results"]
        assert [each["status"] for each in health] == ["down"]
    client = Client()
    client.force_login(cast.alice)
    assert client.get("/health/incidents/?state=live").status_code == 200
    assert client.get("/health/agents/agent-x/").status_code == 200
    assert client.get("/agents/agent-x/").status_code == 200
    client.post(f"{page}take/")
    client.post(f"{page}note/", {"text": "<script>alert(1)</script>"})
    client.post(f"{page}close/", {"text": "Restarted."})
    shown = client.get(page).content.decode()
    assert "&lt;script&gt;" in shown
    assert Incident.objects.get().state == "resolved"


@pytest.mark.django_db
def test_an_auditor_looks_and_does_not_take(cast: Cast) -> None:
    sick(cast)
    attend(actor=WORKER)
    incident = Incident.objects.get()
    _, token = make_token(cast.ann)
    headers = {"Authorization": f"Bearer {token}"}
    address = f"/api/v1/incidents/{incident.public_id}"
    assert Client().get(address, headers=headers).json()["story"]
    assert Client().post(f"{address}/acknowledge", headers=headers).status_code == 403
