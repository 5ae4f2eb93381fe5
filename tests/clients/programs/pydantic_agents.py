"""Pydantic AI, over chat completions and over responses."""

from __future__ import annotations

import asyncio
import json

from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError


async def carry(kind: str) -> dict[str, object]:
    agent = Agent(f"{kind}:gpt-5-mini")

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """Return the weather in a city."""
        return f"21 degrees in {city}"

    async with agent.run_stream("Hi") as streamed:
        text = await streamed.get_output()
    return {
        "plain": (await agent.run("Hi")).output,
        "stream": text,
        "tools": (await agent.run("weather in Paris")).output,
    }


async def refusal(model: str, text: str = "Hi") -> object:
    try:
        await Agent(model).run(text)
    except ModelHTTPError as error:
        return error.status_code
    return None


async def main() -> None:
    said: dict[str, object] = {
        "chat": await carry("openai-chat"),
        "responses": await carry("openai-responses"),
        "busy": (await Agent("openai-chat:gpt-5-mini").run("busy at first: pydantic")).output,
        "errors": [
            await refusal("openai-chat:gpt-5-mini", "fail with 402"),
            await refusal("openai-chat:gpt-5-mini", "fail with 403"),
            await refusal("openai-chat:gpt-not-declared"),
            await refusal("openai-chat:gpt-unknown"),
        ],
    }
    print(json.dumps(said))


asyncio.run(main())
