"""Faults of our own between an intent and its result: on record, settled, and said to the agent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger import journal
from routing.gateway.errors import place_of
from tests.routing.gateway.conftest import eventually
from tests.routing.gateway.scripted import answer, stream
from tests.routing.gateway.tools.said import (
    answering,
    chat_call,
    chat_delta,
    chat_end,
    offering,
)


def nested(depth: int) -> Any:
    made: Any = []
    for _ in range(depth):
        made = [made]
    return made


def entries(agent, kind: str) -> list[dict[str, Any]]:
    return [entry["facts"] for entry in agent.entries() if entry["kind"] == kind]


@pytest.fixture
def stripped(served, make_agent, world):
    made = make_agent(tools=[{"name": "a", "effect": "read"}], options={"tools": "strip"})
    before = served.process._snapshots.current().budgets
    world.add_budget(1_000_000, subject_kind="agent", subject=made.row.public_id)
    eventually(lambda: served.process._snapshots.current().budgets is not before)
    return made


def held(agent) -> int:
    query = (
        "SELECT coalesce(sum(w.held), 0) FROM routing_budgetwindow w"
        " JOIN routing_budget b ON b.id = w.budget_id WHERE b.subject = %s"
    )
    return int(agent.world.query(query, agent.row.public_id)[0][0])


def test_a_deep_answer_whose_call_is_stripped_is_written_all_the_same(stripped, vendor):
    vendor.script = answer(answering("chat", "a", "evil") | {"deep": nested(300)})
    got = stripped.post("/v1/chat/completions", offering("chat", "a"))
    assert got.status == 200
    assert [each["function"]["name"] for each in got.json["choices"][0]["message"]["tool_calls"]]
    assert got.json["deep"] == nested(300)


def test_what_nobody_expected_of_an_answer_is_concluded_and_holds_nothing(stripped, vendor):
    deep = json.dumps(answering("chat", "a", "evil"))[:-1] + ', "deep": ' + "[" * 1010 + "]" * 1010
    vendor.script = answer(raw=(deep + "}").encode())
    got = stripped.post("/v1/chat/completions", offering("chat", "a"))
    assert (got.status, got.code) == (500, "internal_fault")
    assert got.json["error"]["type"] == "server_error"
    (result,) = entries(stripped, "result")
    assert (result["status"], result["error"]) == ("error", "internal_fault")
    assert result["withheld"]  # nobody has looked at it to its end
    assert result["settled"]
    assert held(stripped) == 0
    assert [row["error_code"] for row in stripped.calls()] == ["internal_fault"]


def test_what_nobody_expected_in_a_stream_ends_it_with_a_typed_error(stripped, vendor):
    call = chat_call("evil") | {"index": 0}
    bad = chat_delta(call, chat_call("a", 1) | {"index": 1})
    deep = bad.rstrip()[:-1] + b', "deep": ' + b"[" * 1010 + b"]" * 1010 + b"}\n\n"
    vendor.script = stream([chat_delta(content="Hello"), deep, chat_end()], pause=0.05)
    got = stripped.post("/v1/chat/completions", offering("chat", "a") | {"stream": True})
    assert got.status == 200
    assert b"Hello" in got.body
    assert b'"internal_fault"' in got.body
    assert b"[DONE]" not in got.body
    (result,) = entries(stripped, "result")
    assert (result["status"], result["error"]) == ("incomplete", "internal_fault")
    assert result["settled"]
    assert held(stripped) == 0


def test_a_result_that_the_ledger_refuses_is_recorded_without_what_it_refused(stripped, vendor):
    async def script(seen, writer) -> None:
        stripped.world.change(
            "ALTER TABLE ledger_payload"
            " ADD CONSTRAINT nothing CHECK (length(ciphertext) < 100) NOT VALID"
        )
        await answer()(seen, writer)

    vendor.script = script
    got = stripped.chat()
    stripped.world.change("ALTER TABLE ledger_payload DROP CONSTRAINT nothing")
    assert (got.status, got.code) == (503, "not_recordable")
    (result,) = entries(stripped, "result")
    assert (result["status"], result["error"], result["withheld"]) == ("ok", "not_recordable", True)
    assert (result["input_tokens"], result["output_tokens"]) == (9, 3)
    assert result["settled"]
    assert held(stripped) == 0
    vendor.script = answer()
    assert stripped.chat().status == 200


def test_a_call_for_which_the_queue_is_full_leaves_nothing_to_be_unsure_of(
    served, agent, monkeypatch
):
    monkeypatch.setattr(journal, "QUEUE_LIMIT", 0)
    assert agent.chat().code == "journal_full"
    assert not served.process._recorder._unsure


def test_what_is_logged_of_a_fault_is_its_place_and_not_its_words() -> None:
    try:
        raise KeyError("sk-said-by-somebody")
    except KeyError as fault:
        (place,) = place_of(fault)
    assert place.startswith("test_what_is_logged_of_a_fault")
    assert "sk-said" not in place
