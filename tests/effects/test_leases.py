"""Who sees what is lent, who takes it back, and that a kill waits until it is dead."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from credentials.actions import seal_secret
from credentials.leasing.ending import end_leases
from credentials.models import Lease
from kernel import clock
from kernel.refs import new_id, system
from kernel.sealing import ensure_key_rings
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Agent, Person
from routing.actions.containing import contain
from routing.queries.stops import subject_for
from tests.effects.acts import make_connection
from tests.factories import Cast, browser_of, make_agent, make_cast, make_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def rings(tmp_path: Path, settings: Any) -> Path:
    ensure_key_rings(tmp_path / "keys")
    settings.KEYS_DIR = tmp_path / "keys"
    return tmp_path / "keys"


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def agent(cast: Cast) -> Agent:
    return make_agent(owner=cast.alice, backup_owner=cast.bob, stage="live")


def make_lease(agent: Agent, **over: Any) -> Lease:
    now = clock.now()
    given: dict[str, Any] = {
        "public_id": new_id("lse"),
        "connection": "connection:con_x",
        "agent_id": agent.public_id,
        "proposal_id": new_id("prp"),
        "kind": "static",
        "handle": "sec_x",
        "issued_at": now,
        "expires_at": now + timedelta(minutes=5),
    }
    return Lease.objects.create(**given | over)


def asking(person: Person, *roles: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(person, roles or None)[1]}")
    return client


def listed(person: Person, query: str = "") -> list[str]:
    answer = asking(person).get(f"/api/v1/leases{query}")
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def test_owners_see_their_agents_leases_and_those_who_govern_see_all(
    cast: Cast, agent: Agent
) -> None:
    system_of = make_connection(credential="static")
    lease = make_lease(agent, connection=str(system_of.ref))
    other = make_lease(make_agent("other", owner=cast.mallory, stage="live"))
    for person in (cast.sam, cast.pat, cast.ann):
        assert set(listed(person)) == {lease.public_id, other.public_id}
    for person in (cast.alice, cast.bob):
        assert listed(person) == [lease.public_id]
    assert listed(cast.mallory) == [other.public_id]
    for row in (lease, other):
        for person in (cast.alice, cast.mallory):
            seen = asking(person).get(f"/api/v1/leases/{row.public_id}").status_code
            page = browser_of(person).get(f"/leases/{row.public_id}/").status_code
            expected = 200 if (row == lease) == (person == cast.alice) else 404
            assert (seen, page) == (expected, expected)
    said = asking(cast.alice).get(f"/api/v1/leases/{lease.public_id}").json()
    assert (said["agent"], said["connection"]) == (agent.name, "crm")


def test_a_list_is_narrowed(cast: Cast, agent: Agent) -> None:
    named = make_connection(credential="static")
    one = make_lease(agent, connection=str(named.ref))
    dead = make_lease(agent, state="expired", goal="expired", ended_at=clock.now())
    token = make_lease(agent, kind="oauth_client", handle="crm write")
    for query, expected in (
        ("?connection=crm", {one}),
        ("?state=expired", {dead}),
        ("?state=open", {one, token}),
        ("?kind=oauth_client", {token}),
        ("?search=write", {token}),
        (f"?agent={agent.name}", {one, dead, token}),
        ("?agent=nobody", set()),
    ):
        assert set(listed(cast.sam, query)) == {row.public_id for row in expected}
        page = browser_of(cast.sam).get(f"/leases/{query}")
        assert page.status_code == 200
    assert asking(cast.sam).get("/api/v1/leases?state=odd").status_code == 422
    assert "No lease fits" in browser_of(cast.sam).get("/leases/?agent=nobody").content.decode()


def test_an_owner_takes_one_lease_back(cast: Cast, agent: Agent) -> None:
    lease = make_lease(agent)
    place = f"/api/v1/leases/{lease.public_id}"
    assert asking(cast.ann).delete(place).status_code == 403
    assert asking(cast.mallory).delete(place).status_code == 404
    assert asking(cast.alice, "auditor").delete(place).status_code == 404
    answer = asking(cast.alice).delete(place)
    assert (answer.status_code, answer.json()["state"]) == (202, "revoking")
    with clock.held_at(lease.expires_at):
        assert end_leases() == 1
    lease.refresh_from_db()
    assert (lease.state, lease.asked_by) == ("revoked", str(cast.alice.ref))
    assert asking(cast.alice).delete(place).json()["code"] == "credentials.lease_over"
    asked = Entry.objects.get(verb="lease.recalled")
    assert asked.actor == str(cast.alice.ref)


def test_all_leases_of_an_agent_are_taken_back(cast: Cast, agent: Agent) -> None:
    for _ in range(3):
        make_lease(agent)
    kept = make_lease(make_agent("other", owner=cast.alice, stage="live"))
    place = f"/api/v1/agents/{agent.name}/leases/revoke"
    assert asking(cast.mallory).post(place, {"reason": "x"}, format="json").status_code == 403
    assert asking(cast.sam).post(place, {}, format="json").status_code == 422
    answer = asking(cast.sam).post(place, {"reason": "leak"}, format="json")
    assert answer.json() == {"agent": agent.name, "asked": 3}
    kept.refresh_from_db()
    assert kept.state == "active"


def test_pages_show_and_revoke(cast: Cast, agent: Agent) -> None:
    browser = browser_of(cast.alice)
    assert "Nothing was lent yet" in browser.get("/leases/").content.decode()
    lease = make_lease(agent)
    stuck = make_lease(
        agent, kind="oauth_client", state="irrevocable", goal="revoked", fault="no_revocation"
    )
    page = browser.get(f"/leases/?agent={agent.name}").content.decode()
    assert "Revoke all of invoice-sorter" in page
    assert "The server takes no token back." in page
    assert "It may open until" in browser.get(f"/leases/{stuck.public_id}/").content.decode()
    assert (
        "Revoke all"
        not in browser_of(cast.ann).get(f"/leases/?agent={agent.name}").content.decode()
    )
    browser.post(f"/leases/{lease.public_id}/revoke/", {"reason": "leak"})
    lease.refresh_from_db()
    assert (lease.state, lease.reason) == ("revoking", "leak")
    assert "every 2s" in browser.get(f"/leases/{lease.public_id}/").content.decode()
    other = make_lease(agent)
    browser.post(f"/agents/{agent.name}/leases/revoke/", {"reason": "all"})
    other.refresh_from_db()
    assert other.state == "revoking"
    dead = make_lease(agent, state="expired", goal="expired", ended_at=clock.now())
    answer = browser.post(f"/leases/{dead.public_id}/revoke/", {"reason": "late"}, follow=True)
    assert "over" in answer.content.decode()


def test_static_keys_are_counted(cast: Cast, agent: Agent, rings: Path) -> None:
    for name, credential, ring in (
        ("crm", "static", "tool"), ("erp", "static", "tool"), ("idp", "oauth_client", "tool"),
    ):  # fmt: skip
        made = make_connection(name, credential=credential)
        seal_secret(made.ref, "a-static-key-of-a-tool", ring=ring, actor=system("test"))
    make_lease(agent)
    make_lease(agent, state="irrevocable", goal="revoked")
    said = asking(cast.sam).get("/api/v1/leases/figures").json()
    assert said == {"open": 2, "irrevocable": 1, "static_keys": 2}


@pytest.fixture
def sweeping() -> Iterator[threading.Event]:
    """Run the worker's sweep beside the test."""
    over = threading.Event()

    def sweep() -> None:
        while not over.wait(0.1):
            # Not before it was taken back, however soon it would be dead by itself.
            if Lease.objects.filter(state="revoking").exists():
                end_leases()
        connection.close()

    thread = threading.Thread(target=sweep)
    thread.start()
    yield over
    over.set()
    thread.join(60)


def probe(agent: Agent, seconds: float) -> Any:
    security = Actor.system("containment")
    return contain(subject_for(security, "agent", agent.public_id), actor=security, seconds=seconds)


@pytest.mark.django_db(transaction=True)
def test_a_kill_is_contained_once_what_was_lent_is_dead(
    cast: Cast, agent: Agent, sweeping: threading.Event
) -> None:
    make_lease(agent, expires_at=clock.now() + timedelta(seconds=1))
    found = probe(agent, 60)
    said = [each for each in found.evidence if each.path == "leases"]
    assert [(each.state, each.detail) for each in said] == [("contained", "What was lent is dead.")]
    assert Lease.objects.get().state == "revoked"


@pytest.mark.django_db(transaction=True)
def test_a_kill_is_not_contained_while_a_lease_is_not_known_to_be_dead(agent: Agent) -> None:
    make_lease(agent)
    found = probe(agent, 0.3)
    said = [each for each in found.evidence if each.path == "leases"]
    assert [(each.state, each.open) for each in said] == [("open", 1)]
    assert not found.is_contained


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_ended_is_named_with_its_time(agent: Agent) -> None:
    make_lease(agent, kind="oauth_client", state="irrevocable", goal="revoked", fault="lost")
    make_lease(
        agent, kind="postgresql_role", state="irrevocable", goal="revoked", fault="unreachable",
        handle="unsprawl_lse_1",
    )  # fmt: skip
    said = [each for each in probe(agent, 0.3).evidence if each.path == "leases"]
    assert [each.state for each in said] == ["contained", "beyond_reach", "beyond_reach"]
    assert "until" in said[1].detail
    assert "unsprawl_lse_1" in said[2].detail
