"""Retention, holds and erasures over REST, and who may not."""

from __future__ import annotations

import pytest

from approvals.actions.deciding import decide_review
from registry.actors import Actor
from routing.keeping.erasing import carry_out_erasures
from tests.factories import client_of
from tests.routing.keeping.scenes import PERSON, say, tag

ERASE = {"scope": "data_subject", "subject": PERSON, "reason": "They asked."}


@pytest.fixture
def api(cast):
    return client_of(cast.sam)


def test_an_erasure_from_preview_to_proof(api, cast, agent):
    say(agent, of=PERSON)
    seen = api.post("/api/v1/erasures/preview", {"scope": "data_subject", "subject": PERSON})
    assert (seen.status_code, seen.json()["payloads"], seen.json()["subject"]) == (200, 1, tag())
    asked = api.post("/api/v1/erasures", ERASE | {"reference": "DSR-7"})
    assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
    assert PERSON not in asked.content.decode()
    decide_review(asked.json()["review"], actor=Actor.of(cast.sue), decision="approve", comment="")
    carry_out_erasures(actor=Actor.system("erasure"))
    done = api.get(f"/api/v1/erasures/{asked.json()['id']}").json()
    assert (done["state"], done["keys_destroyed"], len(done["tombstones"])) == ("done", 1, 1)
    listed = api.get("/api/v1/erasures?state=done&search=DSR").json()
    assert [row["id"] for row in listed["results"]] == [done["id"]]


def test_a_hold_is_placed_seen_and_ended_by_two(api, cast, agent):
    placed = api.post(
        "/api/v1/holds", {"scope": "agent", "subject": agent.name, "reason": "case 7"}
    )
    assert placed.status_code == 201
    address = f"/api/v1/holds/{placed.json()['id']}"
    assert api.get(address).json()["reason"] == "case 7"
    asked = client_of(cast.sue).post(f"{address}/end", {"reason": "settled"})
    assert (asked.status_code, asked.json()["ended_at"]) == (202, None)
    assert len(api.get("/api/v1/holds?in_force=true").json()["results"]) == 1
    period = {"scope": "period", "starts_on": "2026-01-01", "ends_on": "2026-01-31"}
    assert api.post("/api/v1/holds", period | {"reason": "audit"}).status_code == 201
    bad = api.post("/api/v1/holds", period | {"ends_on": "2025-01-01", "reason": "audit"})
    assert (bad.status_code, bad.json()["code"]) == (422, "routing.nothing_named")


def test_ages_are_set_and_read(api):
    put = api.put("/api/v1/retention/ages/personal", {"days": 200, "reason": "the policy"})
    assert (put.status_code, put.json()["days"], put.json()["next_days"]) == (200, None, 200)
    short = api.put("/api/v1/retention/ages/personal", {"days": 30, "reason": "x"})
    assert (short.status_code, short.json()["code"]) == (422, "ledger.age_too_short")
    unknown = api.put("/api/v1/retention/ages/secret", {"days": 200, "reason": "x"})
    assert unknown.json()["code"] == "routing.nothing_named"
    read = api.get("/api/v1/retention").json()
    assert read["floor_days"] == 184
    assert {age["data_class"] for age in read["ages"]} >= {"personal", ""}


@pytest.mark.parametrize("who", ["alice", "mallory"])
def test_employees_see_nothing_of_it(cast, agent, who):
    api = client_of(getattr(cast, who))
    for address in ("retention", "holds", "erasures", "holds/hld_x", "erasures/ers_x"):
        assert api.get(f"/api/v1/{address}").status_code == 403


@pytest.mark.parametrize("who", ["alice", "mallory", "pat", "ann"])
def test_only_security_decides(cast, agent, who):
    api = client_of(getattr(cast, who))
    for address, body in (
        ("holds", {"scope": "everything", "reason": "x"}),
        ("erasures", ERASE),
        ("erasures/preview", {"scope": "data_subject", "subject": PERSON}),
    ):
        assert api.post(f"/api/v1/{address}", body).status_code == 403
    age = api.put("/api/v1/retention/ages/others", {"days": 200, "reason": "x"})
    assert age.status_code == 403


def test_what_is_not_there_is_said(api):
    assert api.get("/api/v1/holds/hld_none").json()["code"] == "routing.hold_not_found"
    assert api.get("/api/v1/erasures/ers_none").json()["code"] == "routing.erasure_not_found"
