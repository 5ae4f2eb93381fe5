"""A chat completion, whole or streamed, said as an answer of Anthropic's messages.

Owns the order that Anthropic's clients expect of a stream: blocks begin, grow and end, then
comes the reason, with the usage that OpenAI reports after it.
"""

from __future__ import annotations

from typing import Any

from routing.gateway.errors import VendorGarbage
from routing.gateway.mapping.endings import index_of, messages_usage, stop_reason
from routing.gateway.mapping.tools import arguments_in, tool_id

Shape = dict[str, Any]


def message_of(completion: Shape, *, lost: set[str]) -> Shape:
    """Return a whole answer as a message. Raises: VendorGarbage."""
    choices = completion.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    said = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(said, dict):
        raise VendorGarbage("The vendor answered without a choice that could be translated.")
    refused = said.get("refusal")
    blocks: list[Shape] = []
    for name in ("reasoning_content", "reasoning"):
        if isinstance(said.get(name), str) and said[name] and not blocks:
            # Without a signature: a thought that no vendor vouches for.
            blocks.append({"type": "thinking", "thinking": said[name], "signature": ""})
    for text in (said.get("content"), refused):
        if isinstance(text, str) and text:
            blocks.append({"type": "text", "text": text})
    calls = said.get("tool_calls")
    uses = [_use(call) for call in (calls if isinstance(calls, list) else ())]
    if said.get("annotations"):
        lost.add("annotations")
    reason = stop_reason(choice.get("finish_reason"), called=bool(uses), refused=bool(refused))
    return {
        "id": completion.get("id"),
        "type": "message",
        "role": "assistant",
        "model": completion.get("model"),
        "content": blocks + uses,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": messages_usage(completion.get("usage")),
    }


def _use(call: Any) -> Shape:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise VendorGarbage("The vendor answered with a tool call that is no function's.")
    arguments = arguments_in(function.get("arguments"))
    if arguments is None:
        raise VendorGarbage(
            "The vendor answered with a tool call whose arguments are not JSON of an object."
            " The answer is kept in the run's ledger."
        )
    return {
        "type": "tool_use",
        "id": _id(call.get("id")),
        "name": function.get("name"),
        "input": arguments,
    }


def _id(said: Any) -> str:
    return tool_id(said, "tool_calls") if isinstance(said, str) else ""


class EventWriter:
    """One stream of chunks, said as events. Fed in order; used once.

    Calls of tools stay open until all are: some servers send pieces of several in turn.
    """

    def __init__(self) -> None:
        self._has_begun = False
        self._open: list[int] = []
        self._kind = ""
        self._next = 0
        self._calls: dict[Any, int] = {}  # the call's index to the block's
        self._finish: Any = None
        self._refused = False
        self._usage: Any = None
        self.lost: set[str] = set()

    def take(self, chunk: Shape) -> list[Shape]:
        """Return the events that say what a chunk says."""
        if isinstance(chunk.get("usage"), dict):
            self._usage = chunk["usage"]
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return []  # some servers begin with one that has neither choice nor name
        events = self._begin(chunk)
        delta = choice.get("delta")
        if isinstance(delta, dict):
            events += self._said(delta)
        self._finish = choice.get("finish_reason") or self._finish
        return events

    def end(self) -> list[Shape]:
        """Return what is said last, once the usage is known."""
        events = self._begin({}) + self._shut()
        reason = stop_reason(self._finish, called=bool(self._calls), refused=self._refused)
        delta = {"stop_reason": reason, "stop_sequence": None}
        usage = messages_usage(self._usage)
        events.append({"type": "message_delta", "delta": delta, "usage": usage})
        return [*events, {"type": "message_stop"}]

    def _begin(self, chunk: Shape) -> list[Shape]:
        if self._has_begun:
            return []
        self._has_begun = True
        message: Shape = {
            "id": chunk.get("id"),
            "type": "message",
            "role": "assistant",
            "model": chunk.get("model"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": messages_usage(None),
        }
        return [{"type": "message_start", "message": message}]

    def _said(self, delta: Shape) -> list[Shape]:
        events: list[Shape] = []
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            events += self._turn_to("thinking", empty)
            events.append(self._delta({"type": "thinking_delta", "thinking": thought}))
        for name in ("content", "refusal"):
            text = delta.get(name)
            if isinstance(text, str) and text:
                self._refused |= name == "refusal"
                events += self._turn_to(name, {"type": "text", "text": ""})
                events.append(self._delta({"type": "text_delta", "text": text}))
        if delta.get("annotations"):
            self.lost.add("annotations")
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                events += self._call(call)
        return events

    def _call(self, call: Shape) -> list[Shape]:
        said = call.get("function")
        function = said if isinstance(said, dict) else {}
        index = index_of(call, len(self._calls))
        events: list[Shape] = []
        if index not in self._calls:
            if self._kind != "tool_use":
                events += self._shut()
            name, named = function.get("name"), _id(call.get("id"))
            block: Shape = {"type": "tool_use", "id": named, "name": name, "input": {}}
            events += self._start("tool_use", block)
            self._calls[index] = self._open[-1]
        if isinstance(piece := function.get("arguments"), str) and piece:
            delta = {"type": "input_json_delta", "partial_json": piece}
            events.append(self._delta(delta, self._calls[index]))
        return events

    def _turn_to(self, kind: str, block: Shape) -> list[Shape]:
        return [] if self._kind == kind else self._shut() + self._start(kind, block)

    def _start(self, kind: str, block: Shape) -> list[Shape]:
        self._kind = kind
        self._open.append(self._next)
        self._next += 1
        return [{"type": "content_block_start", "index": self._open[-1], "content_block": block}]

    def _delta(self, delta: Shape, index: int | None = None) -> Shape:
        where = self._open[-1] if index is None else index
        return {"type": "content_block_delta", "index": where, "delta": delta}

    def _shut(self) -> list[Shape]:
        ended = [{"type": "content_block_stop", "index": index} for index in self._open]
        self._open, self._kind = [], ""
        return ended
