"""Who may call: one whole, known, valid key of an approved agent, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kernel import keys
from tests.routing.gateway.conftest import Client, eventually


@pytest.fixture
def stranger(served):
    return Client(served.port)


def test_both_headers_carry_a_key(agent, stranger):
    assert stranger.ask("GET", "/v1/models", authorization=f"Bearer {agent.key}").status == 200
    assert stranger.ask("GET", "/v1/models", authorization=f"bearer  {agent.key} ").status == 200
    assert stranger.ask("GET", "/v1/models", x_api_key=agent.key).status == 200
    same = {"authorization": f"Bearer {agent.key}", "x_api_key": agent.key}
    assert stranger.ask("GET", "/v1/models", **same).status == 200


def test_two_different_credentials_are_refused(agent, make_agent, stranger, vendor):
    other = make_agent()
    got = stranger.chat(authorization=f"Bearer {agent.key}", x_api_key=other.key)
    assert (got.status, got.code) == (400, "two_credentials")
    assert not vendor.seen


def broken(key: str) -> dict[str, str]:
    return {
        "half": key[:30],
        "longer": key + "x",
        "one character": key[:20] + ("A" if key[20] != "A" else "B") + key[21:],
        "a vendor's": "sk-proj-abcdefghijklmnop",
        "a person's": keys.issue("ust").text,
        "nothing": "_",
        "unicode": "usp_é",
    }


@pytest.mark.parametrize("kind", [*broken("x" * 64)])
def test_what_is_not_a_whole_agent_key_is_refused_and_not_repeated(agent, stranger, kind):
    text = broken(agent.key)[kind]
    got = stranger.ask("GET", "/v1/models", x_api_key=text.encode().decode("latin-1"))
    assert (got.status, got.code) == (401, "key_malformed")
    assert got.headers["x-unsprawl-error"] == "routing.key_malformed"
    assert got.headers["www-authenticate"].startswith("Bearer")
    assert got.headers["x-should-retry"] == "false"
    assert text not in got.body.decode() or len(text) < 10


def test_no_key_is_refused_with_the_way_to_get_one(stranger):
    got = stranger.chat()
    assert (got.status, got.code) == (401, "key_missing")
    assert "usp_" in got.json["error"]["message"]
    assert stranger.chat(authorization="Basic abc").code == "key_missing"


def test_a_wrong_id_and_a_wrong_secret_are_the_same_refusal(agent, stranger):
    unknown = keys.issue("usp").text
    ours, other = agent.key.split("_"), unknown.split("_")
    body = f"usp_{ours[1]}_{other[2]}"
    wrong_secret = f"{body}_{keys._checksum(body)}"
    answers = [stranger.chat(authorization=f"Bearer {text}") for text in (unknown, wrong_secret)]
    assert [got.code for got in answers] == ["key_unknown", "key_unknown"]
    assert answers[0].body == answers[1].body


def test_an_expired_key_is_refused(make_agent):
    got = until_known(make_agent(key_expires_in=timedelta(seconds=-1)))
    assert (got.status, got.code) == (401, "key_expired")


@pytest.mark.parametrize("stage", ["draft", "in_review"])
def test_an_agent_that_is_not_approved_calls_nothing(make_agent, vendor, stage):
    got = until_known(make_agent(stage=stage))
    assert (got.status, got.code) == (403, "agent_not_approved")
    assert not vendor.seen


@pytest.mark.parametrize("stage", ["soft_launch", "live", "deprecated"])
def test_an_agent_in_a_running_stage_calls(make_agent, stage):
    assert make_agent(stage=stage).chat().status == 200


def test_an_unknown_model_lists_nothing(agent):
    got = agent.chat({"model": "gpt-4o", "messages": []})
    assert (got.status, got.code) == (404, "model_not_found")
    assert agent.route not in got.body.decode()


def test_a_route_that_is_not_declared_is_refused_with_the_way_to_declare_it(agent, make_agent):
    other = make_agent()
    got = agent.chat({"model": other.route, "messages": []})
    assert (got.status, got.code) == (403, "route_not_declared")
    assert "manifest" in got.json["error"]["message"]


def test_a_reach_for_a_route_that_is_not_declared_is_on_record(agent, make_agent, vendor):
    other = make_agent()
    got = agent.chat({"model": other.route, "messages": []})
    assert not vendor.seen
    (entry,) = agent.entries()
    assert (entry["kind"], entry["verb"]) == ("decision", "call.denied")
    assert entry["facts"]["route"] == got.headers["x-unsprawl-route"] == other.route
    assert entry["facts"]["rule"] == "route_not_declared"
    assert got.headers["x-unsprawl-entry"] == entry["id"]
    (call,) = agent.calls()
    assert (call["status"], call["error_code"]) == ("denied", "route_not_declared")


def test_policy_denies_and_the_denial_is_on_record(make_agent, vendor):
    agent = make_agent(data_classes=["confidential"])
    got = agent.chat()
    assert (got.status, got.code) == (403, "call_denied")
    assert got.json["error"]["rule"] == "calls.data_class_vendor"
    assert not vendor.seen
    (entry,) = agent.entries()
    assert (entry["kind"], entry["verb"]) == ("decision", "call.denied")
    assert entry["id"] == got.headers["x-unsprawl-entry"] == got.json["error"]["entry"]
    assert entry["facts"]["input"].startswith("sha256:")
    (call,) = agent.calls()
    assert (call["status"], call["error_code"]) == ("denied", "call_denied")


def test_what_needs_an_approval_says_so(make_agent, world):
    agent = make_agent(data_classes=["regulated"])
    world.change(
        "UPDATE routing_vendor SET data_classes = '{regulated}' WHERE public_id = %s",
        agent.vendor_id,
    )
    got = until_known(agent, lambda got: got.code != "call_denied")
    assert (got.status, got.code) == (403, "approval_required")
    assert agent.calls()[-1]["error_code"] == "approval_required"


def test_models_are_the_routes_of_the_agent(agent, make_agent):
    make_agent()
    got = agent.ask("GET", "/v1/models").json
    assert [model["id"] for model in got["data"]] == [agent.route]
    one = agent.ask("GET", f"/v1/models/{agent.route}").json
    assert (one["object"], one["shutdown_date"]) == ("model", None)
    assert agent.ask("GET", "/v1/models/other").code == "model_not_found"


def until_known(agent, holds=lambda got: got.code != "key_unknown"):
    got = []

    def asked() -> bool:
        got.append(agent.chat())
        return bool(holds(got[-1]))

    eventually(asked)
    return got[-1]
