"""A LangChain agent that stops before its tool, and goes on with what people decided.

A process that starts later knows what the one before it left: the checkpoints in SQLite.
It asks by the snippet of the guide, whose path is its argument.
"""

from __future__ import annotations

import json
import os
import runpy
import sqlite3
import sys
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver

DONE: list[dict[str, Any]] = []


@tool("add-note")
def add_note(customer: str, note: str) -> str:
    """Add a note to a customer."""
    DONE.append({"customer": customer, "note": note})
    return "noted"


class Scripted(BaseChatModel):
    """A model that calls the tool once, and then says what came of it."""

    def _generate(self, messages: list[Any], *_: Any, **__: Any) -> ChatResult:
        answers = [one for one in messages if isinstance(one, ToolMessage)]
        if answers:
            said = AIMessage(f"The tool said: {answers[-1].content}")
        else:
            call = {"name": "add-note", "args": {"customer": "c-17", "note": "Paid."}, "id": "t1"}
            said = AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=said)])

    def bind_tools(self, *_: Any, **__: Any) -> Any:
        return self

    @property
    def _llm_type(self) -> str:
        return "scripted"


def main(snippet: str) -> None:
    saver = SqliteSaver(sqlite3.connect(os.environ["CHECKPOINTS"], check_same_thread=False))
    mode: Any = os.environ["MODE"]
    stops = HumanInTheLoopMiddleware(interrupt_on={"add-note": True}, interrupt_mode=mode)
    agent = create_agent(Scripted(), [add_note], middleware=[stops], checkpointer=saver)
    config = {"configurable": {"thread_id": "invoice-4711"}}
    decided = runpy.run_path(snippet)["decided"]
    result: Any = None
    if not agent.get_state(config).values:
        result = agent.invoke({"messages": [("user", "Note that it was paid.")]}, config)
    while stopped := agent.get_state(config).interrupts:
        result = agent.invoke(decided(stopped[0], "invoice-4711"), config)
    sys.stdout.write(json.dumps({"done": DONE, "said": result["messages"][-1].content}))


main(sys.argv[1])
