"""anthropic-python: messages, streams, counting, the list of models, and its own exceptions."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import pytest

from tests.routing.gateway.conftest import Agent
from tests.routing.gateway.scripted import ScriptedVendor, answer, stream
from tests.routing.gateway.shapes import MESSAGE, MESSAGE_STREAM

pytestmark = pytest.mark.clients

SAY: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def client(claude: Agent) -> Iterator[anthropic.Anthropic]:
    made = anthropic.Anthropic(
        base_url=f"http://127.0.0.1:{claude.port}", api_key=claude.key, max_retries=0
    )
    yield made
    made.close()


def test_a_message(client: anthropic.Anthropic, claude: Agent, vendor: ScriptedVendor) -> None:
    vendor.script = answer(MESSAGE, 200, ("request-id", "req_v"))
    said = client.messages.create(model=claude.route, max_tokens=9, messages=SAY)
    assert (said.content[0].to_dict()["text"], said.usage.output_tokens) == ("Hello.", 3)
    assert said._request_id == "req_v"
    assert vendor.seen[0].header("anthropic-version")


def test_a_streamed_message(
    client: anthropic.Anthropic, claude: Agent, vendor: ScriptedVendor
) -> None:
    vendor.script = stream(MESSAGE_STREAM)
    with client.messages.stream(model=claude.route, max_tokens=9, messages=SAY) as events:
        assert "".join(events.text_stream) == "Hello."
        assert events.get_final_message().usage.output_tokens == 3


def test_a_message_that_is_cut_is_an_error_to_the_client(
    client: anthropic.Anthropic, claude: Agent, vendor: ScriptedVendor
) -> None:
    vendor.script = stream(MESSAGE_STREAM[:4], cut=True)
    with (
        client.messages.stream(model=claude.route, max_tokens=9, messages=SAY) as events,
        pytest.raises(anthropic.APIError) as raised,
    ):
        list(events)
    assert "before it was complete" in str(raised.value)


def test_counting_and_beta(
    client: anthropic.Anthropic, claude: Agent, vendor: ScriptedVendor
) -> None:
    vendor.script = answer({"input_tokens": 14})
    assert client.messages.count_tokens(model=claude.route, messages=SAY).input_tokens == 14
    vendor.script = answer(MESSAGE)
    client.beta.messages.create(
        model=claude.route,
        max_tokens=9,
        messages=[{"role": "user", "content": "Hi"}],
        betas=["some-beta"],
    )
    seen = vendor.seen[-1]
    assert seen.path.partition("?")[0] == "/v1/messages"
    assert seen.header("anthropic-beta") == "some-beta"


def test_models(client: anthropic.Anthropic, claude: Agent) -> None:
    assert [model.id for model in client.models.list(limit=1)] == [claude.route]
    assert client.models.retrieve(claude.route).display_name == claude.route


def test_refusals_are_the_clients_own_exceptions(
    client: anthropic.Anthropic, claude: Agent
) -> None:
    with pytest.raises(anthropic.NotFoundError) as missing:
        client.messages.create(model="claude-gone", max_tokens=9, messages=SAY)
    assert missing.value.request_id
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="sk-ant-wrong").models.list()


def test_a_message_on_a_route_whose_vendor_speaks_the_other_dialect(
    client: anthropic.Anthropic, agent: Agent
) -> None:
    said = client.with_options(api_key=agent.key).messages.create(
        model=agent.route, max_tokens=9, messages=SAY
    )
    assert (said.content[0].to_dict()["text"], said.usage.output_tokens) == ("Hello.", 3)
