"""Unchanged clients of both dialects on routes that redact and block."""

from __future__ import annotations

import json

import anthropic
import openai
import pytest

from tests.routing.gateway.scripted import DONE, chunk_event, stream
from tests.routing.gateway.shapes import MESSAGE, message_event

CARD = "4111 1111 1111 1111"
REDACT = {"detectors": {"request": {"card": "redact"}, "response": {"card": "redact"}}}
BLOCK = {"detectors": {"request": {"card": "block"}}}
SAY = [{"role": "user", "content": f"My card is {CARD}."}]


def openai_of(agent):
    address = f"http://127.0.0.1:{agent.port}/v1"
    return openai.OpenAI(base_url=address, api_key=agent.key, max_retries=0)


def anthropic_of(agent):
    address = f"http://127.0.0.1:{agent.port}"
    return anthropic.Anthropic(base_url=address, api_key=agent.key, max_retries=0)


def test_openais_client_streams_an_answer_without_the_card(make_agent, vendor):
    agent = make_agent(options=REDACT)
    vendor.script = stream([*map(chunk_event, ["It is 4111 ", "1111 1111", " 1111", "."]), DONE])
    with (
        openai_of(agent) as client,
        client.chat.completions.create(model=agent.route, messages=SAY, stream=True) as chunks,
    ):
        said = "".join(chunk.choices[0].delta.content for chunk in chunks)
    assert said == "It is [redacted: card]."
    assert vendor.seen[0].json["messages"][0]["content"] == "My card is [redacted: card]."


def test_anthropics_client_streams_text_and_a_tool_without_the_card(make_agent, vendor):
    agent = make_agent(dialect="anthropic", options=REDACT)

    def block(index, start, *deltas):
        yield message_event("content_block_start", index=index, content_block=start)
        for delta in deltas:
            yield message_event("content_block_delta", index=index, delta=delta)
        yield message_event("content_block_stop", index=index)

    vendor.script = stream([
        message_event("message_start", message=MESSAGE | {"content": []}),
        *block(0, {"type": "text", "text": ""},
               *({"type": "text_delta", "text": one} for one in ("It is 4111 1111 ", "1111 1111"))),
        *block(1, {"type": "tool_use", "id": "t1", "name": "pay", "input": {}},
               *({"type": "input_json_delta", "partial_json": one}
                 for one in ('{"card": 41111111', '11111111, "n": 1}'))),
        message_event("message_delta", delta={"stop_reason": "tool_use", "stop_sequence": None},
                      usage={"output_tokens": 3}),
        message_event("message_stop"),
    ])  # fmt: skip
    with (
        anthropic_of(agent) as client,
        client.messages.stream(model=agent.route, max_tokens=9, messages=SAY) as events,
    ):
        message = events.get_final_message()
    assert message.content[0].text == "It is [redacted: card]"
    assert message.content[1].input == {"card": "[redacted: card]", "n": 1}
    assert CARD not in json.dumps(vendor.seen[0].json)


def test_a_blocked_call_is_each_clients_own_exception(make_agent, vendor):
    agent = make_agent(options=BLOCK)
    with openai_of(agent) as client, pytest.raises(openai.PermissionDeniedError) as refused:
        client.chat.completions.create(model=agent.route, messages=SAY)
    assert refused.value.code == "data_blocked"
    other = make_agent(dialect="anthropic", options=BLOCK)
    with anthropic_of(other) as client, pytest.raises(anthropic.PermissionDeniedError):
        client.messages.create(model=other.route, max_tokens=9, messages=SAY)
    assert vendor.seen == []
