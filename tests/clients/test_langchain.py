"""LangChain's chat model, over chat completions and over responses."""

from __future__ import annotations

import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import SecretStr

from tests.routing.gateway.conftest import Agent
from tests.routing.gateway.scripted import ScriptedVendor, answer, stream
from tests.routing.gateway.shapes import EMBEDDINGS, RESPONSE

pytestmark = pytest.mark.clients


def chat_model(agent: Agent, *, responses: bool = False) -> ChatOpenAI:
    return ChatOpenAI(
        model=agent.route,
        base_url=f"http://127.0.0.1:{agent.port}/v1",
        api_key=SecretStr(agent.key),
        use_responses_api=responses,
    )


def test_a_call_and_a_stream(agent: Agent, vendor: ScriptedVendor) -> None:
    model = chat_model(agent)
    assert model.invoke("Hi").text == "Hello."
    vendor.script = stream()
    assert "".join(piece.text for piece in model.stream("Hi")) == "Hello"


def test_responses(agent: Agent, vendor: ScriptedVendor) -> None:
    vendor.script = answer(RESPONSE)
    assert chat_model(agent, responses=True).invoke("Hi").text == "Hello."
    assert vendor.seen[0].path == "/v1/responses"


def test_embeddings(agent: Agent, vendor: ScriptedVendor) -> None:
    vendor.script = answer(EMBEDDINGS)
    embeddings = OpenAIEmbeddings(
        model=agent.route,
        base_url=f"http://127.0.0.1:{agent.port}/v1",
        api_key=SecretStr(agent.key),
        check_embedding_ctx_length=False,
    )
    assert embeddings.embed_query("Hi") == [0.25, -0.5]
