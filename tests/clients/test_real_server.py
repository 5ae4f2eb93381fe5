"""Clients of one dialect at a real server that is asked in the other: llama.cpp's.

The model is a tiny one with random weights: what it says is noise, how it says it is real.
"""

from __future__ import annotations

from collections.abc import Callable

import anthropic
import openai
import pytest

from tests.routing.gateway.conftest import Agent

pytestmark = [pytest.mark.clients, pytest.mark.slow]


def served_by(agent: Agent, address: str) -> Agent:
    agent.world.change(
        "UPDATE routing_vendor SET base_url = %s WHERE public_id = %s", address, agent.vendor_id
    )
    agent.catch_up()
    return agent


def test_openai_python_at_its_messages(make_agent: Callable[..., Agent], llama: str) -> None:
    agent = served_by(make_agent(dialect="anthropic"), llama)
    client = openai.OpenAI(
        base_url=f"http://127.0.0.1:{agent.port}/v1", api_key=agent.key, max_retries=0
    )
    # Noise, but the same noise each time: some of it makes that server leave an event out.
    words = [{"role": "user", "content": "Say."}]
    asked = {"model": agent.route, "messages": words, "temperature": 0}
    said = client.chat.completions.create(**asked, max_tokens=8)  # type: ignore[call-overload]
    assert said.choices[0].finish_reason in ("length", "stop")
    assert said.usage.completion_tokens > 0
    options = {"stream": True, "stream_options": {"include_usage": True}, "max_tokens": 8}
    chunks = [*client.chat.completions.create(**asked, **options)]  # type: ignore[call-overload]
    assert chunks[-1].usage.completion_tokens > 0
    assert any(chunk.choices and chunk.choices[0].finish_reason for chunk in chunks)
    client.close()
    assert [call["status"] for call in agent.calls()] == ["ok", "ok"]
    assert not any(call["usage_estimated"] for call in agent.calls())


def test_anthropic_python_at_its_chat(make_agent: Callable[..., Agent], llama: str) -> None:
    agent = served_by(make_agent(), llama)
    client = anthropic.Anthropic(
        base_url=f"http://127.0.0.1:{agent.port}", api_key=agent.key, max_retries=0
    )
    said = client.messages.create(
        model=agent.route, max_tokens=8, messages=[{"role": "user", "content": "Say."}]
    )
    assert said.stop_reason in ("max_tokens", "end_turn")
    assert said.usage.output_tokens > 0
    with client.messages.stream(
        model=agent.route, max_tokens=8, messages=[{"role": "user", "content": "Say."}]
    ) as events:
        assert events.get_final_message().usage.output_tokens > 0
    client.close()
    assert [call["status"] for call in agent.calls()] == ["ok", "ok"]
    assert not any(call["usage_estimated"] for call in agent.calls())
