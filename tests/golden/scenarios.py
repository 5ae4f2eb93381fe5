"""The kinds of runs that are recorded and replayed: real shapes of vendors, both ways, and faults.

Owns the list. Each scenario says what the route is like, what the vendor does, and what the
agent sends; the text differs from run to run, so that no two runs are the same bytes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.routing.gateway.scripted import (
    COMPLETION,
    DONE,
    SECRET,
    STREAM,
    Script,
    Seen,
    answer,
    chunk_event,
    stream,
)
from tests.routing.gateway.shapes import (
    EMBEDDINGS,
    MESSAGE,
    MESSAGE_STREAM,
    RESPONSE,
    RESPONSE_STREAM,
)
from tests.routing.gateway.tools.said import answering, offering, streaming

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = {"chat": CHAT, "messages": MESSAGES, "responses": RESPONSES}
REFUSED = b'{"error": {"message":"as the vendor says it","code":"rate_limited"} }'


async def hang_up(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@dataclass(frozen=True)
class Scenario:
    """One kind of run."""

    name: str
    script: Script
    body: dict[str, Any]
    path: str = CHAT
    dialect: str = "openai"
    options: dict[str, Any] = field(default_factory=dict)
    tools: Sequence[str] = ()
    constraints: dict[str, Any] = field(default_factory=dict)
    data_classes: Sequence[str] = ("internal",)
    falls_back: bool = False  # to a second vendor, which answers plainly
    spent: bool = False  # a budget with room for nothing
    verdict: str = "identical"

    @property
    def is_golden(self) -> bool:
        """Tell whether a release keeps a run of it: whole, and not a matter of size."""
        return self.verdict == "identical" and not self.name.endswith("big-event")

    def said(self, number: int) -> dict[str, Any]:
        """Return the call of one run."""
        text = json.dumps(self.body).replace("{n}", str(number))
        found: dict[str, Any] = json.loads(text)
        return found


def _say(**more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Say {n}, größer ✓"}]} | more


def _mixed(pieces: Sequence[bytes], size: int = 37) -> list[bytes]:
    """Split a stream where no event ends."""
    whole = b"".join(pieces)
    return [whole[i : i + size] for i in range(0, len(whole), size)]


_ASK = {"max_tokens": 9}
_BIG = chunk_event("x" * 300_000)

SCENARIOS = (
    Scenario("chat", answer(), _say()),
    Scenario("chat-odd-spelling", answer(raw=b'{"choices": [ ],"model":"m", "x":1.50}'), _say()),
    Scenario("chat-stream", stream(STREAM), _say(stream=True)),
    Scenario(
        "chat-stream-usage",
        stream(_mixed(STREAM)),
        _say(stream=True, stream_options={"include_usage": True}),
    ),
    Scenario("chat-stream-big-event", stream([STREAM[0], _BIG, DONE]), _say(stream=True)),
    Scenario("chat-stream-unasked", stream([*STREAM, b"data: late\n\n"]), _say(stream=True)),
    Scenario("chat-stream-cut", stream(STREAM[:1], cut=True), _say(stream=True)),
    Scenario("chat-stream-cut-in-event", stream([b"".join(STREAM)[:150]]), _say(stream=True)),
    Scenario("chat-stream-as-json", answer(), _say(stream=True)),
    Scenario("chat-no-usage", answer({"choices": [], "model": "m"}), _say()),
    Scenario("chat-429", answer(None, 429, raw=REFUSED), _say()),
    Scenario("chat-garbage", answer(raw=b"<html>"), _say()),
    Scenario("chat-redirect", answer(None, 302, ("location", "/x")), _say()),
    Scenario("chat-hung-up", hang_up, _say()),
    Scenario("chat-repeats-its-key", answer(None, 401, raw=b'{"error":{"code":"bad","message":"'
             + SECRET.encode() + b'"}}'), _say()),
    Scenario("responses", answer(RESPONSE), {"input": "Say {n}"}, RESPONSES),
    Scenario(
        "responses-stream", stream(RESPONSE_STREAM), {"input": "{n}", "stream": True}, RESPONSES
    ),
    Scenario("messages", answer(MESSAGE), _say(**_ASK), MESSAGES, "anthropic"),
    Scenario(
        "messages-stream",
        stream(MESSAGE_STREAM),
        _say(stream=True, **_ASK),
        MESSAGES,
        "anthropic",
    ),
    Scenario("embeddings", answer(EMBEDDINGS), {"input": ["{n}"]}, "/v1/embeddings"),
    Scenario(
        "count-tokens",
        answer({"input_tokens": 7}),
        _say(),
        "/v1/messages/count_tokens",
        "anthropic",
    ),
    Scenario("chat-by-messages", answer(MESSAGE), _say(), CHAT, "anthropic"),
    Scenario(
        "chat-by-messages-stream", stream(MESSAGE_STREAM), _say(stream=True), CHAT, "anthropic"
    ),
    Scenario("messages-by-chat", answer(), _say(**_ASK), MESSAGES),
    Scenario("messages-by-chat-stream", stream(STREAM), _say(stream=True, **_ASK), MESSAGES),
    Scenario("responses-by-messages", answer(MESSAGE), {"input": "{n}"}, RESPONSES, "anthropic"),
    Scenario(
        "responses-by-messages-stream",
        stream(MESSAGE_STREAM),
        {"input": "{n}", "stream": True},
        RESPONSES,
        "anthropic",
    ),
    Scenario("translated-error", answer(None, 500, raw=REFUSED), _say(), CHAT, "anthropic"),
    *(
        Scenario(f"{wire}-tools{'-stream' if streamed else ''}",
                 stream(streaming(wire, "a", text="So.")) if streamed
                 else answer(answering(wire, "a")),
                 offering(wire, "a", "b") | {"stream": streamed}, PATHS[wire],
                 "anthropic" if wire == "messages" else "openai", tools=("a", "b"))
        for wire in PATHS for streamed in (False, True)
    ),
    Scenario("tools-stripped", answer(answering("chat", "a")), offering("chat", "a", "evil"),
             options={"tools": "strip"}, tools=("a",)),
    Scenario("tools-call-stripped", stream(streaming("chat", "evil", text="So.")),
             offering("chat", "a", "evil") | {"stream": True},
             options={"tools": "strip"}, tools=("a",)),
    Scenario("tools-call-blocked", stream(streaming("chat", "evil", text="So.")),
             offering("chat", "a") | {"stream": True}, tools=("a",)),
    Scenario("tools-refused", answer(), offering("chat", "evil"), tools=("a",)),
    Scenario("data-counted", answer(), _say(user="jo{n}@example.com"),
             options={"detectors": {"request": {"email": "allow"},
                                    "response": {"email": "allow"}}}),
    Scenario("data-looked-for", stream(STREAM), _say(stream=True),
             options={"detectors": {"request": {"email": "redact"},
                                    "response": {"email": "redact"}}}),
    Scenario("fallback", answer(None, 503, raw=REFUSED), _say(), falls_back=True),
    Scenario("fallback-first-event",
             stream([b'data: {"error": {"code": "busy"}}\n\n', DONE]), _say(stream=True),
             falls_back=True),
    Scenario("denied", answer(), _say(), data_classes=("regulated",)),
    Scenario("over-budget", answer(), _say(), spent=True),
    Scenario("data-redacted-before", answer(), _say(user="jo{n}@example.com"),
             options={"detectors": {"request": {"email": "redact"}}}, verdict="incomplete"),
    Scenario("data-redacted-after",
             answer(COMPLETION | {"note": "jo@example.com"}), _say(),
             options={"detectors": {"response": {"email": "redact"}}}, verdict="incomplete"),
    Scenario("data-blocked", answer(), _say(user="jo{n}@example.com"),
             options={"detectors": {"request": {"email": "block"}}}, verdict="incomplete"),
    Scenario("credential", answer(), _say(user="sk-proj-" + "aB3dE6gH9kL2nP5rT8vX" * 3),
             verdict="incomplete"),
)  # fmt: skip
