"""The unchanged openai client: base URL and key are all it is told."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from tests.routing.gateway.conftest import Agent, eventually
from tests.routing.gateway.scripted import STREAM, answer, stream

SAY = [{"role": "user", "content": "Say hello."}]


@pytest.fixture
def client(agent: Agent) -> Iterator[openai.OpenAI]:
    address = f"http://127.0.0.1:{agent.port}/v1"
    made = openai.OpenAI(base_url=address, api_key=agent.key, max_retries=0)
    yield made
    made.close()


def test_a_completion_with_its_request_id_and_our_headers(client, agent):
    raw = client.chat.completions.with_raw_response.create(model=agent.route, messages=SAY)
    said = raw.parse()
    assert said.choices[0].message.content == "Hello."
    assert said.usage.total_tokens == 12
    assert said._request_id
    assert raw.headers["x-unsprawl-run"].startswith("run_")


def test_a_stream(client, agent, vendor):
    vendor.script = stream()
    with client.chat.completions.create(model=agent.route, messages=SAY, stream=True) as chunks:
        assert "".join(chunk.choices[0].delta.content for chunk in chunks) == "Hello"


def test_a_cut_stream_is_an_error_to_the_client(client, agent, vendor):
    vendor.script = stream([STREAM[0]], cut=True)
    with (
        client.chat.completions.create(model=agent.route, messages=SAY, stream=True) as chunks,
        pytest.raises(openai.APIError) as raised,
    ):
        list(chunks)
    assert raised.value.code == "upstream_cut"


def test_models(client, agent):
    assert [model.id for model in client.models.list()] == [agent.route]
    assert client.models.retrieve(agent.route).id == agent.route


def test_refusals_are_the_clients_own_exceptions(client, agent, vendor):
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-4o", messages=SAY)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-wrong").models.list()
    vendor.script = answer({"error": {"message": "slow down", "code": "rate_limited"}}, 429)
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model=agent.route, messages=SAY)


def test_a_suspended_agent_is_denied_without_a_second_try(client, agent, world):
    world.change("UPDATE registry_agent SET suspended_at = now() WHERE id = %s", agent.row.pk)
    eventually(lambda: agent.chat().status == 403)
    with pytest.raises(openai.PermissionDeniedError) as denied:
        client.with_options(max_retries=2).chat.completions.create(model=agent.route, messages=SAY)
    assert denied.value.code == "agent_suspended"
