from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from kernel import clock
from registry.models import Person, PersonToken
from registry.queries import token_for
from tests.factories import Cast, client_of, make_agent, make_cast, make_key, make_token

EVERYBODY = ("alice", "bob", "mallory", "sam", "sue", "pat", "ann")


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def client(cast: Cast, who: str | None) -> APIClient:
    return client_of(getattr(cast, who) if who else None)


def code(response: Any) -> str:
    assert response["Content-Type"] == "application/problem+json"
    assert response["x-unsprawl-error"] == response.json()["code"]
    return str(response.json()["code"])


def bearer(text: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "people"),
        ("post", "people"),
        ("get", "people/alice@acme.test"),
        ("patch", "people/alice@acme.test"),
        ("post", "people/alice@acme.test/deactivate"),
        ("post", "people/alice@acme.test/reactivate"),
        ("post", "people/alice@acme.test/signin-link"),
        ("get", "teams"),
        ("post", "teams"),
        ("get", "me"),
        ("patch", "me"),
        ("get", "me/tokens"),
        ("post", "me/tokens"),
        ("delete", "me/tokens/tok_x"),
        ("get", "agent/self"),
    ],
)
def test_nobody_is_answered_without_a_credential(cast: Cast, method: str, path: str) -> None:
    response = getattr(APIClient(), method)(f"/api/v1/{path}", {}, format="json")
    assert response.status_code == 401
    assert code(response) == "kernel.unauthenticated"


@pytest.mark.parametrize("who", [name for name in EVERYBODY if name != "pat"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "people", {"email": "new@acme.test"}),
        ("patch", "people/bob@acme.test", {"roles": ["security"]}),
        ("post", "people/bob@acme.test/deactivate", {}),
        ("post", "people/bob@acme.test/reactivate", {}),
        ("post", "people/bob@acme.test/signin-link", {}),
        ("post", "teams", {"name": "Mine"}),
    ],
)
def test_only_the_platform_role_governs_people(
    cast: Cast, who: str, method: str, path: str, body: dict[str, Any]
) -> None:
    response = getattr(client(cast, who), method)(f"/api/v1/{path}", body, format="json")
    assert response.status_code == 403
    assert code(response) == "registry.role_missing"


@pytest.mark.parametrize("who", EVERYBODY)
def test_everybody_looks_up_colleagues_and_only_some_see_roles(cast: Cast, who: str) -> None:
    seen = client(cast, who).get("/api/v1/people/sam@acme.test").json()
    assert seen["id"] == cast.sam.public_id
    governs = who in {"sam", "sue", "pat", "ann"}
    assert seen["roles"] == (["employee", "security"] if governs else None)


def test_nobody_learns_roles_by_filtering(cast: Cast) -> None:
    path = "/api/v1/people?role=security"
    assert client(cast, "mallory").get(path).json()["results"] == []
    found = client(cast, "pat").get(path).json()["results"]
    assert {person["email"] for person in found} == {"sam@acme.test", "sue@acme.test"}


def test_a_closed_account_is_absent_for_those_who_do_not_govern(cast: Cast) -> None:
    Person.objects.filter(pk=cast.bob.pk).update(deactivated_at=clock.now())
    path = f"/api/v1/people/{cast.bob.public_id}"
    hidden, absent = (
        client(cast, "mallory").get(path),
        client(cast, "mallory").get("/api/v1/people/per_none"),
    )
    assert hidden.status_code == absent.status_code == 404
    assert code(hidden) == code(absent) == "registry.person_not_found"
    assert client(cast, "ann").get(path).json()["active"] is False
    emails = [p["email"] for p in client(cast, "mallory").get("/api/v1/people").json()["results"]]
    assert "bob@acme.test" not in emails
    gone = client(cast, "ann").get("/api/v1/people?active=false").json()["results"]
    assert [p["email"] for p in gone] == ["bob@acme.test"]


def test_a_person_is_added_changed_closed_and_opened_again(cast: Cast) -> None:
    pat = client(cast, "pat")
    added = pat.post(
        "/api/v1/people",
        {"email": "New@acme.test", "name": "New", "team": "finance", "roles": ["approver"]},
    )
    assert added.status_code == 201
    person = added.json()
    assert person["email"] == "new@acme.test"
    assert person["roles"] == ["employee", "approver"]
    assert person["team"] == "finance"
    path = f"/api/v1/people/{person['id']}"
    assert pat.patch(path, {"team": None, "roles": []}).json()["team"] is None
    make_agent("left-behind", owner=Person.objects.get(email="new@acme.test"))
    closed = pat.post(f"{path}/deactivate").json()
    assert closed["person"]["active"] is False
    assert closed["owned_agents"] == ["left-behind"]
    assert code(pat.post(f"{path}/deactivate")) == "registry.already_deactivated"
    assert pat.post(f"{path}/reactivate").json()["active"] is True


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"email": "alice@ACME.test"}, 409, "registry.email_taken"),
        ({"email": "nope"}, 422, "registry.email_not_usable"),
        ({"email": "new@acme.test", "team": "nope"}, 422, "registry.unknown_team"),
        ({"email": "new@acme.test", "roles": ["root"]}, 422, "kernel.invalid"),
        ({"email": "new@acme.test", "is_superuser": True}, 422, "kernel.invalid"),
        ({"email": "new@acme.test", "password": "x"}, 422, "kernel.invalid"),
        ({"email": 7}, 422, "kernel.invalid"),
        ({}, 422, "kernel.invalid"),
        ([], 422, "kernel.invalid"),
        ("text", 422, "kernel.invalid"),
    ],
)
def test_a_bad_body_is_answered_with_the_reason(
    cast: Cast, body: Any, status: int, told: str
) -> None:
    response = client(cast, "pat").post("/api/v1/people", body, format="json")
    assert (response.status_code, code(response)) == (status, told)
    assert Person.objects.count() == 7


@pytest.mark.parametrize(
    "raw", ['{"email":"a@b.test","email":"c@d.test"}', '{"email":NaN}', "{", '{"email":"\\ud800"}']
)
def test_json_that_two_readers_read_differently_is_refused(cast: Cast, raw: str) -> None:
    response = client(cast, "pat").post("/api/v1/people", raw, content_type="application/json")
    assert response.status_code == 400
    assert code(response) == "kernel.not_json"


def test_an_unknown_field_is_named(cast: Cast) -> None:
    response = client(cast, "pat").post("/api/v1/people", {"email": "x@y.test", "rolls": []})
    assert "rolls" in response.json()["errors"]


def test_lists_are_cut_by_cursor_searched_and_ordered(cast: Cast) -> None:
    pat = client(cast, "pat")
    first = pat.get("/api/v1/people?ordering=email&page_size=3").json()
    assert [p["email"][:3] for p in first["results"]] == ["ali", "ann", "bob"]
    assert first["previous"] is None
    second = pat.get(first["next"]).json()
    assert [p["email"][:3] for p in second["results"]] == ["mal", "pat", "sam"]
    found = pat.get("/api/v1/people?search=acme+ali").json()["results"]
    assert [p["email"] for p in found] == ["alice@acme.test"]
    in_team = pat.get("/api/v1/people?team=research").json()["results"]
    assert [p["email"] for p in in_team] == ["mallory@acme.test"]


@pytest.mark.parametrize(
    "query", ["ordering=password", "ordering=-id", "page_size=0", "page_size=9999", "colour=red"]
)
def test_a_wrong_list_parameter_is_an_error(cast: Cast, query: str) -> None:
    response = client(cast, "pat").get(f"/api/v1/people?{query}")
    assert response.status_code == 422


def test_a_sign_in_link_leaves_once_and_points_at_the_portal(cast: Cast) -> None:
    response = client(cast, "pat").post("/api/v1/people/alice@acme.test/signin-link")
    assert response.status_code == 201
    assert "/enter/" in response.json()["url"]
    assert response["Cache-Control"] == "no-store"


def test_me_tells_roles_held_and_roles_in_force(cast: Cast) -> None:
    make_agent("mine", owner=cast.sam)
    me = client_of(cast.sam, ["employee"]).get("/api/v1/me").json()
    assert me["roles"] == ["employee", "security"]
    assert me["roles_in_force"] == ["employee"]
    assert me["owned_agents"] == ["mine"]


def test_people_change_their_own_name_but_never_their_roles(cast: Cast) -> None:
    alice = client(cast, "alice")
    assert alice.patch("/api/v1/me", {"name": "Alice A."}).json()["name"] == "Alice A."
    assert alice.patch("/api/v1/me", {"roles": ["platform"]}).status_code == 422
    path = f"/api/v1/people/{cast.alice.public_id}"
    assert alice.patch(path, {"roles": ["platform"]}).status_code == 403
    cast.alice.refresh_from_db()
    assert cast.alice.roles == ["employee"]


def test_a_token_is_issued_listed_without_its_text_and_revoked(cast: Cast) -> None:
    sam = client(cast, "sam")
    issued = sam.post(
        "/api/v1/me/tokens", {"name": "ci", "roles": ["employee"], "expires_in_days": 3}
    )
    assert issued.status_code == 201
    text = issued.json()["token"]
    listed = sam.get("/api/v1/me/tokens?search=ci")
    assert text not in listed.content.decode()
    assert listed.json()["results"][0]["roles"] == ["employee"]
    assert "digest" not in listed.json()["results"][0]
    narrowed = bearer(text)
    assert narrowed.get("/api/v1/me").json()["roles_in_force"] == ["employee"]
    path = f"/api/v1/me/tokens/{issued.json()['id']}"
    assert client(cast, "mallory").delete(path).status_code == 404
    assert sam.delete(path).status_code == 204
    refused = narrowed.get("/api/v1/me")
    assert (refused.status_code, code(refused)) == (401, "registry.token_revoked")


def test_a_token_without_named_roles_carries_those_in_force(cast: Cast) -> None:
    narrowed = client_of(cast.sam, ["employee"])
    assert narrowed.post("/api/v1/me/tokens", {"name": "x"}).json()["roles"] == ["employee"]
    wide = narrowed.post("/api/v1/me/tokens", {"name": "x", "roles": ["security"]})
    assert (wide.status_code, code(wide)) == (403, "registry.token_too_wide")


@pytest.mark.parametrize("days", [0, 366, -5, "soon", True])
def test_a_token_without_a_proper_end_is_refused(cast: Cast, days: Any) -> None:
    response = client(cast, "alice").post(
        "/api/v1/me/tokens", {"name": "x", "expires_in_days": days}
    )
    assert response.status_code == 422


def test_each_reason_a_token_does_not_hold_has_its_code(cast: Cast) -> None:
    _, text = make_token(cast.alice)
    old, old_text = make_token(cast.alice)
    past = clock.now() - timedelta(days=2)
    PersonToken.objects.filter(pk=old.pk).update(
        created_at=past, expires_at=past + timedelta(days=1)
    )
    _, of_closed = make_token(cast.bob)
    Person.objects.filter(pk=cast.bob.pk).update(deactivated_at=clock.now())
    _, agent_key = make_key(make_agent("sorter", owner=cast.alice))
    reasons = {
        text[:-1]: "registry.token_unknown",
        "short": "registry.token_unknown",
        "": "registry.token_unknown",
        old_text: "registry.token_expired",
        of_closed: "registry.person_deactivated",
        agent_key: "registry.agent_key_not_taken_here",
    }
    for presented, reason in reasons.items():
        response = bearer(presented).get("/api/v1/me")
        assert (response.status_code, code(response)) == (401, reason)
        assert response["WWW-Authenticate"].startswith("Bearer")
        assert not presented or presented not in response.content.decode()


def test_two_tokens_in_one_request_are_refused(cast: Cast) -> None:
    _, one = make_token(cast.alice)
    _, two = make_token(cast.sam)
    response = APIClient().get(
        "/api/v1/me", headers={"authorization": f"Bearer {one}, Bearer {two}"}
    )
    assert response.status_code == 401


def test_a_token_that_does_not_hold_is_never_saved_by_a_session(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice)
    response = client.get("/api/v1/me", headers={"authorization": "Bearer nonsense"})
    assert response.status_code == 401


def test_a_session_must_prove_that_our_page_asks(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice)
    assert client.get("/api/v1/me").status_code == 200
    response = client.patch(
        "/api/v1/me", {"name": "Mallory was here"}, content_type="application/json"
    )
    assert (response.status_code, code(response)) == (403, "registry.cross_site_refused")


def test_the_last_use_of_a_token_is_noted_at_most_once_a_minute(cast: Cast) -> None:
    row, text = make_token(cast.alice)
    bearer(text).get("/api/v1/me")
    row.refresh_from_db()
    first = row.last_used_at
    assert first is not None
    bearer(text).get("/api/v1/me")
    row.refresh_from_db()
    assert row.last_used_at == first
    PersonToken.objects.filter(pk=row.pk).update(last_used_at=first - timedelta(minutes=2))
    bearer(text).get("/api/v1/me")
    row.refresh_from_db()
    assert row.last_used_at is not None
    assert row.last_used_at > first - timedelta(minutes=1)


def test_roles_taken_away_are_gone_from_every_token_at_once(cast: Cast) -> None:
    sam = client(cast, "sam")
    Person.objects.filter(pk=cast.sam.pk).update(roles=["employee"])
    assert sam.get("/api/v1/me").json()["roles_in_force"] == ["employee"]


def test_an_agent_asks_about_itself_with_its_own_key(cast: Cast) -> None:
    agent = make_agent("sorter", owner=cast.alice, backup_owner=cast.bob, stage="live")
    key, text = make_key(agent)
    told = bearer(text).get("/api/v1/agent/self").json()
    assert told["name"] == "sorter"
    assert told["routes"] == ["sandbox"]
    assert told["owner"] == "alice@acme.test"
    assert told["version"] == "1.0.0"
    assert told["key"] == key.public_id
    assert text not in str(told)


def test_each_reason_an_agent_key_does_not_hold_has_its_code(cast: Cast) -> None:
    agent = make_agent("sorter", owner=cast.alice, stage="live")
    past = clock.now() - timedelta(days=2)
    texts = {
        make_key(agent)[1][:-1] + "!": "registry.agent_key_unknown",
        make_key(agent, revoked_at=clock.now())[1]: "registry.agent_key_revoked",
        make_key(agent, created_at=past, expires_at=past + timedelta(days=1))[
            1
        ]: "registry.agent_key_expired",
        make_key(make_agent("gone", owner=cast.alice, stage="retired"))[
            1
        ]: "registry.agent_out_of_service",
        make_token(cast.alice)[1]: "registry.person_token_not_taken_here",
    }
    for text, reason in texts.items():
        response = bearer(text).get("/api/v1/agent/self")
        assert (response.status_code, code(response)) == (401, reason)


def test_a_bootstrap_value_is_a_bearer_token(cast: Cast) -> None:
    from registry.actions.people import ensure_bootstrap_token

    value = "operator chose this value with spaces and é in it"
    ensure_bootstrap_token(value.replace(" ", "-").replace("é", "e"))
    response = bearer(value.replace(" ", "-").replace("é", "e")).get("/api/v1/me")
    assert response.json()["name"] == "Bootstrap automation"
    assert response.json()["roles_in_force"] == ["employee", "platform"]


def test_a_team_is_added_and_listed(cast: Cast) -> None:
    pat = client(cast, "pat")
    assert pat.post("/api/v1/teams", {"name": "Customer Care"}).status_code == 201
    assert code(pat.post("/api/v1/teams", {"name": "customer care"})) == "registry.team_taken"
    slugs = [t["slug"] for t in pat.get("/api/v1/teams?ordering=slug").json()["results"]]
    assert slugs == ["customer-care", "finance", "research"]


def test_no_answer_holds_an_integer_key_or_a_hash(cast: Cast) -> None:
    token = token_for(make_token(cast.sam)[1])
    for path in ("people", "teams", "me", "me/tokens"):
        answer = client(cast, "sam").get(f"/api/v1/{path}").content
        assert bytes(token.digest).hex().encode() not in answer
        assert b'"pk"' not in answer
        assert b'"password"' not in answer


def test_a_cursor_that_no_list_gave_is_an_error(cast: Cast) -> None:
    pat = client(cast, "pat")
    for position in ("p=nonsense", "p=99999-99-99", "p=%00", "o=x", "r=1&p=%FF"):
        cursor = b64encode(position.encode()).decode()
        response = pat.get("/api/v1/people", {"cursor": cursor, "ordering": "created_at"})
        assert response.status_code in {200, 422}
    assert pat.get("/api/v1/people?cursor=a").status_code == 422


@pytest.mark.parametrize(
    "path", ["people/per_%00", "people/a%00@b.test", "people?team=a%00", "people?search=a%00"]
)
def test_what_no_text_can_hold_is_not_found_and_no_fault(cast: Cast, path: str) -> None:
    assert client(cast, "pat").get(f"/api/v1/{path}").status_code in {404, 422}
    assert client(cast, "pat").delete("/api/v1/me/tokens/tok_%00").status_code == 404
