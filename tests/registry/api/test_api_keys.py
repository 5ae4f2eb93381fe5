from __future__ import annotations

from typing import Any

import pytest

from registry.models import Agent, AgentKey
from registry.queries import agent_key_for
from tests.factories import Cast, client_of, make_agent, make_key

AT = "/api/v1/agents/invoice-sorter/keys"


@pytest.fixture
def agent(cast: Cast) -> Agent:
    return make_agent(owner=cast.alice, backup_owner=cast.bob, stage="live")


def post(cast: Cast, who: str, path: str = AT, body: dict[str, Any] | None = None) -> Any:
    return client_of(getattr(cast, who)).post(path, body or {}, format="json")


@pytest.mark.usefixtures("agent")
def test_a_key_is_shown_once_and_never_listed(cast: Cast) -> None:
    response = post(cast, "alice", body={"expires_in_days": 7, "label": "laptop"})
    said = response.json()
    assert response.status_code == 201
    assert response["Cache-Control"] == "no-store"
    assert agent_key_for(said["key"]).public_id == said["id"]
    listed = client_of(cast.alice).get(AT)
    assert said["key"] not in listed.content.decode()
    [row] = listed.json()["results"]
    assert (row["id"], row["label"], row["active"], "key" in row) == (
        said["id"],
        "laptop",
        True,
        False,
    )


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("who", ["mallory", "sam", "ann"])
def test_others_issue_no_key(cast: Cast, who: str) -> None:
    response = post(cast, who)
    assert (response.status_code, response.json()["code"]) == (403, "registry.not_your_agent")


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize(
    ("who", "status"),
    [("alice", 200), ("bob", 200), ("sam", 200), ("pat", 200), ("ann", 200), ("mallory", 403)],
)
def test_the_list_of_keys_is_for_those_who_may_see_inside(
    cast: Cast, who: str, status: int
) -> None:
    assert client_of(getattr(cast, who)).get(AT).status_code == status


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize(
    "body",
    [
        {"expires_in_days": 0},
        {"expires_in_days": 366},
        {"expires_in_days": "90"},
        {"expires_in_days": True},
        {"expires_in_days": 1.5},
        {"expires_in_days": None},
        {"expires": 3},
        {"label": 5},
        {"label": "x" * 101},
    ],
)
def test_a_wrong_wish_for_a_key_is_refused(cast: Cast, body: dict[str, Any]) -> None:
    assert post(cast, "alice", body=body).status_code == 422
    assert not AgentKey.objects.exists()


@pytest.mark.parametrize("stage", ["draft", "in_review", "retired"])
def test_before_approval_there_is_no_key_and_the_answer_says_why(cast: Cast, stage: str) -> None:
    make_agent(owner=cast.alice, stage=stage)
    response = post(cast, "alice")
    assert (response.status_code, response.json()["code"]) == (409, "registry.agent_not_callable")
    assert response.json()["stage"] == stage


def test_a_key_is_rotated_with_overlap(cast: Cast, agent: Agent) -> None:
    key, text = make_key(agent)
    response = post(cast, "bob", f"{AT}/{key.public_id}/rotate", {"overlap_hours": 1})
    assert response.status_code == 201
    assert agent_key_for(text) == key
    assert agent_key_for(response.json()["key"]).public_id == response.json()["id"]
    again = post(cast, "bob", f"{AT}/{key.public_id}/rotate")
    assert (again.status_code, again.json()["code"]) == (409, "registry.key_not_active")
    assert post(cast, "mallory", f"{AT}/{key.public_id}/rotate").status_code == 403


def test_a_key_is_revoked(cast: Cast, agent: Agent) -> None:
    key = make_key(agent)[0]
    path = f"{AT}/{key.public_id}"
    assert client_of(cast.mallory).delete(path).status_code == 403
    assert client_of(cast.sam).delete(path, {"reason": "lost"}, format="json").status_code == 204
    assert client_of(cast.sam).delete(path).status_code == 204
    key.refresh_from_db()
    assert key.revoked_reason == "lost"


@pytest.mark.usefixtures("agent")
def test_a_key_that_is_not_there_is_not_found(cast: Cast) -> None:
    other = make_key(make_agent("other", owner=cast.alice, stage="live"))[0]
    for ident in ("key_nothing", other.public_id):
        assert client_of(cast.alice).delete(f"{AT}/{ident}").status_code == 404
        assert post(cast, "alice", f"{AT}/{ident}/rotate").status_code == 404
