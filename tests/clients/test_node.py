"""openai-node and @anthropic-ai/sdk, as npm installs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.routing.gateway.conftest import Agent
from tests.routing.gateway.scripted import ScriptedVendor, Seen, answer, stream
from tests.routing.gateway.shapes import (
    EMBEDDINGS,
    MESSAGE,
    MESSAGE_STREAM,
    RESPONSE,
    RESPONSE_STREAM,
)

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("node")]

OPENAI = """
import OpenAI from "openai";
const client = new OpenAI({maxRetries: 0});
const model = process.env.ROUTE, say = [{role: "user", content: "Hi"}];
const said = {};
const chat = await client.chat.completions.create({model, messages: say});
said.chat = chat.choices[0].message.content;
said.requestId = Boolean(chat._request_id);
said.stream = "";
const chunks = await client.chat.completions.create({model, messages: say, stream: true});
for await (const chunk of chunks)
  said.stream += chunk.choices[0]?.delta?.content ?? "";
const response = await client.responses.create({model, input: "Hi"});
said.response = response.output_text;
said.kept = (await client.responses.retrieve(response.id)).output_text;
said.events = "";
for await (const event of await client.responses.create({model, input: "Hi", stream: true}))
  if (event.type === "response.output_text.delta") said.events += event.delta;
const made = await client.embeddings.create({model, input: "Hi", encoding_format: "float"});
said.embedding = made.data[0].embedding;
said.models = (await client.models.list()).data.map((one) => one.id);
try { await client.responses.retrieve("resp_of_another"); }
catch (error) { said.missing = [error.status, error.code]; }
console.log(JSON.stringify(said));
"""
ANTHROPIC = """
import Anthropic from "@anthropic-ai/sdk";
const client = new Anthropic({maxRetries: 0});
const model = process.env.ROUTE, messages = [{role: "user", content: "Hi"}], max_tokens = 9;
const said = {};
said.message = (await client.messages.create({model, max_tokens, messages})).content[0].text;
const events = client.messages.stream({model, max_tokens, messages});
said.stream = (await events.finalMessage()).content[0].text;
said.counted = (await client.messages.countTokens({model, messages})).input_tokens;
said.models = [];
for await (const one of client.models.list()) said.models.push(one.id);
try { await client.messages.create({model: "claude-gone", max_tokens, messages}); }
catch (error) { said.missing = [error.status, error.error.error.type]; }
console.log(JSON.stringify(said));
"""


def as_openai(seen: Seen, writer: Any) -> Any:
    streams = seen.method == "POST" and seen.json.get("stream")
    if seen.path.endswith("/embeddings"):
        return answer(EMBEDDINGS)(seen, writer)
    if "/responses" in seen.path:
        return (stream(RESPONSE_STREAM) if streams else answer(RESPONSE))(seen, writer)
    return (stream() if streams else answer())(seen, writer)


def as_anthropic(seen: Seen, writer: Any) -> Any:
    if seen.path.endswith("/count_tokens"):
        return answer({"input_tokens": 14})(seen, writer)
    return (stream(MESSAGE_STREAM) if seen.json.get("stream") else answer(MESSAGE))(seen, writer)


def test_openai_node(agent: Agent, vendor: ScriptedVendor, run_node: Callable[..., str]) -> None:
    vendor.script = as_openai
    printed = run_node(
        OPENAI,
        OPENAI_BASE_URL=f"http://127.0.0.1:{agent.port}/v1",
        OPENAI_API_KEY=agent.key,
        ROUTE=agent.route,
    )
    assert json.loads(printed) == {
        "chat": "Hello.",
        "requestId": True,
        "stream": "Hello",
        "response": "Hello.",
        "kept": "Hello.",
        "events": "Hello.",
        "embedding": [0.25, -0.5],
        "models": [agent.route],
        "missing": [404, "response_not_found"],
    }


def test_anthropic_sdk_for_node(
    claude: Agent, vendor: ScriptedVendor, run_node: Callable[..., str]
) -> None:
    vendor.script = as_anthropic
    printed = run_node(
        ANTHROPIC,
        ANTHROPIC_BASE_URL=f"http://127.0.0.1:{claude.port}",
        ANTHROPIC_API_KEY=claude.key,
        ROUTE=claude.route,
    )
    assert json.loads(printed) == {
        "message": "Hello.",
        "stream": "Hello.",
        "counted": 14,
        "models": [claude.route],
        "missing": [404, "not_found_error"],
    }
