"""LlamaIndex through OpenAILike: completion of a chat, streams, an agent with a tool, errors."""

from __future__ import annotations

import asyncio
import json
import os

import openai
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike


def model(name: str = "gpt-5-mini", key: str = os.environ["OPENAI_API_KEY"]) -> OpenAILike:
    return OpenAILike(
        model=name,
        api_base=os.environ["OPENAI_BASE_URL"],
        api_key=key,
        is_chat_model=True,
        is_function_calling_model=True,
    )


def get_weather(city: str) -> str:
    """Return the weather in a city."""
    return f"21 degrees in {city}"


def refusal(llm: OpenAILike, text: str = "Hi") -> object:
    try:
        llm.chat([ChatMessage(role="user", content=text)])
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code]
    return None


async def main() -> None:
    llm, say = model(), [ChatMessage(role="user", content="Hi")]
    ended = await FunctionAgent(llm=llm, tools=[get_weather]).run("weather in Paris")
    busy = [ChatMessage(role="user", content="busy at first: llama")]
    said: dict[str, object] = {
        "plain": llm.chat(say).message.content,
        "stream": "".join(piece.delta or "" for piece in llm.stream_chat(say)),
        "tools": str(ended),
        "busy": llm.chat(busy).message.content,
        "errors": [
            refusal(model(key="usp_wrong")),
            refusal(llm, "fail with 402"),
            refusal(llm, "fail with 403"),
            refusal(model("gpt-not-declared")),
            refusal(model("gpt-unknown")),
        ],
    }
    print(json.dumps(said))


asyncio.run(main())
