"""An agent with runs on record, models that may take its place, and what vendors say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from registry.actors import Actor
from tests.factories import (
    Cast,
    make_agent,
    make_call,
    make_exchange,
    make_model,
    make_route,
    make_run,
    make_vendor,
)
from tests.journeys.vendor import completion

WORKER = Actor.system("evaluation")
Said = Callable[[dict[str, Any]], Any]


class Scene:
    """An agent that was served by one model, and models that may take its place."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.agent = make_agent(owner=cast.alice, backup_owner=cast.bob, stage="live")
        self.baseline = self.model("old-ai", "old-1")
        self.route = make_route("sandbox", self.baseline)

    def model(self, vendor: str, name: str, address: str = "", **over: Any) -> Any:
        place = {"base_url": address} if address else {}
        prices = {"input_micros_per_mtok": 1_000_000, "output_micros_per_mtok": 2_000_000}
        return make_model(make_vendor(vendor, auth_scheme="none", **place), name, **prices | over)

    def runs(self, count: int, said: Callable[[int], tuple[dict[str, Any], Any]]) -> None:
        """Put runs of one call each on record: what was asked, and what the baseline said."""
        for number in range(count):
            run = make_run(self.agent, f"run-{number}")
            asked, answered = said(number)
            self.call(run, asked, answered)

    def call(self, run: Any, asked: dict[str, Any], answered: Any, **over: Any) -> str:
        sent = json.dumps({"model": "sandbox"} | asked).encode()
        back = json.dumps(spoken(answered, "old-1")).encode()
        facts = {"vendor": "old-ai", "model": "old-1"}
        intent = make_exchange(self.agent, run, sent, back, operation="chat", **facts)
        make_call(
            self.agent, run_id=run.run_id, intent_id=intent,
            **facts | {"cost_micros": 30, "duration_ms": 60_000} | over,
        )  # fmt: skip
        return intent


def question(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


def spoken(said: Any, model: str) -> dict[str, Any]:
    """Return an answer in the vendor's shape: a text, calls of tools, or a whole message."""
    document = completion(said if isinstance(said, str) else "", model)
    if isinstance(said, dict):
        document["choices"][0]["message"] = {"role": "assistant", "content": None} | said
        if "tool_calls" in said:
            document["choices"][0]["finish_reason"] = "tool_calls"
    return document


def tool_call(name: str, **arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
