from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from approvals.actions import submit_agent
from approvals.models import Review
from kernel import clock
from registry.models import Agent
from tests.factories import Cast, actor, client_of, make_agent, make_key, make_similar

EVERYBODY = ("alice", "bob", "mallory", "sam", "sue", "pat", "ann")


def code(response: Any) -> str:
    assert response["Content-Type"] == "application/problem+json"
    return str(response.json()["code"])


@pytest.fixture
def review(cast: Cast, draft: Agent) -> Review:
    return submit_agent(draft.name, actor=actor(cast.alice))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "reviews"),
        ("get", "reviews/rev_x"),
        ("post", "reviews/rev_x/decisions"),
        ("post", "reviews/rev_x/withdraw"),
        ("post", "agents/invoice-sorter/submit"),
        ("post", "agents/invoice-sorter/promote"),
    ],
)
def test_nobody_is_answered_without_a_credential(cast: Cast, method: str, path: str) -> None:
    response = getattr(APIClient(), method)(f"/api/v1/{path}", {}, format="json")
    assert (response.status_code, code(response)) == (401, "kernel.unauthenticated")


def test_an_agents_key_opens_no_review(cast: Cast, draft: Agent, review: Review) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_key(draft)[1]}")
    for path in ("reviews", f"reviews/{review.public_id}/decisions"):
        response = client.post(f"/api/v1/{path}", {"decision": "approve"}, format="json")
        assert (response.status_code, code(response)) == (401, "registry.agent_key_not_taken_here")


@pytest.mark.parametrize("who", EVERYBODY)
def test_reviews_are_seen_by_those_concerned_and_by_nobody_else(
    cast: Cast, review: Review, who: str
) -> None:
    client = client_of(getattr(cast, who))
    listed = client.get("/api/v1/reviews?state=open").json()["results"]
    one = client.get(f"/api/v1/reviews/{review.public_id}")
    if who == "mallory":
        assert listed == []
        assert (one.status_code, code(one)) == (404, "approvals.review_not_found")
    else:
        assert [found["id"] for found in listed] == [review.public_id]
        assert one.json()["evidence"]["manifest"]["kind"] == "Agent"
        assert one.json()["may_decide"] is (who in {"sam", "sue"})


@pytest.mark.parametrize(
    ("who", "status", "told"),
    [
        ("alice", 403, "registry.role_missing"),
        ("bob", 403, "registry.role_missing"),
        ("pat", 403, "registry.role_missing"),
        ("ann", 403, "registry.role_missing"),
        ("mallory", 404, "approvals.review_not_found"),
    ],
)
def test_nobody_but_security_decides(
    cast: Cast, review: Review, who: str, status: int, told: str
) -> None:
    response = client_of(getattr(cast, who)).post(
        f"/api/v1/reviews/{review.public_id}/decisions", {"decision": "approve"}
    )
    assert (response.status_code, code(response)) == (status, told)
    review.refresh_from_db()
    assert review.state == "open"


def test_from_submission_to_launch_over_rest(cast: Cast, draft: Agent) -> None:
    asked = client_of(cast.alice).post("/api/v1/agents/invoice-sorter/submit", {})
    assert asked.status_code == 201
    review = asked.json()
    assert review["state"] == "open"
    assert review["requester"] == "alice@acme.test"
    assert review["url"].endswith(f"/reviews/{review['id']}/")
    again = client_of(cast.alice).post("/api/v1/agents/invoice-sorter/submit", {})
    assert (again.status_code, again.json()["review"]) == (409, review["id"])
    path = f"/api/v1/reviews/{review['id']}/decisions"
    answered = client_of(cast.sam).post(path, {"decision": "approve", "comment": "Good."})
    assert answered.status_code == 200
    assert answered.json()["state"] == "approved"
    assert answered.json()["decisions"][0]["decider"] == "sam@acme.test"
    late = client_of(cast.sue).post(path, {"decision": "reject", "comment": "Wait."})
    assert (late.status_code, code(late), late.json()["state"]) == (
        409,
        "approvals.review_settled",
        "approved",
    )
    draft.refresh_from_db()
    assert draft.stage == "soft_launch"


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"decision": "reject"}, 422, "approvals.comment_missing"),
        ({"decision": "maybe"}, 422, "kernel.invalid"),
        ({}, 422, "kernel.invalid"),
        ({"decision": "approve", "quorum": 0}, 422, "kernel.invalid"),
        ({"decision": "approve", "comment": 7}, 422, "kernel.invalid"),
        ({"decision": "approve", "comment": "a\u202eb"}, 422, "approvals.text_unusable"),
        ({"decision": ["approve"]}, 422, "kernel.invalid"),
    ],
)
def test_a_bad_decision_is_answered_with_the_reason_and_changes_nothing(
    cast: Cast, review: Review, body: Any, status: int, told: str
) -> None:
    response = client_of(cast.sam).post(
        f"/api/v1/reviews/{review.public_id}/decisions", body, format="json"
    )
    assert (response.status_code, code(response)) == (status, told)
    review.refresh_from_db()
    assert review.state == "open"


def test_looking_never_decides(cast: Cast, review: Review) -> None:
    path = f"/api/v1/reviews/{review.public_id}/decisions"
    assert client_of(cast.sam).get(f"{path}?decision=approve").status_code == 405
    review.refresh_from_db()
    assert review.state == "open"


def test_a_decision_by_session_needs_the_csrf_token(cast: Cast, review: Review) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.sam)
    response = client.post(
        f"/api/v1/reviews/{review.public_id}/decisions",
        {"decision": "approve"},
        content_type="application/json",
    )
    assert (response.status_code, code(response)) == (403, "registry.cross_site_refused")


def test_a_narrowed_token_of_security_neither_sees_nor_decides(cast: Cast, review: Review) -> None:
    client = client_of(cast.sam, ["employee"])
    assert client.get("/api/v1/reviews").json()["results"] == []
    path = f"/api/v1/reviews/{review.public_id}/decisions"
    assert client.post(path, {"decision": "approve"}).status_code == 404


def test_an_expired_review_shows_as_expired_and_is_not_decided(cast: Cast, review: Review) -> None:
    Review.objects.filter(pk=review.pk).update(expires_at=clock.now() - timedelta(seconds=1))
    sam = client_of(cast.sam)
    assert sam.get("/api/v1/reviews?state=open").json()["results"] == []
    assert sam.get(f"/api/v1/reviews/{review.public_id}").json()["state"] == "expired"
    response = sam.post(f"/api/v1/reviews/{review.public_id}/decisions", {"decision": "approve"})
    assert (response.status_code, code(response)) == (409, "approvals.review_expired")
    review.refresh_from_db()
    assert review.state == "expired"


def test_withdrawing_is_for_requester_and_owner(cast: Cast, review: Review) -> None:
    path = f"/api/v1/reviews/{review.public_id}/withdraw"
    assert client_of(cast.mallory).post(path).status_code == 404
    refused = client_of(cast.sam).post(path)
    assert (refused.status_code, code(refused)) == (403, "approvals.not_yours_to_withdraw")
    assert client_of(cast.alice).post(path, {"reason": "Later."}).json()["state"] == "withdrawn"


@pytest.mark.parametrize("who", ["mallory", "sam", "ann"])
@pytest.mark.parametrize("step", ["submit", "promote"])
def test_only_those_who_answer_for_an_agent_ask_for_it(
    cast: Cast, draft: Agent, who: str, step: str
) -> None:
    response = client_of(getattr(cast, who)).post(f"/api/v1/agents/invoice-sorter/{step}", {})
    assert (response.status_code, code(response)) == (403, "registry.not_your_agent")


def test_an_unjustified_likeness_is_put_before_the_deciders(cast: Cast, draft: Agent) -> None:
    make_similar(draft, make_agent("bill-sorter", owner=cast.mallory, stage="live"), 0.8)
    response = client_of(cast.alice).post("/api/v1/agents/invoice-sorter/submit", {})
    assert response.status_code == 201
    assert response.json()["evidence"]["much_alike"] == ["bill-sorter"]
    assert response.json()["justification"] == ""


def test_promotion_over_rest(cast: Cast) -> None:
    make_agent("trial", owner=cast.alice, stage="soft_launch")
    alice = client_of(cast.alice)
    assert alice.post("/api/v1/agents/trial/promote", {}).status_code == 422
    review = alice.post("/api/v1/agents/trial/promote", {"justification": "Ready."}).json()
    path = f"/api/v1/reviews/{review['id']}/decisions"
    client_of(cast.sam).post(path, {"decision": "approve"})
    assert Agent.objects.get(name="trial").stage == "live"


def test_the_list_is_filtered_searched_and_cut(cast: Cast, review: Review) -> None:
    make_agent("other", owner=cast.sam, backup_owner=cast.bob)
    own = submit_agent("other", actor=actor(cast.sam))
    sam = client_of(cast.sam)

    def ids(query: str) -> list[str]:
        return [found["id"] for found in sam.get(f"/api/v1/reviews?{query}").json()["results"]]

    assert ids("waiting=true") == [review.public_id]
    assert ids("agent=other") == [own.public_id]
    assert ids("search=invoice") == [review.public_id]
    assert ids("kind=version") == []
    assert ids("ordering=created_at") == [review.public_id, own.public_id]
    assert len(ids("page_size=1")) == 1
    assert sam.get("/api/v1/reviews?state=odd").status_code == 422


def test_a_page_of_reviews_costs_a_constant_number_of_queries(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        make_agent(f"agent-{number}", owner=cast.alice, backup_owner=cast.bob)
        submit_agent(f"agent-{number}", actor=actor(cast.alice))
    client = client_of(cast.sam)
    with django_assert_max_num_queries(6):
        assert len(client.get("/api/v1/reviews").json()["results"]) == 12
