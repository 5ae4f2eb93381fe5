"""anthropic-python: messages, streams, a tool loop, models, errors."""

from __future__ import annotations

import json

import anthropic

MODEL = "claude-sonnet-4-5"
TOOL = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}

client = anthropic.Anthropic()
said: dict[str, object] = {}


def ask(*messages, **more):
    return client.messages.create(model=MODEL, max_tokens=99, messages=list(messages), **more)


def user(content):
    return {"role": "user", "content": content}


said["plain"] = ask(user("Hi")).content[0].text
with client.messages.stream(model=MODEL, max_tokens=99, messages=[user("Hi")]) as events:
    said["stream"] = "".join(events.text_stream)
first = ask(user("weather in Paris"), tools=[TOOL])
call = first.content[-1]
result = {"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}
last = ask(
    user("weather in Paris"),
    {"role": "assistant", "content": first.content},
    user([result]),
    tools=[TOOL],
)
said["tools"] = last.content[0].text
said["tool_arguments"] = call.input
said["models"] = [model.id for model in client.models.list()]
said["busy"] = ask(user("busy at first: anthropic")).content[0].text


def refusal(text, model=MODEL, **options):
    try:
        client.with_options(**options).messages.create(
            model=model, max_tokens=99, messages=[user(text)]
        )
    except anthropic.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.body["error"]["type"]]
    return None


said["errors"] = [
    refusal("Hi", api_key="usp_wrong"),
    refusal("fail with 402"),
    refusal("fail with 403"),
    refusal("Hi", "claude-not-declared"),
    refusal("Hi", "claude-unknown"),
]
print(json.dumps(said))
