"""An answer of Anthropic's messages, whole or streamed, said as a chat completion.

Owns what a chat client sees of it. Thoughts go where servers of open models put them
(`reasoning_content`); what has no place at all is on record as lost from the answer.
"""

from __future__ import annotations

from typing import Any, Final

from routing.gateway.mapping.endings import chat_usage, finish_reason
from routing.gateway.mapping.tools import arguments_of
from routing.gateway.metering import short

Shape = dict[str, Any]

_REFUSED: Final = "The model refused."


def completion_of(message: Shape, *, created: int, lost: set[str]) -> Shape:
    """Return a whole answer as a chat completion."""
    content = message.get("content")
    said = _said(content if isinstance(content, list) else [], lost)
    reason = finish_reason(message.get("stop_reason"))
    if reason == "content_filter":
        said["refusal"] = _explained(message) or said["content"] or _REFUSED
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": reason}
    made: Shape = {
        "id": message.get("id"),
        "object": "chat.completion",
        "created": created,
        "model": message.get("model"),
        "choices": [choice],
    }
    if (usage := chat_usage(message.get("usage"))) is not None:
        made["usage"] = usage
    return made


def _said(content: list[Any], lost: set[str]) -> Shape:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[Shape] = []
    for block in content:
        match block:
            case {"type": "text", "text": str(text)}:
                texts.append(text)
                if block.get("citations"):
                    lost.add("citations")
            case {"type": "thinking", "thinking": str(thought)}:
                thoughts.append(thought)
            case {"type": "tool_use"}:
                calls.append(_call(block))
            case _:
                lost.add(_kind(block))
    said: Shape = {"role": "assistant", "content": "".join(texts) or None, "refusal": None}
    if thought := "".join(thoughts):
        said["reasoning_content"] = thought
    if calls:
        said["tool_calls"] = calls
    return said


def _kind(block: Any) -> str:
    return short(block.get("type")) if isinstance(block, dict) else "block"


def _call(block: Shape) -> Shape:
    given = block.get("input")
    arguments = arguments_of(given if isinstance(given, dict) else {})
    return {
        "id": block.get("id"),
        "type": "function",
        "function": {"name": block.get("name"), "arguments": arguments},
    }


def _explained(holder: Any) -> str:
    details = holder.get("stop_details") if isinstance(holder, dict) else None
    explained = details.get("explanation") if isinstance(details, dict) else None
    return explained if isinstance(explained, str) else ""


class ChunkWriter:
    """One stream of events, said as chunks. Fed in order; used once."""

    def __init__(self, *, created: int, reports_usage: bool) -> None:
        self._created = created
        self._reports_usage = reports_usage
        self._id: Any = None
        self._model: Any = None
        self._usage: Shape = {}
        self._calls: dict[int, int] = {}  # the block's index to the call's
        self._given: dict[int, Any] = {}  # inputs that came whole, until arguments come
        self._reason: str | None = None
        self.lost: set[str] = set()

    def take(self, event: Shape) -> list[Shape]:
        """Return the chunks that say what an event says."""
        match event.get("type"):
            case "message_start":
                return self._begin(event.get("message"))
            case "content_block_start":
                return self._open(_index(event), event.get("content_block"))
            case "content_block_delta":
                return self._add(_index(event), event.get("delta"))
            case "content_block_stop":
                return self._shut(_index(event))
            case "message_delta":
                return self._settle(event)
            case _:
                return []

    def end(self) -> list[Shape]:
        """Return what is said last: the usage, where it was asked for."""
        usage = chat_usage(self._usage)
        if not self._reports_usage or usage is None:
            return []
        return [{**self._head(), "choices": [], "usage": usage}]

    def _head(self) -> Shape:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
        }

    def _chunk(self, delta: Shape, reason: str | None = None) -> list[Shape]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return [{**self._head(), "choices": [choice]}]

    def _begin(self, message: Any) -> list[Shape]:
        if isinstance(message, dict):
            self._id, self._model = message.get("id"), message.get("model")
            self._note(message.get("usage"))
        return self._chunk({"role": "assistant", "content": ""})

    def _open(self, index: int, block: Any) -> list[Shape]:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "tool_use":
            number = self._calls[index] = len(self._calls)
            self._given[index] = block.get("input")
            function = {"name": block.get("name"), "arguments": ""}
            call = {"index": number, "id": block.get("id"), "type": "function"}
            return self._chunk({"tool_calls": [{**call, "function": function}]})
        if kind == "text":
            return self._chunk({"content": block["text"]}) if block.get("text") else []
        if kind != "thinking":
            self.lost.add(_kind(block))
        return []

    def _add(self, index: int, delta: Any) -> list[Shape]:
        match delta:
            case {"type": "text_delta", "text": str(text)}:
                return self._chunk({"content": text})
            case {"type": "thinking_delta", "thinking": str(thought)}:
                return self._chunk({"reasoning_content": thought}) if thought else []
            case {"type": "input_json_delta", "partial_json": str(piece)} if index in self._calls:
                return self._arguments(index, piece)
            case {"type": "citations_delta"}:
                self.lost.add("citations")
            case _:
                pass
        return []

    def _arguments(self, index: int, piece: str) -> list[Shape]:
        if not piece:
            return []
        self._given.pop(index, None)
        call = {"index": self._calls[index], "function": {"arguments": piece}}
        return self._chunk({"tool_calls": [call]})

    def _shut(self, index: int) -> list[Shape]:
        """Say the arguments that no delta brought: clients read them as JSON."""
        if index not in self._given:
            return []
        given = self._given[index]
        return self._arguments(index, arguments_of(given if isinstance(given, dict) else {}))

    def _settle(self, event: Shape) -> list[Shape]:
        self._note(event.get("usage"))
        delta = event.get("delta")
        said = delta.get("stop_reason") if isinstance(delta, dict) else None
        if said is None:
            return []
        reason = finish_reason(said)
        if reason == "content_filter":
            return self._chunk({"refusal": _explained(delta) or _REFUSED}, reason)
        return self._chunk({}, reason)

    def _note(self, usage: Any) -> None:
        """Take over figures; a zero input in a later report is one that was left out."""
        if isinstance(usage, dict):
            self._usage |= {name: value for name, value in usage.items() if value}
            self._usage.setdefault("input_tokens", 0)
            self._usage.setdefault("output_tokens", 0)


def _index(event: Shape) -> int:
    index = event.get("index")
    return index if type(index) is int else 0
