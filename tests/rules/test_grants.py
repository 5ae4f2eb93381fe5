"""Grants: asked for by the owner, decided by security, ended by people or by time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kernel import clock
from ledger.models import Entry
from registry.models import Agent
from rules.models import Grant
from tests.factories import Cast, client_of, make_agent, make_cast, make_vendor

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    cast = make_cast()
    make_vendor("acme", data_classes=["internal", "regulated"])
    make_agent("claims-reader", owner=cast.alice, data_classes=["internal", "regulated"])
    return cast


def wish(**over: Any) -> dict[str, Any]:
    until = (clock.now() + timedelta(days=30)).isoformat()
    return {
        "agent": "claims-reader",
        "vendor": "acme",
        "data_class": "regulated",
        "until": until,
        "reason": "Claims are regulated, and acme has the contract.",
    } | over


def test_security_decides_what_the_owner_asks_for(cast: Cast) -> None:
    alice, sam = client_of(cast.alice), client_of(cast.sam)
    asked = alice.post("/api/v1/grants", wish())
    assert asked.status_code == 202, asked.json()
    grant, review = asked.json()["id"], asked.json()["review"]
    assert asked.json()["state"] == "asked"
    assert alice.post("/api/v1/grants", wish()).json()["code"] == "rules.grant_asked"
    answer = {"decision": "approve"}
    assert alice.post(f"/api/v1/reviews/{review}/decisions", answer).status_code == 403
    sam.post(f"/api/v1/reviews/{review}/decisions", answer)
    assert alice.get(f"/api/v1/grants/{grant}").json()["state"] == "given"
    ended = alice.post(f"/api/v1/grants/{grant}/revoke", {"reason": "No longer needed."})
    assert ended.json()["state"] == "revoked"
    again = sam.post(f"/api/v1/grants/{grant}/revoke", {"reason": "Again."})
    assert (again.status_code, again.json()["code"]) == (409, "rules.grant_not_given")
    verbs = list(Entry.objects.filter(verb__startswith="grant").values_list("verb", flat=True))
    assert verbs == ["grant.asked", "grant.given", "grant.revoked"]


def test_who_answers_for_the_agent_decides_none_of_its_grants(cast: Cast) -> None:
    Agent.objects.update(backup_owner=cast.sam)
    review = client_of(cast.alice).post("/api/v1/grants", wish()).json()["review"]
    path, answer = f"/api/v1/reviews/{review}/decisions", {"decision": "approve"}
    assert client_of(cast.sam).post(path, answer).status_code == 403
    Agent.objects.update(backup_owner=cast.sue)  # since it was asked
    for party in (cast.sam, cast.sue):
        assert client_of(party).post(path, answer).status_code == 403
    assert Grant.objects.get().state == "asked"


def test_a_no_closes_the_grant(cast: Cast) -> None:
    asked = client_of(cast.alice).post("/api/v1/grants", wish()).json()
    no = {"decision": "reject", "comment": "Not to acme."}
    client_of(cast.sam).post(f"/api/v1/reviews/{asked['review']}/decisions", no)
    assert Grant.objects.get().state == "refused"
    assert client_of(cast.alice).post("/api/v1/grants", wish()).status_code == 202


@pytest.mark.parametrize(
    "over",
    [
        {"data_class": "personal"},
        {"vendor": "nobody"},
        {"until": "2020-01-01T00:00:00Z"},
        {"until": "2099-01-01T00:00:00Z"},
    ],
)
def test_a_grant_that_would_allow_nothing_is_not_asked_for(
    cast: Cast, over: dict[str, Any]
) -> None:
    got = client_of(cast.alice).post("/api/v1/grants", wish(**over))
    assert (got.status_code, got.json()["code"]) == (422, "rules.grant_unusable")


def test_only_those_who_answer_for_the_agent_ask_and_see(cast: Cast) -> None:
    assert client_of(cast.mallory).post("/api/v1/grants", wish()).status_code == 403
    grant = client_of(cast.alice).post("/api/v1/grants", wish()).json()["id"]
    assert client_of(cast.mallory).get(f"/api/v1/grants/{grant}").status_code == 404
    assert client_of(cast.mallory).get("/api/v1/grants").json()["results"] == []
    revoking = f"/api/v1/grants/{grant}/revoke"
    assert client_of(cast.mallory).post(revoking, {"reason": "x"}).status_code == 404
    found = client_of(cast.ann).get("/api/v1/grants?search=claims").json()["results"]
    assert [row["id"] for row in found] == [grant]
