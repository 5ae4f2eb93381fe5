"""Contracts, refusals, texts and tools, as they are read of what models wrote: hostile ones too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.evaluations.comparing.contracts import (
    Contract,
    Inferring,
    arguments_fit,
    declared_in,
    fault_against,
    tools_in,
)
from fleet.evaluations.comparing.documents import NOTHING, document_of
from fleet.evaluations.comparing.inference import Shape
from fleet.evaluations.comparing.pairs import Asked, badness_of, compare_sides, side_of
from fleet.evaluations.comparing.refusals import refusal_in
from fleet.evaluations.comparing.texts import same_normalised
from routing.comparing.spoken import Answer, answer_of

documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False,
    allow_infinity=False) | st.text(max_size=8),
    lambda below: st.lists(below, max_size=4)
    | st.dictionaries(st.text(max_size=5), below, max_size=4),
    max_leaves=12,
)  # fmt: skip


def said(message: dict[str, Any], finish: str = "stop") -> bytes:
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": finish}
    return json.dumps({"choices": [choice]}).encode()


@given(st.lists(documents, min_size=1, max_size=12))
def test_every_answer_that_a_contract_is_inferred_from_keeps_it(answers):
    shape = Shape()
    for answer in answers:
        shape.take(answer)
    schema = shape.schema()
    assert [fault_against(schema, answer) for answer in answers] == [""] * len(answers)


def test_few_values_are_a_rule_only_where_they_were_seen_often():
    few, often = Shape(), Shape()
    for number in range(6):
        few.take({"label": "ab"[number % 2]})
    for number in range(40):
        often.take({"label": "ab"[number % 2], "free": f"text {number}"})
    assert "enum" not in few.schema()["properties"]["label"]
    assert often.schema()["properties"]["label"]["enum"] == ["a", "b"]
    assert "enum" not in often.schema()["properties"]["free"]
    assert often.schema()["required"] == ["free", "label"]


def test_a_key_that_was_once_missing_is_not_required_and_more_keys_are_allowed():
    shape = Shape()
    for answer in ({"a": 1, "b": 1}, {"a": 1}, {"a": 2.5}):
        shape.take(answer)
    schema = shape.schema()
    assert schema["required"] == ["a"]
    assert schema["properties"]["a"] == {"type": "number"}
    assert fault_against(schema, {"a": 1, "c": []}) == ""
    assert fault_against(schema, {"b": 1}) == "required"


def test_of_a_task_whose_answers_were_not_all_json_nothing_is_inferred():
    inferring = Inferring()
    for number in range(9):
        inferring.take("json", Answer('{"a": 1}'))
        inferring.take("mixed", Answer("{}" if number else "Well."))
    inferring.take("few", Answer("{}"))
    assert inferring.contract("json").how == "inferred"
    assert inferring.contract("mixed").how == inferring.contract("few").how == "none"
    assert [*inferring.told()] == ["json"]


@pytest.mark.parametrize(
    "place",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "array"}}}},
        {"text": {"format": {"type": "json_schema", "schema": {"type": "array"}}}},
        {"output_format": {"type": "json_schema", "schema": {"type": "array"}}},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "array"}}}},
    ],
)
def test_what_a_call_declares_counts_in_every_dialect(place):
    contract = declared_in(json.dumps(place).encode())
    assert contract.how == "declared"
    assert contract.fault_in(Answer("[]")) == ""
    assert contract.fault_in(Answer("{}")) == "type"
    assert contract.fault_in(Answer("```json\n[]\n```")) == "fenced"
    assert contract.fault_in(Answer("Here you are.")) == "not JSON"


def test_a_schema_that_leads_out_or_hangs_is_never_followed():
    out = {"$ref": "http://127.0.0.1:9/schema"}
    assert fault_against(out, {}) == "unusable schema"
    hung = {"response_format": {"type": "json_schema", "json_schema": {"schema": {
        "pattern": "(a+)+$(?!x)"}}}}  # fmt: skip
    assert declared_in(json.dumps(hung).encode()).how == "none"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (said({"content": None, "refusal": "No."}), "structured"),
        (said({"content": ""}, "content_filter"), "structured"),
        (json.dumps({"content": [], "stop_reason": "refusal"}).encode(), "structured"),
        (json.dumps({"output": [{"content": [{"type": "refusal", "refusal": "No."}]}]}).encode(),
         "structured"),
        (b'data: {"choices": [{"delta": {"refusal": "No"}}]}\n\n', "structured"),
        (b'data: {"type": "message_delta", "delta": {"stop_reason": "refusal"}}\n\n', "structured"),
        (said({"content": "I'm sorry, but I can't help with that."}), "guessed"),
        (said({"content": "I\u2019m unable to do that."}), "guessed"),
        (said({"content": "Sorry is the word he used in the letter. " * 40}), ""),
        (said({"content": "The invoice is fine."}), ""),
    ],
)  # fmt: skip
def test_refusals_are_known_by_what_the_vendor_says_and_guessed_by_words(raw, kind):
    assert refusal_in(raw, answer_of(raw)) == kind


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("The total is 1,234.50.", "the total is 1234.5", True),
        ("It costs $5", "It costs €5", False),
        ("-3 degrees", "3 degrees", False),
        ("Yes!", "  yes ", True),
        ("Yes", "No", False),
        ("10 %", "10", False),
    ],
)
def test_texts_are_the_same_but_for_signs_case_and_the_spelling_of_numbers(one, other, same):
    assert same_normalised(one, other) is same


def call(name: str, arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"id": "c", "function": {"name": name, "arguments": arguments}}]}


def test_tools_are_compared_by_name_and_by_arguments_as_json():
    request = json.dumps(
        {"tools": [{"function": {"name": "pay", "parameters": {"required": ["to"]}}}]}
    ).encode()
    asked = Asked(Contract(), tools_in(request))
    base = side_of(said(call("pay", '{"to": "a", "amount": 5}')), is_ok=True)
    same = side_of(said(call("pay", '{"amount": 5.0,"to":"a"}')), is_ok=True)
    less = side_of(said(call("pay", '{"amount": 5}')), is_ok=True)
    none = side_of(said({"content": "Paid."}), is_ok=True)
    assert compare_sides(asked, base, same)["tools"] == {
        "names": True, "arguments": True, "fit": True, "base_fit": True,
    }  # fmt: skip
    assert compare_sides(asked, base, less)["tools"]["fit"] is False
    assert compare_sides(asked, base, none)["tools"]["names"] is False
    assert not arguments_fit({}, Answer("", same.answer.calls))
    worst = [badness_of(compare_sides(asked, base, one)) for one in (same, less, none)]
    assert worst == sorted(worst)
    assert worst[0] == 0


@pytest.mark.parametrize(
    "raw",
    [
        said({"content": "a" * 10_000_000}),
        said({"content": "[" * 100_000}),
        said({"content": '{"a":' * 5_000 + "1" + "}" * 5_000}),
        said({"content": "\u202e\x1b[31mred\x1b[0m\u2066"}),
        b'{"choices": 7}', b"\xff\xfe", b"", b"data: {\n\n", b"[" * 2_000_000,
    ],
)  # fmt: skip
def test_what_a_hostile_model_writes_is_compared_like_anything_else(raw):
    base = side_of(said({"content": '{"a": 1}'}), is_ok=True)
    contract = Contract("inferred", {"type": "object"})
    outcome = compare_sides(Asked(contract), base, side_of(raw, is_ok=True))
    assert outcome["answered"]
    assert badness_of(outcome) >= 5
    assert len(json.dumps(outcome)) < 1_000


def test_a_document_that_is_too_deep_is_none():
    assert document_of("[" * 64 + "]" * 64) is not NOTHING
    assert document_of("[" * 65 + "]" * 65) is NOTHING
    assert document_of(json.dumps({"text": "[[[" * 100})) is not NOTHING
