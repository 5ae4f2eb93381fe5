"""The tool calls of a streamed message: one content block each, whose start has its name.

Arguments of a block that never began are a call without a name.
"""

from __future__ import annotations

from typing import Any

from routing.gateway.sse import Event
from routing.gateway.tools.called import block_call
from routing.gateway.tools.ruling import blocked, note
from routing.gateway.tools.streams import CallStream, rewritten


class MessageCalls(CallStream):
    """Watches `content_block_start`; removes a block with all its pieces."""

    operation = "messages"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._begun: set[int] = set()  # the blocks that are calls
        self._gone: set[Any] = set()
        self._labels: list[str] = []
        self._kept = 0
        self._calls_kept = 0

    def _is_of_interest(self, data: bytes) -> bool:
        return (
            bool(self._gone)
            or b"content_block_start" in data
            or (b"input_json_delta" in data and self._ruling.governs)
            or super()._is_of_interest(data)
        )

    def _read(self, event: Event, document: dict[str, Any]) -> list[Event]:
        kind = document.get("type")
        if kind == "message_start":
            self._refuse_early(document.get("message"))
            return [event]
        if kind == "content_block_start":
            return self._begin(event, document)
        if kind == "content_block_delta":
            self._refuse_nameless(document)
        if not self._gone:
            return [event]
        if kind in ("content_block_delta", "content_block_stop"):
            return self._go_on(document)
        if kind == "message_delta":
            return self._end(document)
        return [event]

    def _refuse_early(self, message: Any) -> None:
        """A message begins empty; calls that it has from the start are judged all the same."""
        content = message.get("content") if isinstance(message, dict) else None
        for block in content if isinstance(content, list) else ():
            call = block_call(block)
            if call is not None and not self._stays(call):
                raise blocked([call.label])

    def _refuse_nameless(self, document: dict[str, Any]) -> None:
        delta = document.get("delta")
        if not self._ruling.governs or not isinstance(delta, dict) or "partial_json" not in delta:
            return
        if _index(document) not in self._begun:
            raise blocked(["arguments of a tool that was not named"])

    def _begin(self, event: Event, document: dict[str, Any]) -> list[Event]:
        call = block_call(document.get("content_block"))
        index = _index(document)
        if call is not None:
            self._begun.add(index)
        else:
            self._begun.discard(index)
        if call is not None and not self._stays(call):
            self._gone.add(index)
            self._labels.append(call.label)
            return []
        self._gone.discard(index)
        self._kept += 1
        self._calls_kept += call is not None and not call.is_hosted
        return [self._moved(document)] if self._gone else [event]

    def _go_on(self, document: dict[str, Any]) -> list[Event]:
        return [] if _index(document) in self._gone else [self._moved(document)]

    def _moved(self, document: dict[str, Any]) -> Event:
        index = _index(document)
        before = sum(1 for gone in self._gone if gone < index)
        return rewritten(document | {"index": index - before}, named=True)

    def _end(self, document: dict[str, Any]) -> list[Event]:
        delta = document.get("delta")
        if self._calls_kept or not isinstance(delta, dict):
            return [rewritten(document, named=True)]
        said = [] if self._kept else _text_block(note(self._labels))
        if delta.get("stop_reason") == "tool_use":
            document = document | {"delta": delta | {"stop_reason": "end_turn"}}
        return [*said, rewritten(document, named=True)]


def _index(document: dict[str, Any]) -> int:
    index = document.get("index")
    return index if isinstance(index, int) else -1


def _text_block(text: str) -> list[Event]:
    documents: list[dict[str, Any]] = [
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": text},
        },
        {"type": "content_block_stop", "index": 0},
    ]
    return [rewritten(document, named=True) for document in documents]
