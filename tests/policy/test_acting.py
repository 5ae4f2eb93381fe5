from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kernel.canonical import canonical, digest
from policy.acting import facts_of_action, readable
from policy.engine import Judge
from policy.facts import read_facts
from tests.policy.conftest import ACTION, Facts

MONDAY = datetime(2026, 11, 23, 10, 5, tzinfo=UTC)


def facts(arguments: dict[str, Any], **over: Any) -> Facts:
    return facts_of_action(
        agent=ACTION["agent"],
        action={**ACTION["action"], "arguments": arguments, **over},
        requested_at=MONDAY,
        counts=ACTION["counts"],
    )


def test_plain_arguments_are_told_as_they_are() -> None:
    told = facts({"to": "ann@acme.example", "amount": 5.5, "lines": [{"text": "größe"}]})
    assert told["action"]["arguments"] == {
        "to": "ann@acme.example",
        "amount": 5.5,
        "lines": [{"text": "größe"}],
    }
    assert told["requested"] == {"weekday": "mon", "minute": 605}


def test_text_that_engines_read_differently_is_told_by_its_digest(judge: Judge) -> None:
    told = facts({"body": "two\nlines", "parts": [{"quote": 'say "yes"'}, "plain"]})
    body = {"unread": digest("two\nlines"), "bytes": len(canonical("two\nlines"))}
    assert told["action"]["arguments"]["body"] == body
    assert told["action"]["arguments"]["parts"][1] == "plain"
    assert "unread" in told["action"]["arguments"]["parts"][0]["quote"]
    assert judge.decide(told).rule == "actions.allowed"


def test_a_recipient_that_cannot_be_read_is_outside_every_domain(judge: Judge) -> None:
    told = facts({"to": "ann@acme.example\nbcc: eve@evil.example"}, effect="message")
    assert judge.decide(told).rule == "actions.recipients"


def test_an_amount_that_cannot_be_read_moves_nothing(judge: Judge) -> None:
    told = facts({"amount": "1\n0", "currency": "EUR"}, effect="money")
    assert judge.decide(told).rule == "actions.amount_unreadable"


@pytest.mark.parametrize(
    "arguments",
    [
        {"body": "x" * 500_000},
        {"rows": [{"n": number} for number in range(5000)]},
        {f"argument_{number}": "x" * 1000 for number in range(200)},
        {"deep": [[[["\n"] * 20] * 10] * 4]},
    ],
)
def test_long_arguments_can_still_be_judged(judge: Judge, arguments: dict[str, Any]) -> None:
    told = facts(arguments)
    assert read_facts(told)[0] is not None
    assert judge.decide(told).rule == "actions.allowed"


def test_a_name_that_engines_read_differently_is_denied(judge: Judge) -> None:
    assert judge.decide(facts({"a\nb": 1})).rule == "policy.unclean"


def test_equal_arguments_are_told_alike() -> None:
    assert readable({"a": "x\ny", "b": 1}) == readable({"b": 1, "a": "x\ny"})
