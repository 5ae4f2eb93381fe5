"""OpenAI's Agents SDK: its runner, plain and streamed, with a tool, over responses and chat."""

from __future__ import annotations

import asyncio
import json

import openai
from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)

# Its traces go to OpenAI's own address, with the key it finds: not through a gateway.
set_tracing_disabled(True)


@function_tool
def get_weather(city: str) -> str:
    """Return the weather in a city."""
    return f"21 degrees in {city}"


async def carry(model: object) -> dict[str, object]:
    agent = Agent(name="Weather", model=model, tools=[get_weather])
    streamed = Runner.run_streamed(agent, "Hi")
    text = "".join(
        [
            event.data.delta
            async for event in streamed.stream_events()
            if event.type == "raw_response_event"
            and event.data.type == "response.output_text.delta"
        ]
    )
    return {
        "plain": (await Runner.run(agent, "Hi")).final_output,
        "stream": text,
        "tools": (await Runner.run(agent, "weather in Paris")).final_output,
    }


async def refusal(model: str, text: str = "Hi") -> object:
    try:
        await Runner.run(Agent(name="Weather", model=model), text)
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code]
    return None


async def main() -> None:
    plain = Agent(name="Weather", model="gpt-5-mini")
    said: dict[str, object] = {
        "responses": await carry("gpt-5-mini"),
        "chat": await carry(OpenAIChatCompletionsModel("gpt-5-mini", openai.AsyncOpenAI())),
        "busy": (await Runner.run(plain, "busy at first: agents")).final_output,
        "errors": [
            await refusal("gpt-5-mini", "fail with 402"),
            await refusal("gpt-5-mini", "fail with 403"),
            await refusal("gpt-not-declared"),
            await refusal("gpt-unknown"),
        ],
    }
    print(json.dumps(said))


asyncio.run(main())
