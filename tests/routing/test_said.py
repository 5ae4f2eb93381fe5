"""Payloads laid out: JSON, streams, text and bytes, none of them believed."""

from __future__ import annotations

import json

import pytest
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
        ("user", "Look\n[picture]"),
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


PICTURE = "data:image/png;base64," + "A" * 4096


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (
            {"system": "Be brief.", "messages": [{"role": "user", "content": [
                {"type": "text", "text": "Hi"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                             "data": "A" * 4096}},
                {"type": "tool_result", "tool_use_id": "t1", "content": '{"a":1}'},
            ]}]},
            [("system", "Be brief."), ("user", 'Hi\n[picture: image/png, 3 KB]\n{\n  "a": 1\n}')],
        ),
        (
            {"instructions": "Sort.", "input": [
                {"type": "message", "role": "user", "content": [
                    {"type": "input_text", "text": "This"},
                    {"type": "input_image", "image_url": PICTURE}]},
                {"type": "function_call", "name": "f", "call_id": "c", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "done"},
            ]},
            [("system", "Sort."), ("user", "This\n[picture: image/png, 3 KB]"),
             ("user", "→ f({})"), ("tool", "done")],
        ),
        ({"input": "One line"}, [("user", "One line")]),
        (
            {"output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
                {"type": "message", "role": "assistant", "content": [
                    {"type": "output_text", "text": "Yes"}]},
            ]},
            [("assistant", "Hm."), ("assistant", "Yes")],
        ),
        (
            {"type": "message", "role": "assistant", "content": [
                {"type": "thinking", "thinking": "Let me see"},
                {"type": "tool_use", "id": "t", "name": "g", "input": {"x": 1}}]},
            [("assistant", 'Let me see\n→ g({\n  "x": 1\n})')],
        ),
        ({"arguments": {"q": 1}, "output": "found"},
         [("arguments", '{\n  "q": 1\n}'), ("output", "found")]),
        ({"error": {"message": "Too much"}}, [("error", "Too much")]),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": "42"}]}, [("tool", "42")]),
    ],
)  # fmt: skip
def test_every_wire_is_told_turn_by_turn(document, told) -> None:
    said = read_said(json.dumps(document).encode())
    assert [(one.role, one.text) for one in said.messages] == told


def stream(*events: object) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (
            stream(
                {"choices": [{"delta": {"tool_calls": [
                    {"index": 0, "id": "c", "function": {"name": "look", "arguments": ""}}]}}]},
                {"choices": [{"delta": {"tool_calls": [
                    {"index": 0, "function": {"arguments": '{"a"'}}]}}]},
                {"choices": [{"delta": {"tool_calls": [
                    {"index": 0, "function": {"arguments": ":[]}"}}]}}]},
            ),
            '→ look({\n  "a": []\n})',
        ),
        (
            stream(
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
                {"type": "content_block_delta", "index": 0, "delta": {"text": "Good "}},
                {"type": "content_block_delta", "index": 0, "delta": {"text": "day"}},
                {"type": "content_block_start", "index": 1,
                 "content_block": {"type": "tool_use", "name": "f", "input": {}}},
                {"type": "content_block_delta", "index": 1, "delta": {"partial_json": "{}"}},
            ),
            "Good day\n→ f({})",
        ),
        (
            stream(
                {"type": "response.output_text.delta", "delta": "Go"},
                {"type": "response.completed", "response": {"output": [
                    {"type": "message", "content": [{"type": "output_text", "text": "Good"}]}]}},
            ),
            "Good",
        ),
        (stream({"type": "response.output_text.delta", "delta": "Cut"}), "Cut"),
    ],
)  # fmt: skip
def test_a_stream_of_every_wire_is_put_together(raw, told) -> None:
    (turn,) = read_said(raw).messages
    assert (turn.role, turn.text) == ("assistant", told)


def test_pictures_are_described_and_their_bytes_left_out() -> None:
    said = read_said(json.dumps({"input": [{"image_url": PICTURE}], "model": "m"}).encode())
    assert "AAAA" not in said.text
    assert "characters of base64 left out" in said.text
    assert said.settings == {"model": "m"}


def test_a_request_says_which_tools_it_offers() -> None:
    tools = [{"function": {"name": "a"}}, {"name": "b"}, {"type": "web_search"}]
    assert read_said(json.dumps({"tools": tools}).encode()).tools == ["a", "b", "web_search"]


_WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["messages", "content", "type", "input", "output", "choices", "message", "delta",
             "tool_calls", "function", "arguments", "source", "data", "image_url", "name", "role",
             "response", "index", "content_block", "tools", "system", "error"]
        ),
        inner, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(_WILD)
def test_any_document_is_laid_out(document) -> None:
    assert read_said(json.dumps(document).encode()).kind == "json"
    assert read_said(stream(document)).kind == "events"
