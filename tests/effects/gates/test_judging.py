"""Fast checks: what they see, what they say, and that anything unclean is a no."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from effects.gates import rego
from effects.gates.checks import read_checks
from effects.gates.judging import Verdict, judge_fast, refusal_of

pytestmark = pytest.mark.xdist_group("rego-checks")


@pytest.fixture(scope="module", autouse=True)
def _no_child_stays() -> Iterator[None]:
    yield
    rego.close()


def facts(**arguments: Any) -> dict[str, Any]:
    return {
        "question": "action",
        "agent": {"name": "payer", "team": "finance"},
        "action": {"adapter": "http", "arguments": arguments},
    }


def verdicts(*checks: dict[str, Any], **arguments: Any) -> tuple[Verdict, ...]:
    named = [{"name": f"c{place}"} | check for place, check in enumerate(checks)]
    return judge_fast(read_checks(named), facts(**arguments))


def schema(**properties: Any) -> dict[str, Any]:
    return {"kind": "json_schema", "schema": {"properties": properties}}


def module(*lines: str, **more: Any) -> dict[str, Any]:
    return {"kind": "rego", "module": "\n".join(["package unsprawl.check", "", *lines, ""])} | more


SAME_TEAM = module("passed if input.agent.team == input.action.arguments.team")


def test_a_schema_judges_the_arguments_and_does_not_repeat_them() -> None:
    small = schema(amount={"maximum": 500})
    assert refusal_of(verdicts(small, amount=500)) == ""
    said = refusal_of(verdicts(small, amount=123456))
    assert said == "The check c0 did not pass: arguments/amount breaks `maximum`."


@pytest.mark.parametrize(
    ("items", "fits"),
    [([1, "1", True, [1], {"a": 1}], True), ([1, 1.0], False), ([{"a": 1, "b": 2}] * 2, False),
     ([[0, value] for value in range(30_000)], True)],
)  # fmt: skip
def test_items_are_told_apart_in_one_pass(items: list[Any], fits: bool) -> None:
    apart = schema(items={"uniqueItems": True})
    assert (refusal_of(verdicts(apart, items=items)) == "") is fits


def test_a_pattern_takes_no_longer_on_hostile_text() -> None:
    hostile = schema(text={"pattern": "^(a+)+$"})
    assert refusal_of(verdicts(hostile, text="a" * 40 + "!")).endswith("breaks `pattern`.")
    by_name = {"kind": "json_schema", "schema": {"patternProperties": {"^x-": {"type": "string"}}}}
    assert refusal_of(verdicts(by_name, **{"x-a": 7})) != ""
    assert refusal_of(verdicts(by_name, **{"x-a": "7"})) == ""


def test_a_reference_out_of_the_schema_is_a_no_and_no_request() -> None:
    outside = schema(text={"$ref": "http://127.0.0.1:9/schema.json"})
    assert "not in it" in refusal_of(verdicts(outside, text="x"))


def test_a_module_sees_the_agent_and_the_action() -> None:
    assert refusal_of(verdicts(SAME_TEAM, team="finance")) == ""
    assert refusal_of(verdicts(SAME_TEAM, team="research")) == (
        "The check c0 did not pass: it says no."
    )


def test_a_module_may_say_why_and_the_operation_may_say_it_better() -> None:
    lines = ("passed if input.action.arguments.amount < 5", 'reason := "too much at once."')
    assert refusal_of(verdicts(module(*lines), amount=7)).endswith(": too much at once.")
    assert refusal_of(verdicts(module(*lines, reason="ask finance"), amount=7)).endswith(
        ": ask finance."
    )
    assert refusal_of(verdicts(module(*lines), amount=3)) == ""


@pytest.mark.parametrize(
    "lines",
    [
        ('passed := "yes"',),
        ("passed := 1",),
        ("passed if input.nowhere",),
        ("passed if upper(input.action.arguments) == 1",),
        ("passed if input.action.arguments.amount <",),
        ("passed := true if input.agent", "passed := false if input.action"),
        ("answer := 7", "passed := true"),
    ],
    ids=["text", "number", "undefined", "fault", "no-syntax", "contradiction", "other-answer"],
)
def test_whatever_is_no_clean_yes_is_a_no(lines: tuple[str, ...]) -> None:
    assert refusal_of(verdicts(module(*lines), amount=1)) != ""


def test_the_first_no_ends_it() -> None:
    judged = verdicts(schema(amount={"maximum": 5}), SAME_TEAM, amount=7)
    assert [one.name for one in judged] == ["c0"]


def test_more_modules_than_processes_are_kept_still_judge() -> None:
    many = [module(f"passed if input.action.arguments.amount < {n}") for n in range(1, 7)]
    assert [one.has_passed for one in verdicts(*reversed(many), amount=0)] == [True] * 6
    assert len(rego._judges._kept) == rego.MOST_JUDGES
