"""Calls and answers of both dialects, as clients and vendors really make them. No imports."""

from __future__ import annotations

from typing import Any

USER = {"role": "user", "content": "What is the weather in Brno?"}
SYSTEM = {"role": "system", "content": "Be brief."}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "A town"}},
    "required": ["city"],
}
FUNCTION = {
    "type": "function",
    "function": {"name": "weather", "description": "Look outside", "parameters": SCHEMA},
}
OTHER = {"type": "function", "function": {"name": "time", "parameters": {"type": "object"}}}
TOOL = {"name": "weather", "description": "Look outside", "input_schema": SCHEMA}
OTHER_TOOL = {"name": "time", "input_schema": {"type": "object", "properties": {}}}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
PDF = "JVBERi0xLjQK"


def call(number: int, name: str = "weather", arguments: str = '{"city":"Brno"}') -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": f"call_{number}", "type": "function", "function": function}


def use(number: int, name: str = "weather", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}


def result(number: int, content: Any = "Fog") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": content}


def picture(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


ANSWERED = {"role": "tool", "tool_call_id": "call_1", "content": "Fog"}
CALLED = {"role": "assistant", "content": None, "tool_calls": [call(1)]}

CHAT_CALLS: dict[str, dict[str, Any]] = {
    "plain": {"messages": [USER]},
    "with instructions": {"messages": [SYSTEM, USER]},
    "with two instructions": {"messages": [SYSTEM, {**SYSTEM, "content": "In Czech."}, USER]},
    "a conversation": {"messages": [USER, {"role": "assistant", "content": "Fog."}, USER]},
    "unicode": {"messages": [{"role": "user", "content": "Příliš žluťoučký 🐎 \u2028"}]},
    "limit": {"messages": [USER], "max_tokens": 17},
    "temperature": {"messages": [USER], "temperature": 0.2},
    "temperature of nothing": {"messages": [USER], "temperature": 0},
    "nucleus": {"messages": [USER], "top_p": 0.5},
    "one stop": {"messages": [USER], "stop": "END"},
    "many stops": {"messages": [USER], "stop": ["END", "STOP"]},
    "streamed": {"messages": [USER], "stream": True},
    "streamed with usage": {
        "messages": [USER], "stream": True, "stream_options": {"include_usage": True},
    },
    "a tool": {"messages": [USER], "tools": [FUNCTION]},
    "two tools": {"messages": [USER], "tools": [FUNCTION, OTHER]},
    "tools, auto": {"messages": [USER], "tools": [FUNCTION], "tool_choice": "auto"},
    "tools, none": {"messages": [USER], "tools": [FUNCTION], "tool_choice": "none"},
    "tools, required": {"messages": [USER], "tools": [FUNCTION], "tool_choice": "required"},
    "tools, one at a time": {
        "messages": [USER], "tools": [FUNCTION], "parallel_tool_calls": False,
    },
    "tools, required, one at a time": {
        "messages": [USER], "tools": [FUNCTION], "tool_choice": "required",
        "parallel_tool_calls": False,
    },
    "tools, by name": {
        "messages": [USER], "tools": [FUNCTION, OTHER],
        "tool_choice": {"type": "function", "function": {"name": "time"}},
    },
    "tool result": {"messages": [USER, CALLED, ANSWERED], "tools": [FUNCTION]},
    "words with a call": {
        "messages": [USER, {**CALLED, "content": "Let me look."}, ANSWERED], "tools": [FUNCTION],
    },
    "parallel results": {
        "messages": [
            USER, {**CALLED, "tool_calls": [call(1), call(2, "time", "{}")]}, ANSWERED,
            {**ANSWERED, "tool_call_id": "call_2", "content": "Noon"},
        ],
        "tools": [FUNCTION, OTHER],
    },
    "results, then words": {"messages": [USER, CALLED, ANSWERED, USER], "tools": [FUNCTION]},
    "two rounds of tools": {
        "messages": [
            USER, CALLED, ANSWERED, {**CALLED, "tool_calls": [call(2)]},
            {**ANSWERED, "tool_call_id": "call_2"},
        ],
        "tools": [FUNCTION],
    },
    "an empty result": {"messages": [USER, CALLED, {**ANSWERED, "content": ""}]},
    "nested arguments": {
        "messages": [
            USER, {**CALLED, "tool_calls": [call(1, "x", '{"a": [1, {"b": null}], "c": 1.5}')]},
            ANSWERED,
        ],
    },
    "parts": {"messages": [{"role": "user", "content": [text("One."), text("Two.")]}]},
    "picture by address": {
        "messages": [{"role": "user", "content": [text("See"), picture("https://x.test/a.png")]}],
    },
    "picture inside": {
        "messages": [
            {"role": "user", "content": [picture(f"data:image/png;base64,{PIXEL}"), text("?")]}
        ],
    },
    "document": {
        "messages": [
            {
                "role": "user",
                "content": [
                    text("Sum up"),
                    {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}"}},
                ],
            }
        ],
    },
    "no effort": {"messages": [USER], "reasoning_effort": "none"},
    "low effort": {"messages": [USER], "reasoning_effort": "low"},
    "high effort": {"messages": [USER], "reasoning_effort": "high", "max_tokens": 20000},
    "a schema": {
        "messages": [USER],
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "weather", "strict": True,
                "schema": {**SCHEMA, "additionalProperties": False},
            },
        },
    },
}  # fmt: skip

MESSAGES_CALLS: dict[str, dict[str, Any]] = {
    "plain": {"messages": [USER]},
    "with instructions": {"messages": [USER], "system": "Be brief."},
    "with instructions in a block": {"messages": [USER], "system": [text("Be brief.")]},
    "a conversation": {"messages": [USER, {"role": "assistant", "content": "Fog."}, USER]},
    "blocks": {"messages": [{"role": "user", "content": [text("One."), text("Two.")]}]},
    "unicode": {"messages": [{"role": "user", "content": "Příliš žluťoučký 🐎"}]},
    "temperature": {"messages": [USER], "temperature": 0.2},
    "nucleus": {"messages": [USER], "top_p": 0.5},
    "stops": {"messages": [USER], "stop_sequences": ["END", "STOP"]},
    "streamed": {"messages": [USER], "stream": True},
    "a tool": {"messages": [USER], "tools": [TOOL]},
    "two tools": {"messages": [USER], "tools": [TOOL, OTHER_TOOL]},
    "tools, auto": {"messages": [USER], "tools": [TOOL], "tool_choice": {"type": "auto"}},
    "tools, any": {"messages": [USER], "tools": [TOOL], "tool_choice": {"type": "any"}},
    "tools, none": {"messages": [USER], "tools": [TOOL], "tool_choice": {"type": "none"}},
    "tools, by name": {
        "messages": [USER], "tools": [TOOL], "tool_choice": {"type": "tool", "name": "weather"},
    },
    "tools, one at a time": {
        "messages": [USER], "tools": [TOOL],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    },
    "tool result": {
        "messages": [
            USER, {"role": "assistant", "content": [use(1, city="Brno")]},
            {"role": "user", "content": [result(1)]},
        ],
        "tools": [TOOL],
    },
    "words with a use": {
        "messages": [
            USER, {"role": "assistant", "content": [text("Let me look."), use(1, city="Brno")]},
            {"role": "user", "content": [result(1)]},
        ],
    },
    "parallel results": {
        "messages": [
            USER, {"role": "assistant", "content": [use(1, city="Brno"), use(2, "time")]},
            {"role": "user", "content": [result(1), result(2, "Noon")]},
        ],
    },
    "results, then words": {
        "messages": [
            USER, {"role": "assistant", "content": [use(1, city="Brno")]},
            {"role": "user", "content": [result(1), text("And tomorrow?")]},
        ],
    },
    "a result of blocks": {
        "messages": [
            USER, {"role": "assistant", "content": [use(1, city="Brno")]},
            {"role": "user", "content": [result(1, [text("Fog")])]},
        ],
    },
    "picture by address": {
        "messages": [
            {"role": "user", "content": [
                {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
                text("?")]}
        ],
    },
    "picture inside": {
        "messages": [
            {"role": "user", "content": [
                {"type": "image",
                 "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                text("?")]}
        ],
    },
    "no thinking": {"messages": [USER], "thinking": {"type": "disabled"}},
    "a small budget": {
        "messages": [USER], "thinking": {"type": "enabled", "budget_tokens": 2048},
        "max_tokens": 9000,
    },
}  # fmt: skip


def message(*content: Any, reason: str = "end_turn", **usage: Any) -> dict[str, Any]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5",
        "content": [*content], "stop_reason": reason, "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 3} | usage,
    }  # fmt: skip


MESSAGES: dict[str, dict[str, Any]] = {
    "text": message(text("Fog.")),
    "two texts": message(text("Fog. "), text("Thick.")),
    "cut off": message(text("Fo"), reason="max_tokens"),
    "stop sequence": message(text("Fog"), reason="stop_sequence"),
    "full window": message(text("Fo"), reason="model_context_window_exceeded"),
    "a use": message(use(1, city="Brno"), reason="tool_use"),
    "words and two uses": message(
        text("Let me look."), use(1, city="Brno"), use(2, "time"), reason="tool_use"
    ),
    "thoughts": message({"type": "thinking", "thinking": "Hm", "signature": "s"}, text("Fog.")),
    "cached": message(text("Fog."), cache_read_input_tokens=40, cache_creation_input_tokens=7),
}


def completion(reason: str = "stop", **said: Any) -> dict[str, Any]:
    told = {"role": "assistant", "content": None} | said
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-6-luna",
        "choices": [{"index": 0, "message": told, "finish_reason": reason, "logprobs": None}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    }  # fmt: skip


COMPLETIONS: dict[str, dict[str, Any]] = {
    "text": completion(content="Fog."),
    "cut off": completion("length", content="Fo"),
    "a call": completion("tool_calls", tool_calls=[call(1)]),
    "words and two calls": completion(
        "tool_calls", content="Let me look.", tool_calls=[call(1), call(2, "time", "{}")]
    ),
    "a refusal": completion(refusal="I will not."),
    "filtered": completion("content_filter", content="Fo"),
    "cached": completion(content="Fog.")
    | {
        "usage": {
            "prompt_tokens": 50, "completion_tokens": 3, "total_tokens": 53,
            "prompt_tokens_details": {"cached_tokens": 40},
        }
    },
}  # fmt: skip


def events(*blocks: list[dict[str, Any]], reason: str = "end_turn") -> list[dict[str, Any]]:
    """Return a stream of events: each block is its start and then its deltas."""
    begun = message(reason="end_turn") | {"stop_reason": None}
    made: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    for index, (start, *deltas) in enumerate(blocks):
        made.append({"type": "content_block_start", "index": index, "content_block": start})
        made += [
            {"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas
        ]
        made.append({"type": "content_block_stop", "index": index})
    ended = {"stop_reason": reason, "stop_sequence": None}
    made.append({"type": "message_delta", "delta": ended, "usage": {"output_tokens": 12}})
    return [*made, {"type": "message_stop"}]


def texts(*pieces: str) -> list[dict[str, Any]]:
    return [text(""), *({"type": "text_delta", "text": piece} for piece in pieces)]


def inputs(start: dict[str, Any], *pieces: str) -> list[dict[str, Any]]:
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return [{**start, "input": {}}, *deltas]


EVENT_STREAMS: dict[str, list[dict[str, Any]]] = {
    "text": events(texts("Fo", "g.")),
    "two texts": events(texts("Fo", "g."), texts(" Thick.")),
    "cut off": events(texts("Fo"), reason="max_tokens"),
    "a use": events(inputs(use(1), '{"ci', 'ty":"Brno"}'), reason="tool_use"),
    "words and two uses": events(
        texts("Let me look."), inputs(use(1), '{"city":"Brno"}'), inputs(use(2, "time"), "{}"),
        reason="tool_use",
    ),
}  # fmt: skip


def chunks(*deltas: dict[str, Any], reason: str = "stop") -> list[dict[str, Any]]:
    """Return a stream of chunks, with the usage behind the reason as OpenAI sends it."""
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-6-luna"}
    made = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    made.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    return [*made, {**head, "choices": [], "usage": usage}]


def piece(index: int, arguments: str, **begun: Any) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": begun.pop("name")} if begun else {})
    return {"tool_calls": [{"index": index, "function": function, **begun}]}


CHUNK_STREAMS: dict[str, list[dict[str, Any]]] = {
    "text": chunks({"role": "assistant", "content": ""}, {"content": "Fo"}, {"content": "g."}),
    "cut off": chunks({"content": "Fo"}, reason="length"),
    "a call": chunks(
        piece(0, "", id="call_1", type="function", name="weather"), piece(0, '{"ci'),
        piece(0, 'ty":"Brno"}'), reason="tool_calls",
    ),
    "words and two calls": chunks(
        {"content": "Let me look."}, piece(0, "", id="call_1", type="function", name="weather"),
        piece(0, '{"city":"Brno"}'), piece(1, "", id="call_2", type="function", name="time"),
        piece(1, "{}"), reason="tool_calls",
    ),
    "calls in turn": chunks(
        piece(0, "", id="call_1", type="function", name="weather"),
        piece(1, "", id="call_2", type="function", name="time"), piece(0, '{"city":'),
        piece(1, "{"), piece(0, '"Brno"}'), piece(1, "}"), reason="tool_calls",
    ),
    "a refusal": chunks({"refusal": "I will"}, {"refusal": " not."}),
}  # fmt: skip
