"""What was asked and answered, read alike whichever dialect it was said in."""

from __future__ import annotations

import json
import random

import pytest

from routing.comparing.aligned import aligned
from routing.comparing.differences import worded
from routing.comparing.spoken import ToolCall, answer_of, question_of
from tests.routing.gateway.scripted import COMPLETION, STREAM
from tests.routing.gateway.shapes import MESSAGE, MESSAGE_STREAM, RESPONSE, RESPONSE_STREAM
from tests.routing.gateway.tools.said import answering, offering, streaming

WIRES = ("chat", "messages", "responses")


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(COMPLETION).encode(),
        json.dumps(MESSAGE).encode(),
        json.dumps(RESPONSE).encode(),
        b"".join(MESSAGE_STREAM),
        b"".join(RESPONSE_STREAM),
    ],
    ids=["chat", "messages", "responses", "messages stream", "responses stream"],
)
def test_the_same_words_read_the_same(raw: bytes) -> None:
    answer = answer_of(raw)
    assert (answer.text, answer.calls, answer.form) == ("Hello.", (), "text")
    assert answer_of(b"".join(STREAM)).text == "Hello"


@pytest.mark.parametrize("wire", WIRES)
def test_calls_of_tools_read_the_same_whole_and_streamed(wire: str) -> None:
    said = (ToolCall("a", '{"city": "Oslo"}'), ToolCall("b", '{"city": "Oslo"}'))
    whole = answer_of(json.dumps(answering(wire, "a", "b")).encode())
    assert whole.calls == said
    assert answer_of(b"".join(streaming(wire, "a", "b"))).calls == said
    assert whole.form == "tool calls"
    asked = question_of(json.dumps(offering(wire, "a", "b")).encode())
    assert asked.tools == ("a", "b")
    assert (asked.turns[-1].role, asked.turns[-1].text) == ("user", "?")


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"[1]", b"null", b"data: {", b'{"messages": 7}'])
def test_whatever_the_bytes_are_they_are_read(raw: bytes) -> None:
    question_of(raw)
    answer_of(raw)


def test_sequences_are_aligned_by_what_they_share() -> None:
    assert aligned("abcd", "abcd") == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert aligned("abd", "abcd") == [(0, 0), (1, 1), (None, 2), (2, 3)]
    assert aligned("axd", "ayd") == [(0, 0), (1, 1), (2, 2)]
    assert aligned("", "ab") == [(None, 0), (None, 1)]


def test_an_alignment_holds_every_step_once_and_in_order() -> None:
    chance = random.Random(7)  # noqa: S311  no secret
    for _ in range(200):
        one = [chance.choice("abc") for _ in range(chance.randrange(9))]
        other = [chance.choice("abc") for _ in range(chance.randrange(9))]
        pairs = aligned(one, other)
        assert [i for i, _ in pairs if i is not None] == list(range(len(one)))
        assert [j for _, j in pairs if j is not None] == list(range(len(other)))


def test_texts_are_compared_word_by_word() -> None:
    mine, theirs = worded("the red house", "the blue house")
    assert [(piece.text, piece.is_other) for piece in mine] == [
        ("the ", False),
        ("red", True),
        (" house", False),
    ]
    assert "".join(piece.text for piece in theirs) == "the blue house"
