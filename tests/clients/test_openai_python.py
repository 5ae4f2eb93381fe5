"""openai-python beyond chat completions: responses, stored ones too, and embeddings."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from tests.routing.gateway.conftest import Agent
from tests.routing.gateway.scripted import ScriptedVendor, answer, stream
from tests.routing.gateway.shapes import EMBEDDINGS, RESPONSE, RESPONSE_STREAM

pytestmark = pytest.mark.clients


@pytest.fixture
def client(agent: Agent) -> Iterator[openai.OpenAI]:
    made = openai.OpenAI(base_url=f"http://127.0.0.1:{agent.port}/v1", api_key=agent.key)
    yield made
    made.close()


def test_a_response_and_what_is_asked_of_it_later(
    client: openai.OpenAI, agent: Agent, vendor: ScriptedVendor
) -> None:
    vendor.script = answer(RESPONSE)
    said = client.responses.create(model=agent.route, input="Hi")
    assert (said.output_text, said.usage and said.usage.total_tokens) == ("Hello.", 12)
    assert said._request_id
    assert client.responses.retrieve(said.id).output_text == "Hello."
    again = client.responses.create(model=agent.route, input="Hi", previous_response_id=said.id)
    assert again.id == said.id
    client.responses.delete(said.id)
    with pytest.raises(openai.NotFoundError) as missing:
        client.responses.retrieve("resp_of_another")
    assert missing.value.code == "response_not_found"


def test_a_streamed_response(client: openai.OpenAI, agent: Agent, vendor: ScriptedVendor) -> None:
    vendor.script = stream(RESPONSE_STREAM)
    with client.responses.stream(model=agent.route, input="Hi") as events:
        said = "".join(
            event.delta for event in events if event.type == "response.output_text.delta"
        )
        assert said == events.get_final_response().output_text == "Hello."


def test_a_response_that_is_cut_is_an_error_to_the_client(
    client: openai.OpenAI, agent: Agent, vendor: ScriptedVendor
) -> None:
    vendor.script = stream(RESPONSE_STREAM[:5], cut=True)
    with pytest.raises(openai.APIError) as raised:
        list(client.responses.create(model=agent.route, input="Hi", stream=True))
    assert raised.value.code == "upstream_cut"


def test_embeddings(client: openai.OpenAI, agent: Agent, vendor: ScriptedVendor) -> None:
    vendor.script = answer(EMBEDDINGS)
    made = client.embeddings.create(model=agent.route, input="Hi", encoding_format="float")
    assert made.data[0].embedding == [0.25, -0.5]
