"""There and back again: what both dialects can say is the same after two translations."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing.gateway.errors import VendorGarbage
from routing.gateway.mapping.losses import CannotTranslate, Losses
from routing.gateway.mapping.translation import WAYS, Sought
from tests.routing.gateway.mapping.folding import folded_chunks, folded_events

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TO_MESSAGES, TO_CHAT = WAYS["chat", "anthropic"], WAYS["messages", "openai"]
TO_CHAT_OF_RESPONSES = WAYS["responses", "openai"]

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
names = st.from_regex(r"\A[a-z_]{1,8}\Z")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(words, json_values, max_size=3)
parts = st.one_of(
    st.builds(lambda said: {"type": "text", "text": said}, words),
    st.sampled_from(
        [
            {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "file", "file": {"filename": "a.pdf",
                                      "file_data": "data:application/pdf;base64,AAAA"}},
        ]
    ),
)  # fmt: skip
users = st.builds(
    lambda content: {"role": "user", "content": content},
    words | st.lists(parts, min_size=2, max_size=4),
)


@st.composite
def rounds(draw: Any) -> list[dict[str, Any]]:
    """Return a user's words and how the assistant took them, with tools or without."""
    said = draw(st.none() | words)
    given_to = draw(st.lists(st.tuples(names, objects, words), max_size=2))
    if not given_to:
        return [draw(users), {"role": "assistant", "content": said or "So."}]
    calls, results = [], []
    for number, (name, arguments, outcome) in enumerate(given_to):
        function = {"name": name, "arguments": json.dumps(arguments, separators=(",", ":"),
                                                          ensure_ascii=False)}  # fmt: skip
        named = f"call_{draw(st.integers(0, 99))}_{number}"
        calls.append({"id": named, "type": "function", "function": function})
        results.append({"role": "tool", "tool_call_id": named, "content": outcome})
    return [draw(users), {"role": "assistant", "content": said, "tool_calls": calls}, *results]


@st.composite
def chat_calls(draw: Any) -> dict[str, Any]:
    turns = [turn for one in draw(st.lists(rounds(), max_size=3)) for turn in one]
    if not turns or turns[-1]["role"] == "assistant":
        turns.append(draw(users))
    if draw(st.booleans()):
        turns.insert(0, {"role": "system", "content": draw(words)})
    call: dict[str, Any] = {"model": "m", "messages": turns, "max_tokens": draw(st.integers(1, 9))}
    for name, values in (
        ("temperature", st.sampled_from([0, 0.25, 1])),
        ("top_p", st.sampled_from([0.5, 1])),
        ("stop", st.lists(words, min_size=1, max_size=3)),
        ("user", words),
        ("reasoning_effort", st.sampled_from(["none", "low", "medium", "high"])),
    ):
        if draw(st.booleans()):
            call[name] = draw(values)
    if draw(st.booleans()):
        function = {"name": draw(names), "description": draw(words), "parameters": {"a": 1}}
        call["tools"] = [{"type": "function", "function": function}]
        by_name = {"type": "function", "function": {"name": function["name"]}}
        call["tool_choice"] = draw(st.sampled_from(["auto", "required", "none", by_name]))
        if call["tool_choice"] != "none" and draw(st.booleans()):
            call["parallel_tool_calls"] = False
    return call


@given(chat_calls())
@settings(unhurried, max_examples=150)
def test_a_chat_call_comes_back_as_it_went(call):
    there = TO_MESSAGES.ask(call, Sought("claude-sonnet-5-5"), Losses(may_drop=False))
    roles = [message["role"] for message in there["messages"]]
    assert all(one != other for one, other in pairwise(roles))
    back = TO_CHAT.ask(there, Sought("m"), Losses(may_drop=False))
    assert back == call
    again = TO_MESSAGES.ask(back, Sought("claude-sonnet-5-5"), Losses(may_drop=False))
    assert again == there


@given(st.dictionaries(words, json_values, max_size=4), st.booleans())
@settings(unhurried, max_examples=150)
def test_whatever_is_asked_is_translated_or_refused_by_name(more, may_drop):
    for way in (TO_MESSAGES, TO_CHAT, TO_CHAT_OF_RESPONSES, WAYS["responses", "anthropic"]):
        call = {"model": "m", "messages": [], "input": "Hi", "max_tokens": 1} | more
        losses = Losses(may_drop=may_drop)
        try:
            way.ask(call, Sought("m"), losses)
        except CannotTranslate as refused:
            assert refused.facts["param"]  # noqa: PT017  it need not raise
        else:
            assert {name for name, said in more.items() if said is not None} <= {
                "model", "messages", "input", "max_tokens", *losses.dropped,
            }  # fmt: skip


MESSAGE_MEMBERS = st.sampled_from(
    ["role", "content", "type", "text", "tool_calls", "tool_use_id", "source", "function",
     "arguments", "image_url", "url", "input", "call_id"]
)  # fmt: skip


@given(st.recursive(json_values, lambda inner: st.dictionaries(MESSAGE_MEMBERS, inner)))
@settings(unhurried, max_examples=200)
def test_no_shape_of_a_message_is_more_than_a_refusal(said):
    for way in (TO_MESSAGES, TO_CHAT, TO_CHAT_OF_RESPONSES):
        for role in ("user", "assistant", "tool", "system"):
            message = {"role": role, **said} if isinstance(said, dict) else said
            call = {"model": "m", "messages": [message], "max_tokens": 1}
            if way is TO_CHAT_OF_RESPONSES:
                call = {"model": "m", "input": [message]}
            with suppress(CannotTranslate):
                way.ask(call, Sought("m"), Losses(may_drop=True))


MEMBERS = st.sampled_from(
    ["tools", "tool_choice", "reasoning_effort", "thinking", "output_config", "metadata",
     "response_format", "stop", "stop_sequences", "system", "text", "reasoning", "instructions",
     "stream_options", "max_tokens", "parallel_tool_calls", "temperature", "user", "input"]
)  # fmt: skip


@given(st.dictionaries(MEMBERS, json_values, min_size=1, max_size=3))
@settings(unhurried, max_examples=200)
def test_no_value_of_a_member_is_more_than_a_refusal(said):
    for way in WAYS.values():
        call = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1,
                "input": "Hi"}  # fmt: skip
        del call["messages" if way.name.startswith("responses") else "input"]
        with suppress(CannotTranslate):
            way.ask(call | said, Sought("m"), Losses(may_drop=True))


SAID = st.sampled_from(
    ["type", "index", "delta", "content_block", "message", "usage", "choices", "finish_reason",
     "tool_calls", "function", "arguments", "content", "text", "partial_json", "id", "name",
     "stop_reason", "prompt_tokens", "input_tokens", "message_start", "message_delta",
     "content_block_start", "content_block_delta", "tool_use", "text_delta", "refusal"]
)  # fmt: skip
garbage = st.recursive(
    st.none() | st.booleans() | st.integers() | SAID,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(SAID, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(SAID, garbage, max_size=4), max_size=4))
@settings(unhurried, max_examples=300)
def test_whatever_a_vendor_says_is_said_or_called_garbage(documents):
    for way in WAYS.values():
        answering = way.answering({}, 1)
        for document in documents:
            with suppress(VendorGarbage):
                json.dumps(answering.writer.take(document))
            with suppress(VendorGarbage):
                json.dumps(way.answering({}, 1).whole(document))
        json.dumps(answering.writer.end())


@given(st.lists(words, min_size=1, max_size=4), st.lists(st.tuples(names, objects), max_size=2))
@settings(unhurried, max_examples=100)
def test_a_stream_says_what_a_whole_answer_says(pieces, calls):
    content: list[Any] = [{"type": "text", "text": "".join(pieces)}]
    content += [
        {"type": "tool_use", "id": f"t_{n}", "name": name, "input": arguments}
        for n, (name, arguments) in enumerate(calls)
    ]
    reason = "tool_use" if calls else "end_turn"
    message = {"id": "m", "model": "c", "content": content, "stop_reason": reason,
               "usage": {"input_tokens": 3, "output_tokens": 4}}  # fmt: skip
    whole = TO_MESSAGES.answering({}, 1).whole(message)
    back = TO_CHAT.answering({}, 1).whole(whole)
    assert (back["content"], back["stop_reason"]) == (content, reason)

    told = [{"role": "assistant", "content": piece} for piece in pieces]
    for number, call in enumerate(whole["choices"][0]["message"].get("tool_calls", ())):
        raw = call["function"]["arguments"]
        half = len(raw) // 2
        first = {**call["function"], "arguments": raw[:half]}
        told.append({"tool_calls": [{**call, "index": number, "function": first}]})
        told.append({"tool_calls": [{"index": number, "function": {"arguments": raw[half:]}}]})
    head = {"id": "m", "model": "c"}
    chunks = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in told]
    ended = {"index": 0, "delta": {}, "finish_reason": whole["choices"][0]["finish_reason"]}
    chunks += [{**head, "choices": [ended]}, {**head, "choices": [], "usage": whole["usage"]}]
    there = TO_CHAT.answering({}, 1).writer
    events = [made for chunk in chunks for made in there.take(chunk)] + there.end()
    said = folded_events(json.loads(json.dumps(events)))
    assert said["reason"] == reason
    assert said["usage"]["output_tokens"] == 4
    back_again = TO_MESSAGES.answering({"stream_options": {"include_usage": True}}, 1).writer
    made = [chunk for event in events for chunk in back_again.take(event)] + back_again.end()
    folded = folded_chunks(made)
    assert folded["text"] == "".join(pieces)
    assert [(name, arguments) for _, name, arguments in folded["calls"]] == calls
    assert folded["usage"]["total_tokens"] == 7
