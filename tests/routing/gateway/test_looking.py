"""What is looked for at the borders of a stream's texts: their first and their last pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest

from routing.gateway.detectors.rules import REDACT, rules_for
from routing.gateway.looking import LookingStage
from routing.gateway.removal import without_secrets
from routing.gateway.sse import EventSplitter
from tests.routing.gateway.detectors.samples import ANTHROPIC
from tests.routing.gateway.scripted import DONE, chunk_event
from tests.routing.gateway.shapes import message_event

CARD = "4111 1111 1111 1111"
RULES = rules_for((("card", REDACT), ("secret", REDACT)))


def looked_at(operation: str, *events: bytes) -> bytes:
    """Return what comes out of a stage for a stream."""
    made = LookingStage(RULES, operation)
    passed = [each for one in EventSplitter().feed(b"".join(events)) for each in made.take(one)]
    return b"".join(event.raw for event in [*passed, *made.finish()])


def documents(raw: bytes) -> list[dict[str, Any]]:
    found = [event.partition(b"data: ")[2] for event in raw.split(b"\n\n") if event]
    return [json.loads(each) for each in found if each != b"[DONE]"]


def choice(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": reason}


def said(raw: bytes, member: str = "delta") -> str:
    choices = [each for one in documents(raw) for each in one["choices"]]
    return "".join(each.get(member, {}).get("content") or "" for each in choices)


@pytest.mark.parametrize("text", [CARD, f"It is {CARD}", ANTHROPIC])
@pytest.mark.parametrize("size", [1, 4, 10])
def test_a_match_that_ends_where_its_text_does_is_removed(text: str, size: int) -> None:
    *pieces, last = [text[at : at + size] for at in range(0, len(text), size)]
    end = chunk_event("", choices=[choice({"content": last}, "stop")])
    out = said(looked_at("chat", *map(chunk_event, pieces), end, DONE))
    assert out.removeprefix("It is ") in {"[redacted: card]", "[redacted: secret]"}


def test_a_match_over_two_choices_of_one_index_is_removed() -> None:
    both = [choice({"content": CARD[:9]}), choice({"content": CARD[9:]}, "stop")]
    assert said(looked_at("chat", chunk_event("", choices=both), DONE)) == "[redacted: card]"


def test_what_another_text_of_the_choice_held_still_comes_before_the_end() -> None:
    thinking = chunk_event("", choices=[choice({"reasoning": "About 4111 11"})])
    out = looked_at(
        "chat", thinking, chunk_event("", choices=[choice({"content": "Hi"}, "stop")]), DONE
    )
    assert out.index(b"4111 11") < out.index(b'"stop"')


def test_a_secret_that_ends_with_its_text_is_not_kept() -> None:
    last = chunk_event("", choices=[choice({"content": ANTHROPIC[20:]}, "stop")])
    kept, removed = without_secrets(chunk_event(ANTHROPIC[:20]) + last + DONE, "chat")
    assert (said(kept), removed) == ("[redacted: secret]", 1)


@pytest.mark.parametrize("name", ["text", "thinking"])
def test_a_block_that_begins_with_words_is_one_text(name: str) -> None:
    start = {"type": name, name: CARD[:9]}
    events = [
        message_event("content_block_start", index=0, content_block=start),
        message_event(
            "content_block_delta", index=0, delta={"type": f"{name}_delta", name: CARD[9:]}
        ),
        message_event("content_block_stop", index=0),
    ]
    out = looked_at("messages", *events)
    assert b"[redacted: card]" in out
    assert b"1111 1111" not in out
    left = documents(looked_at("messages", events[0], events[2]))
    assert [each["type"] for each in left] == [
        "content_block_start", "content_block_delta", "content_block_stop",
    ]  # fmt: skip
    assert left[0]["content_block"][name] + left[1]["delta"][name] == CARD[:9]
