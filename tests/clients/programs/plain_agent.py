"""An agent as somebody wrote it: a loop over tools, and not a word about traces."""

from __future__ import annotations

import os

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


@tool
def get_weather(city: str) -> str:
    """Return the weather in a city."""
    return f"21 degrees in {city}"


agent = create_agent(ChatOpenAI(model=os.environ["MODEL"]), [get_weather])
ended = agent.invoke({"messages": [("user", "weather in Paris")]})
print(ended["messages"][-1].text)
