"""What an independent library makes of the corpus of calls: the oracle of the translations.

Run by hand where any-llm-sdk is installed (it is no dependency of this project: it brings two
clients, 80 MB and its own versions of them), with the repository on the path:

    python -m venv oracle && oracle/bin/pip install "any-llm-sdk[anthropic]==1.40.2"
    PYTHONPATH=. oracle/bin/python scripts/translation_oracle.py

Writes tests/routing/gateway/mapping/oracle.json, which names the version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from anthropic.types import Message, RawMessageStreamEvent
from any_llm.providers.anthropic import utils as to_anthropic
from any_llm.types.completion import ChatCompletion, ChatCompletionChunk, CompletionParams
from any_llm.types.messages import MessagesParams
from any_llm.utils import messages_compat as to_openai
from pydantic import TypeAdapter

from tests.routing.gateway.mapping import corpus

TARGET = Path("tests/routing/gateway/mapping/oracle.json")
MODEL = "claude-sonnet-5-5"


def main() -> None:
    """Write the oracle's translations of the corpus."""
    made = {
        "library": f"any-llm-sdk {version('any-llm-sdk')}",
        "chat_calls": {name: _chat(call) for name, call in corpus.CHAT_CALLS.items()},
        "messages_calls": {name: _messages(call) for name, call in corpus.MESSAGES_CALLS.items()},
        "messages": {
            name: _plain(to_anthropic._convert_response(Message.model_validate(one)))
            for name, one in corpus.MESSAGES.items()
        },
        "completions": {
            name: _plain(
                to_openai.chat_completion_to_message_response(ChatCompletion.model_validate(one))
            )
            for name, one in corpus.COMPLETIONS.items()
        },
        "event_streams": {name: _chunks(one) for name, one in corpus.EVENT_STREAMS.items()},
        "chunk_streams": {name: _events(one) for name, one in corpus.CHUNK_STREAMS.items()},
    }
    TARGET.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(made: Any) -> Any:
    return made.model_dump(mode="json", exclude_none=True)


def _chat(call: dict[str, Any]) -> Any:
    params = CompletionParams(model_id=MODEL, **json.loads(json.dumps(call)))
    return to_anthropic._convert_params(params, provider_name="anthropic")


def _messages(call: dict[str, Any]) -> Any:
    params = MessagesParams(model="gpt-6-luna", **{"max_tokens": 99, **call})
    return to_openai.messages_params_to_completion_params(params)


def _chunks(events: Iterable[dict[str, Any]]) -> Any:
    read = TypeAdapter(RawMessageStreamEvent).validate_python
    convert = to_anthropic._create_openai_chunk_from_anthropic_chunk
    made = [_plain(convert(read(event), MODEL)) for event in events]
    return [{**chunk, "id": ""} for chunk in made]  # a hash that differs from run to run


def _events(chunks: Iterable[dict[str, Any]]) -> Any:
    state, made = to_openai.StreamingState(), []
    for chunk in chunks:
        read = ChatCompletionChunk.model_validate(chunk)
        made += to_openai.chat_completion_chunk_to_message_stream_events(read, state)
    return [_plain(event) for event in made]


if __name__ == "__main__":
    main()
