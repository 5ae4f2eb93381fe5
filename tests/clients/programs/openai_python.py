"""openai-python, of whichever major release runs this: chat, streams, tools, responses, errors."""

from __future__ import annotations

import json
import os

import openai

MODEL = "gpt-5-mini"
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}

client = openai.OpenAI()
said: dict[str, object] = {"release": openai.__version__.split(".")[0]}


def ask(text: str, **more):
    return client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": text}], **more
    )


plain = ask("Hi")
said["plain"] = plain.choices[0].message.content
said["stream"] = "".join(
    chunk.choices[0].delta.content or "" for chunk in ask("Hi", stream=True) if chunk.choices
)
counted = list(ask("Hi", stream=True, stream_options={"include_usage": True}))
said["stream_usage"] = counted[-1].usage.total_tokens > 0

first = ask("weather in Paris", tools=[TOOL]).choices[0].message
call = first.tool_calls[0]
told = [
    {"role": "user", "content": "weather in Paris"},
    first,
    {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"},
]
said["tools"] = (
    client.chat.completions.create(model=MODEL, messages=told, tools=[TOOL])
    .choices[0]
    .message.content
)
said["tool_arguments"] = json.loads(call.function.arguments)

response = client.responses.create(model=MODEL, input="Hi")
said["responses"] = response.output_text
with client.responses.stream(model=MODEL, input="Hi") as events:
    said["responses_stream"] = "".join(
        event.delta for event in events if event.type == "response.output_text.delta"
    )
said["models"] = [model.id for model in client.models.list()]
said["busy"] = ask(f"busy at first: {os.environ['NAME']}").choices[0].message.content


def refusal(call, **options):
    try:
        call(client.with_options(**options))
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code]
    return None


def chat(text, model=MODEL):
    return lambda c: c.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}]
    )


said["errors"] = [
    refusal(chat("Hi"), api_key="usp_wrong"),
    refusal(chat("fail with 402")),
    refusal(chat("fail with 403")),
    refusal(chat("Hi", "gpt-not-declared")),
    refusal(chat("Hi", "gpt-unknown")),
]
print(json.dumps(said))
