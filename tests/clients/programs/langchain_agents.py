"""LangChain and LangGraph: chat models of both dialects, and an agent that loops over tools."""

from __future__ import annotations

import json

import anthropic
import openai
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


@tool
def get_weather(city: str) -> str:
    """Return the weather in a city."""
    return f"21 degrees in {city}"


said: dict[str, object] = {}
for name, model in {
    "chat": ChatOpenAI(model="gpt-5-mini"),
    "responses": ChatOpenAI(model="gpt-5-mini", use_responses_api=True),
    "messages": ChatAnthropic(model="claude-sonnet-4-5"),
}.items():
    agent = create_agent(model, [get_weather])
    ended = agent.invoke({"messages": [("user", "weather in Paris")]})
    said[name] = {
        "plain": model.invoke("Hi").text,
        "stream": "".join(piece.text for piece in model.stream("Hi")),
        "tools": [ended["messages"][-1].text, ended["messages"][-2].content],
    }
said["busy"] = ChatOpenAI(model="gpt-5-mini").invoke("busy at first: langchain").text


def refusal(model, text="Hi"):
    try:
        model.invoke(text)
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        return [type(error).__name__, error.status_code]
    return None


said["errors"] = [
    refusal(ChatOpenAI(model="gpt-5-mini", api_key="usp_wrong")),
    refusal(ChatOpenAI(model="gpt-5-mini"), "fail with 402"),
    refusal(ChatOpenAI(model="gpt-not-declared")),
    refusal(ChatOpenAI(model="gpt-unknown")),
    refusal(ChatAnthropic(model="claude-sonnet-4-5", api_key="usp_wrong")),
    refusal(ChatAnthropic(model="claude-sonnet-4-5"), "fail with 403"),
    refusal(ChatAnthropic(model="claude-unknown")),
]
print(json.dumps(said))
