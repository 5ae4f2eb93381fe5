"""Vendors' own clients before a real llama.cpp server: real wire, noise for text."""

from __future__ import annotations

from collections.abc import Callable

import anthropic
import openai
import pytest

from bench.gateway.rig import World
from tests.routing.gateway.conftest import Client, ServedGateway, eventually

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.xdist_group("clients-b")]


@pytest.fixture
def key_for(served: ServedGateway, world: World, llama: str) -> Callable[[str], str]:
    def make(dialect: str) -> str:
        scheme = "x-api-key" if dialect == "anthropic" else "bearer"
        pk, vendor_id = world.add_vendor(llama, dialect=dialect, auth_scheme=scheme)
        route = f"tiny-{vendor_id.lower().replace('_', '-')}"
        world.add_route(route, world.add_model(pk, "tiny-random"))
        key = world.add_agent(routes=[route]).key
        eventually(lambda: Client(served.port, key).ask("GET", "/v1/models").status == 200)
        return key

    return make


def test_openai(served: ServedGateway, key_for: Callable[[str], str]) -> None:
    address = f"http://127.0.0.1:{served.port}/v1"
    with openai.OpenAI(base_url=address, api_key=key_for("openai")) as client:
        (route,) = [model.id for model in client.models.list()]
        said = client.chat.completions.create(
            model=route, messages=[{"role": "user", "content": "Write."}], max_tokens=8
        )
        assert said.usage is not None
        assert said.usage.completion_tokens > 0
        chunks = client.chat.completions.create(
            model=route,
            messages=[{"role": "user", "content": "Write."}],
            max_tokens=8,
            stream=True,
        )
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1]
        response = client.responses.create(model=route, input="Write.", max_output_tokens=8)
        assert response.usage is not None
        assert response.usage.output_tokens > 0


def test_anthropic(served: ServedGateway, key_for: Callable[[str], str]) -> None:
    address = f"http://127.0.0.1:{served.port}"
    say: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Write."}]
    with anthropic.Anthropic(base_url=address, api_key=key_for("anthropic")) as client:
        (route,) = [model.id for model in client.models.list()]
        said = client.messages.create(
            model=route, max_tokens=8, messages=say, extra_body={"temperature": 0}
        )
        assert said.usage.output_tokens > 0
        with client.messages.stream(
            model=route, max_tokens=8, messages=say, extra_body={"temperature": 0}
        ) as events:
            assert events.get_final_message().stop_reason
        assert client.messages.count_tokens(model=route, messages=say).input_tokens > 0
