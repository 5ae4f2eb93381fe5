"""Payloads laid out: JSON, streams, text and bytes, none of them believed."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from routing.said import LONGEST, read_said


def test_a_conversation_is_told_turn_by_turn() -> None:
    said = read_said(
        json.dumps(
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "Look"}, {"type": "image_url"}],
                    },
                    {
                        "role": "assistant",
                        "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
                    },
                    "not a turn",
                ]
            }
        ).encode()
    )
    assert said.kind == "json"
    assert [(one.role, one.text) for one in said.messages] == [
        ("user", "Look\n[image_url]"),
        ("assistant", "→ f({})"),
    ]


def test_a_stream_is_put_together() -> None:
    said = read_said(
        b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {bad\n\ndata: [DONE]\n\n'
    )
    assert (said.kind, said.messages[0].text) == ("events", "a")


def test_what_is_no_text_is_shown_as_bytes() -> None:
    assert read_said(b"\xff\x00").text == "ff 00"


def test_what_is_long_is_cut_and_said_to_be() -> None:
    said = read_said(b"x" * (LONGEST + 1))
    assert said.is_cut
    assert len(said.text) == LONGEST


@given(
    st.binary(max_size=400)
    | st.text(max_size=400).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_are_laid_out(raw: bytes) -> None:
    assert read_said(raw).size == len(raw)
