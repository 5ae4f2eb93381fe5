"""Stops over REST: placed with a proof, seen by everybody, lifted by whom they concern."""

from __future__ import annotations

import pytest

from tests.factories import client_of, make_agent, make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast():
    return make_cast()


@pytest.fixture
def agent(cast):
    return make_agent(owner=cast.alice, backup_owner=cast.bob, stage="live")


def test_a_stop_is_placed_proven_listed_and_lifted(cast, agent):
    sam = client_of(cast.sam)
    body = {"scope": "agent", "subject": agent.name, "reason": "It runs wild."}
    reach = sam.post("/api/v1/stops/reach", {"scope": "agent", "subject": agent.name}).json()
    assert (reach["agents"], reach["owners"], reach["open_now"]) == (1, ["alice@acme.test"], 0)
    made = sam.post("/api/v1/stops", body)
    assert made.status_code == 201
    stop = made.json()
    assert stop["containment"]["verdict"] == "contained"
    paths = [each["path"] for each in stop["containment"]["paths"]]
    assert paths == ["gateways", "keys", "leases"]
    again = sam.post("/api/v1/stops", body)
    assert (again.status_code, again.json()["stop"]) == (409, stop["id"])
    mallory = client_of(cast.mallory)
    listed = mallory.get("/api/v1/stops?in_force=true").json()["results"]
    assert [each["id"] for each in listed] == [stop["id"]]
    address = f"/api/v1/stops/{stop['id']}"
    assert mallory.get(address).json()["reason"] == "It runs wild."
    assert mallory.post(f"{address}/lift", {"reason": "x"}).status_code == 403
    assert mallory.post(f"{address}/prove", {}).status_code == 403
    assert sam.post(f"{address}/prove", {}).json()["containment"]["contained"]
    assert sam.post(f"{address}/lift", {"reason": "Fixed."}).json()["lifted_at"]
    assert sam.post(f"{address}/prove", {}).status_code == 409
    assert sam.get("/api/v1/stops/stp_none").status_code == 404


def test_outsiders_stop_nothing_and_learn_no_reach(cast, agent):
    mallory = client_of(cast.mallory)
    body = {"scope": "agent", "subject": agent.name}
    assert mallory.post("/api/v1/stops", body | {"reason": "x"}).status_code == 403
    assert mallory.post("/api/v1/stops/reach", body).status_code == 403
    assert mallory.post("/api/v1/stops", {"scope": "x", "subject": "y"}).status_code == 422


def test_everything_waits_for_a_second_person(cast):
    sam, sue = client_of(cast.sam), client_of(cast.sue)
    stop = sam.post("/api/v1/stops", {"scope": "fleet", "reason": "A leak."}).json()
    address = f"/api/v1/stops/{stop['id']}/lift"
    asked = sam.post(address, {"reason": "Closed."})
    assert asked.status_code == 202
    review = f"/api/v1/reviews/{asked.json()['review']}"
    assert sue.get(review).status_code == 200
    decided = sue.post(f"{review}/decisions", {"decision": "approve", "comment": "Seen."})
    assert decided.status_code in {200, 201}
    assert sam.post(address, {"reason": "Closed."}).json()["lifted_by"] == str(cast.sam.ref)


def test_the_question_can_be_read_in_the_portal(cast, client):
    sam = client_of(cast.sam)
    stop = sam.post("/api/v1/stops", {"scope": "fleet", "reason": "A leak."}).json()
    asked = sam.post(f"/api/v1/stops/{stop['id']}/lift", {"reason": "Closed."}).json()
    client.force_login(cast.sue)
    page = client.get(f"/reviews/{asked['review']}/")
    assert page.status_code == 200
    assert "May every call go on again?" in page.content.decode()


def test_a_killed_agent_comes_with_its_proof(cast, agent):
    done = client_of(cast.alice).post(f"/api/v1/agents/{agent.name}/kill", {"reason": "Wild."})
    assert done.status_code == 200
    assert done.json()["containment"]["contained"]
