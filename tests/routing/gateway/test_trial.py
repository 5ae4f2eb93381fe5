"""A recorded call asked again of a candidate: governed, on record, and of no effect."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from routing.gateway.runs import run_named
from routing.internal import HEADER, InternalKeys
from tests.routing.gateway.conftest import BODY, Client, eventually
from tests.routing.gateway.scripted import COMPLETION, answer, stream
from tests.routing.gateway.shapes import MESSAGE_STREAM


@pytest.fixture
def ask(rig, served):
    keys = InternalKeys.load(rig.keys_dir)

    def asked(agent: Any, aim: dict[str, str], words: Any = None, token=None, **over: Any):
        named = run_named(agent.row.public_id, "again")
        said = {
            "run": named.run_id,
            "label": named.label,
            "agent": agent.row.public_id,
            "route": agent.route,
            "target": aim,
            "operation": "chat",
            "body": base64.b64encode(json.dumps(words or BODY).encode()).decode(),
            "of": "ent_of",
            "tag": "",
            "reevaluation": "ree_1",
        } | over
        raw = json.dumps(said).encode()
        signed = keys.token("POST", "/internal/trials", raw) if token is None else token
        return Client(served.port, headers={HEADER: signed}).ask("POST", "/internal/trials", raw)

    return asked


@pytest.fixture
def candidate(world, other):
    """Return a vendor that is on no route of the agent, with one model."""
    pk, public_id = world.add_vendor(other.base_url)
    world.add_model(pk, "candidate-1")
    return {"vendor": public_id, "model": "candidate-1"}


def test_a_candidate_answers_in_a_run_of_its_own_and_nobody_else_hears(
    ask, agent, vendor, other, candidate
):
    other.script = answer(COMPLETION)
    agent.chat()
    told = ask(agent, candidate).json
    assert (told["status"], told["error"]) == ("ok", "")
    assert other.seen[0].json == BODY | {"model": "candidate-1"}
    intent, result = agent.entries()[-2:]
    assert intent["actor"] == "system:re-evaluation"
    assert intent["stream"] == run_named(agent.row.public_id, "again").run_id
    facts = intent["facts"]
    assert (facts["of"], facts["reevaluation"], facts["effects"]) == ("ent_of", "ree_1", "blocked")
    assert (facts["route"], facts["model"], facts["rule"]) == (
        agent.route,
        "candidate-1",
        "calls.allowed",
    )
    assert result["facts"]["status"] == "ok"
    assert agent.calls()[-1]["run_id"] == intent["stream"]


def test_what_was_said_of_a_person_lies_under_keys_of_that_person_again(
    ask, agent, world, other, candidate
):
    other.script = answer(COMPLETION)
    tag = "sub_" + "7" * 26
    # On a busy machine the rules may be too old to decide on, for a moment.
    eventually(lambda: ask(agent, candidate, tag=tag).json["status"] == "ok")
    intent, result = agent.entries()[-2:]
    scopes = world.query(
        "SELECT DISTINCT k.scope FROM ledger_payload p JOIN ledger_datakey k USING (dek_id)"
        " WHERE p.entry_id = ANY(%s)",
        [intent["id"], result["id"]],
    )
    assert [row[0] for row in scopes] == [f"{agent.row.public_id}/{tag}"]


def test_policy_and_budgets_hold_for_it(ask, agent, world, other):
    pk, vendor_id = world.add_vendor(other.base_url, data_classes=("public",))
    world.add_model(pk, "candidate-2")
    refused = ask(agent, {"vendor": vendor_id, "model": "candidate-2"}).json
    assert (refused["status"], refused["error"]) == ("refused", "call_denied")
    assert other.seen == []


def test_it_may_be_said_in_another_dialect(ask, agent, world, other):
    pk, vendor_id = world.add_vendor(other.base_url, dialect="anthropic", auth_scheme="x-api-key")
    world.add_model(pk, "claude-1")
    other.script = stream(MESSAGE_STREAM)
    told = ask(agent, {"vendor": vendor_id, "model": "claude-1"}, BODY | {"stream": True}).json
    assert told["status"] == "ok", told
    assert agent.entries()[-2]["facts"]["translated"] == "openai→anthropic"


def test_what_goes_wrong_is_told_and_on_record(ask, agent, other, candidate):
    other.script = answer(None, 500, raw=b'{"error": {"code": "down"}}')
    told = ask(agent, candidate).json
    assert (told["status"], told["error"]) == ("error", "down")
    unknown = ask(agent, candidate | {"model": "none"}).json
    assert (unknown["status"], unknown["error"]) == ("refused", "target_unknown")


@pytest.mark.parametrize(
    "over",
    [
        {"tag": "x/y"},
        {"run": "run_other"},
        {"operation": "images"},
        {"body": "?"},
        {"target": 7},
        {"of": None},
    ],
)
def test_what_is_not_described_is_refused(ask, agent, candidate, over):
    got = ask(agent, candidate, **over)
    assert (got.status, got.headers["x-unsprawl-error"]) == (400, "routing.trial_invalid")


def test_nobody_outside_this_installation_asks_for_one(ask, agent, candidate, other):
    for token in ("", "1.00", "x"):
        assert ask(agent, candidate, token=token).status in {401, 403, 404}
    assert other.seen == []


def test_a_suspended_agents_calls_are_not_asked_again(ask, make_agent, world, other, candidate):
    agent = make_agent()
    world.change(
        "UPDATE registry_agent SET suspended_at = now() WHERE public_id = %s", agent.row.public_id
    )
    told = {}
    for _ in range(50):
        told = ask(agent, candidate).json
        if told["status"] == "refused":
            break
    assert told["error"] == "agent_suspended"
