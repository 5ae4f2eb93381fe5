"""Our translations beside an independent library's, over a corpus of calls and answers.

What differs on purpose is evened out below, each with its reason; the rest is equal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from routing.gateway.mapping.losses import Losses
from routing.gateway.mapping.translation import WAYS, Sought
from tests.routing.gateway.mapping import corpus
from tests.routing.gateway.mapping.folding import folded_chunks, folded_events

ORACLE = json.loads((Path(__file__).parent / "oracle.json").read_text(encoding="utf-8"))
TO_MESSAGES, TO_CHAT = WAYS["chat", "anthropic"], WAYS["messages", "openai"]


def strict() -> Losses:
    return Losses(may_drop=False)


def test_the_corpus_is_the_one_the_oracle_saw() -> None:
    assert ORACLE["library"].startswith("any-llm-sdk ")
    assert len(corpus.CHAT_CALLS) + len(corpus.MESSAGES_CALLS) >= 60
    for name, part in (
        ("chat_calls", corpus.CHAT_CALLS), ("messages_calls", corpus.MESSAGES_CALLS),
        ("messages", corpus.MESSAGES), ("completions", corpus.COMPLETIONS),
        ("event_streams", corpus.EVENT_STREAMS), ("chunk_streams", corpus.CHUNK_STREAMS),
    ):  # fmt: skip
        assert part.keys() == ORACLE[name].keys(), name


@pytest.mark.parametrize("name", corpus.CHAT_CALLS)
def test_a_chat_call_said_as_messages(name: str) -> None:
    sought = Sought("claude-sonnet-5-5")
    ours = TO_MESSAGES.ask(corpus.CHAT_CALLS[name], sought, strict())
    assert even_messages(ours) == even_messages(ORACLE["chat_calls"][name])


@pytest.mark.parametrize("name", corpus.MESSAGES_CALLS)
def test_a_messages_call_said_as_chat(name: str) -> None:
    call = {"max_tokens": 99, **corpus.MESSAGES_CALLS[name]}
    ours = TO_CHAT.ask(call, Sought("gpt-6-luna"), strict())
    theirs = ORACLE["messages_calls"][name]
    theirs["model"] = theirs.pop("model_id")
    assert even_chat(ours) == even_chat(theirs)


@pytest.mark.parametrize("name", corpus.MESSAGES)
def test_a_message_said_as_a_completion(name: str) -> None:
    ours = TO_MESSAGES.answering({}, 1).whole(corpus.MESSAGES[name])
    assert even_completion(ours) == even_completion(ORACLE["messages"][name])


@pytest.mark.parametrize("name", corpus.COMPLETIONS)
def test_a_completion_said_as_a_message(name: str) -> None:
    ours = TO_CHAT.answering({}, 1).whole(corpus.COMPLETIONS[name])
    assert even_message(ours) == even_message(ORACLE["completions"][name])


@pytest.mark.parametrize("name", corpus.EVENT_STREAMS)
def test_events_said_as_chunks(name: str) -> None:
    writer = TO_MESSAGES.answering({}, 1).writer
    chunks = [made for event in corpus.EVENT_STREAMS[name] for made in writer.take(event)]
    ours, theirs = folded_chunks(chunks), folded_chunks(ORACLE["event_streams"][name])
    # Calls are numbered from 0 by OpenAI; the oracle leaves them the numbers of the blocks.
    assert ours | {"usage": None} == theirs | {"usage": None}


@pytest.mark.parametrize("name", corpus.CHUNK_STREAMS)
def test_chunks_said_as_events(name: str) -> None:
    writer = TO_CHAT.answering({}, 1).writer
    events = [made for chunk in corpus.CHUNK_STREAMS[name] for made in writer.take(chunk)]
    ours = folded_events(events + writer.end())
    theirs = folded_events(ORACLE["chunk_streams"][name])
    assert ours["blocks"] == theirs["blocks"]
    # The oracle's caller says the reason and the usage, which come behind the last chunk.
    assert (ours["usage"]["input_tokens"], ours["usage"]["output_tokens"]) == (9, 3)


# --- what differs on purpose


def even_messages(call: dict[str, Any]) -> dict[str, Any]:
    even = json.loads(json.dumps(call))
    # The oracle turns thinking off unless it is asked for; we leave that to the vendor.
    if even.get("thinking") == {"type": "disabled"}:
        del even["thinking"]
    turns: list[dict[str, Any]] = []
    for message in even["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        # We merge all neighbours of one role, the oracle the results of tools alone.
        if turns and turns[-1]["role"] == message["role"]:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": message["role"], "content": blocks})
    even["messages"] = turns
    if isinstance(even.get("system"), list):
        even["system"] = "\n".join(block["text"] for block in even["system"])
    for tool in even.get("tools", ()):
        # The oracle says an empty description, and what a schema lacks.
        tool["description"] = tool.get("description", "")
        tool["input_schema"] = {"properties": {}, "required": [], **tool["input_schema"]}
    # What is said by default need not be.
    choice = even.get("tool_choice", {})
    if choice.get("disable_parallel_tool_use") is False:
        del choice["disable_parallel_tool_use"]
    return dict(even)


def even_chat(call: dict[str, Any]) -> dict[str, Any]:
    even = json.loads(json.dumps(call))
    for message in even["messages"]:
        # A text alone is a text: servers of open models take nothing else everywhere.
        match message["content"]:
            case [{"type": "text", "text": text}]:
                message["content"] = text
            case _:
                pass
        for one in message.get("tool_calls", ()):
            one["function"]["arguments"] = json.loads(one["function"]["arguments"])
    for tool in even.get("tools", ()):
        tool["function"].setdefault("description", "")
    return dict(even)


def even_completion(made: dict[str, Any]) -> dict[str, Any]:
    (choice,) = made["choices"]
    said = choice["message"]
    calls = [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in said.get("tool_calls") or ()
    ]
    thought = said.get("reasoning_content") or said.get("reasoning") or ""
    if isinstance(thought, dict):
        thought = thought["content"]
    usage = made["usage"]
    details = usage.get("prompt_tokens_details") or {}
    counted = usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]
    cached = details.get("cached_tokens") or 0
    about = made["id"], made["model"], choice["finish_reason"]
    return {
        "said": (said.get("content") or "", thought, calls),
        "counted": (*counted, cached),
        "about": about,
    }


def even_message(made: dict[str, Any]) -> dict[str, Any]:
    usage = made["usage"]
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens")
    return {
        "about": (made["id"], made["model"], made["role"], made["stop_reason"]),
        "content": made["content"],
        "counted": [usage.get(name) or 0 for name in names],
    }
