"""Limits that a vendor's answers name: read from heads, believed with care, told once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kernel import clock
from routing.gateway.limits import EVERY, LimitsTold, counted, limits_in
from tests.routing.gateway.scripted import COMPLETION, answer

OPENAI = [
    (b"x-ratelimit-limit-requests", b"10000"),
    (b"x-ratelimit-limit-tokens", b"30000000"),
    (b"x-ratelimit-remaining-requests", b"9999"),
    (b"x-ratelimit-reset-tokens", b"6ms"),
]
ANTHROPIC = [
    (b"anthropic-ratelimit-requests-limit", b"4000"),
    (b"anthropic-ratelimit-input-tokens-limit", b"2000000"),
    (b"anthropic-ratelimit-output-tokens-limit", b"400000"),
    (b"anthropic-ratelimit-tokens-limit", b"400000"),
]
MISTRAL = [
    (b"x-ratelimit-limit-tokens-minute", b"5000000"),
    (b"x-ratelimit-limit-req-minute", b"720"),
    (b"x-ratelimit-tokens-query-cost", b"52"),
]


@pytest.mark.parametrize(
    ("head", "numbers"),
    [
        (OPENAI, (10_000, 30_000_000, 0, 0)),
        # Anthropic's one for all tokens is whichever is nearer: it would come and go.
        (ANTHROPIC, (4_000, 0, 2_000_000, 400_000)),
        (ANTHROPIC[::3], (4_000, 400_000, 0, 0)),
        (MISTRAL, (720, 5_000_000, 0, 0)),
    ],
    ids=["openai", "anthropic", "anthropic of old", "mistral"],
)
def test_each_vendors_headers_are_understood(head: Any, numbers: tuple[int, ...]) -> None:
    said = limits_in([(b"content-type", b"application/json"), *head])
    assert said is not None
    assert counted(said) == numbers


def test_where_nothing_is_said_there_is_nothing() -> None:
    assert limits_in([(b"content-type", b"x"), (b"x-ratelimit-remaining-tokens", b"1")]) is None


@pytest.mark.parametrize(
    "silly",
    [b"", b"-5", b"0", b"1e9", b"10 000", b"9" * 40, b"1000000000001", "\u0665".encode(), b"\xff"],
)
def test_silly_values_are_not_believed(silly: bytes) -> None:
    said = limits_in([(b"x-ratelimit-limit-requests", silly)])
    assert said is not None
    assert counted(said) is None
    beside = limits_in([(b"x-ratelimit-limit-requests", silly), OPENAI[1]])
    assert beside is not None
    assert counted(beside) == (0, 30_000_000, 0, 0)


def test_one_process_tells_of_a_value_once_and_of_a_model_once_a_minute() -> None:
    told, now = LimitsTold(), clock.now()
    one, two = (b"1", b"", b"", b""), (b"2", b"", b"", b"")
    assert told.is_news("mod_a", one, now)
    assert not told.is_news("mod_a", one, now + 9 * EVERY)
    assert told.is_news("mod_b", one, now)
    assert not told.is_news("mod_a", two, now + timedelta(seconds=59))
    assert told.is_news("mod_a", two, now + EVERY)
    told.forget()
    assert told.is_news("mod_a", two, now + EVERY)


def test_what_answers_name_is_written_with_the_call_and_not_again(
    agent: Any, vendor: Any, world: Any
) -> None:
    seen = (
        "SELECT l.requests, l.tokens, l.intent_id FROM routing_limitseen l"
        " JOIN routing_model m ON m.public_id = l.model_id"
        " JOIN routing_vendor v ON v.id = m.vendor_id WHERE v.public_id = %s"
    )
    named = [(name.decode(), value.decode()) for name, value in OPENAI]
    agent.chat()
    assert world.query(seen, agent.vendor_id) == []
    vendor.script = answer({"error": {"message": "no"}}, 500, *named)
    agent.chat()
    assert world.query(seen, agent.vendor_id) == []  # whatever stands between says many things
    vendor.script = answer(COMPLETION, 200, *named)
    assert [agent.chat().status for _ in range(3)] == [200] * 3
    ((requests, tokens, intent),) = world.query(seen, agent.vendor_id)
    assert (requests, tokens) == (10_000, 30_000_000)
    assert intent.startswith("ent_")
