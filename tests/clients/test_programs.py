"""Other people's clients, unchanged: they are told a base URL and a key, and everything works.

Each runs one of ``programs`` in an environment of its own, against a gateway in a process
of its own, before a vendor that somebody else wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.mock import HELLO, WEATHER

pytestmark = [pytest.mark.clients, pytest.mark.slow]
python2 = pytest.mark.xdist_group("clients-a")
python3 = pytest.mark.xdist_group("clients-b")
node = pytest.mark.xdist_group("clients-a")

Run = Callable[..., Any]
CLAUDE = "claude-sonnet-4-5"
ROUTES = [CLAUDE, "gpt-5-mini"]
LOOP = {"plain": HELLO, "stream": HELLO, "tools": WEATHER}


@pytest.mark.parametrize(
    "release", [pytest.param("2", marks=python2), pytest.param("3", marks=python3)]
)
def test_openai_python(run_program: Run, release: str) -> None:
    said = run_program("openai_python.py", f"openai{release}", NAME=f"openai{release}")
    assert said == LOOP | {
        "release": release,
        "stream_usage": True,
        "tool_arguments": {"city": "Paris"},
        "responses": HELLO,
        "responses_stream": HELLO,
        "models": ROUTES,
        "busy": HELLO,
        "errors": [
            ["AuthenticationError", 401, "key_malformed"],
            ["APIStatusError", 402, "because_402"],
            ["PermissionDeniedError", 403, "because_403"],
            ["PermissionDeniedError", 403, "route_not_declared"],
            ["NotFoundError", 404, "model_not_found"],
        ],
    }


@python3
def test_anthropic_python(run_program: Run) -> None:
    assert run_program("anthropic_python.py", "openai3") == LOOP | {
        "tool_arguments": {"city": "Paris"},
        "models": [CLAUDE],
        "busy": HELLO,
        "errors": [
            ["AuthenticationError", 401, "authentication_error"],
            ["PaymentRequiredError", 402, "billing_error"],
            ["PermissionDeniedError", 403, "permission_error"],
            ["PermissionDeniedError", 403, "permission_error"],
            ["NotFoundError", 404, "not_found_error"],
        ],
    }


@python3
def test_langchain_and_langgraph(run_program: Run) -> None:
    said = run_program("langchain_agents.py", "openai3")
    whole = LOOP | {"tools": [WEATHER, "21 degrees in Paris"]}
    assert (said["chat"], said["responses"], said["messages"]) == (whole, whole, whole)
    assert said["busy"] == HELLO
    assert [status for _, status in said["errors"]] == [401, 402, 403, 404, 401, 403, 404]


@python3
def test_pydantic_ai(run_program: Run) -> None:
    assert run_program("pydantic_agents.py", "openai3") == {
        "chat": LOOP,
        "responses": LOOP,
        "busy": HELLO,
        "errors": [402, 403, 403, 404],
    }


@python3
def test_openai_agents_sdk(run_program: Run) -> None:
    assert run_program("openai_agents.py", "openai3") == {
        "responses": LOOP,
        "chat": LOOP,
        "busy": HELLO,
        "errors": [
            ["APIStatusError", 402],
            ["PermissionDeniedError", 403],
            ["PermissionDeniedError", 403],
            ["NotFoundError", 404],
        ],
    }


@python2
def test_llama_index(run_program: Run) -> None:
    assert run_program("llama_index_agents.py", "openai2") == LOOP | {
        "busy": HELLO,
        "errors": [
            ["AuthenticationError", 401],
            ["APIStatusError", 402],
            ["PermissionDeniedError", 403],
            ["PermissionDeniedError", 403],
            ["NotFoundError", 404],
        ],
    }


@node
def test_openai_node(run_program: Run) -> None:
    assert run_program("openai_node.mjs") == LOOP | {
        "responses": HELLO,
        "responses_stream": HELLO,
        "models": ROUTES,
        "busy": HELLO,
        "errors": [
            ["AuthenticationError", 401, "key_malformed"],
            ["APIError", 402, "because_402"],
            ["PermissionDeniedError", 403, "because_403"],
            ["PermissionDeniedError", 403, "route_not_declared"],
            ["NotFoundError", 404, "model_not_found"],
        ],
    }


@node
def test_anthropic_sdk_for_node(run_program: Run) -> None:
    said = run_program("anthropic_node.mjs")
    refused = [[status, kind] for _, status, kind in said.pop("errors")]
    assert said == LOOP | {"models": [CLAUDE], "busy": HELLO}
    assert refused == [
        [401, "authentication_error"],
        [402, "billing_error"],
        [403, "permission_error"],
        [403, "permission_error"],
        [404, "not_found_error"],
    ]


@node
def test_vercel_ai_sdk(run_program: Run) -> None:
    assert run_program("ai_sdk.mjs") == {
        "responses": LOOP,
        "chat": LOOP,
        "messages": LOOP,
        "compatible": LOOP,
        "busy": HELLO,
        "errors": [["AI_APICallError", status] for status in (401, 402, 403, 403, 404)],
    }
