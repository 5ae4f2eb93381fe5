"""The tool calls of a streamed response: one output item each, and the whole at the end.

The event that ends the stream repeats every item, and clients take their answer from it: it
is thinned like the rest.
"""

from __future__ import annotations

import re
from typing import Any, Final

from routing.gateway.sse import Event
from routing.gateway.tools.called import item_call, note_item, response_without
from routing.gateway.tools.naming import Tool
from routing.gateway.tools.ruling import blocked
from routing.gateway.tools.streams import CallStream, rewritten

_ENDS: Final = ("response.completed", "response.incomplete", "response.failed")
_ARGUMENTS: Final = re.compile(r"_call_(?:arguments|input)\.(?:delta|done)$")


class ResponseCalls(CallStream):
    """Watches `response.output_item.*` and every copy of the response."""

    operation = "responses"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._gone: set[Any] = set()
        self._labels: list[str] = []
        self._seen: set[Any] = set()
        self._shift = 0
        self._begun: set[int] = set()  # the items that are calls

    def _is_of_interest(self, data: bytes) -> bool:
        return bool(self._gone) or super()._is_of_interest(data)

    def _read(self, event: Event, document: dict[str, Any]) -> list[Event]:
        item, response = document.get("item"), document.get("response")
        if isinstance(item, dict) and not self._item_stays(document, item):
            return self._drop()
        self._refuse_nameless(document)
        if self._place(document) in self._gone:
            return self._drop()
        if isinstance(response, dict):
            return self._whole(event, document, response)
        return [self._moved(document)] if self._gone else [event]

    def _item_stays(self, document: dict[str, Any], item: dict[str, Any]) -> bool:
        call = item_call(item)
        place = self._place(document)
        if call is not None:
            self._begun.add(place)
        if call is None or place in self._gone:
            return True
        if not self._judge(call, (place, call.label)):
            if place < 0:
                raise blocked([call.label])
            self._gone.add(place)
            self._labels.append(call.label)
            return False
        return True

    def _refuse_nameless(self, document: dict[str, Any]) -> None:
        """Arguments of an item that was never announced are a call without a name."""
        kind = document.get("type")
        if not self._ruling.governs or not isinstance(kind, str) or not _ARGUMENTS.search(kind):
            return
        if self._place(document) not in self._begun:
            raise blocked(["arguments of a tool that was not named"])

    def _judge(self, call: Tool, key: Any) -> bool:
        """Note a call once, however often the stream repeats it. Raises: ToolBlocked."""
        if key in self._seen:
            return True
        stays = self._stays(call)
        if stays:
            self._seen.add(key)
        return stays

    def _whole(
        self, event: Event, document: dict[str, Any], response: dict[str, Any]
    ) -> list[Event]:
        output = response.get("output")
        for place, item in enumerate(output if isinstance(output, list) else ()):
            call = item_call(item)
            if (
                call is not None
                and place not in self._gone
                and not self._judge(call, (place, call.label))
            ):
                # It was not said before, so there is nothing of it to remove.
                raise blocked([call.label])
        if not self._gone:
            return [event]
        thinned = response_without(response, self._ruling.lets)
        said: list[Event] = []
        if thinned.get("output") and thinned["output"][-1].get("id") == note_item(())["id"]:
            said = self._say_note(len(thinned["output"]) - 1, document)
        return [*said, self._moved(document | {"response": thinned})]

    def _say_note(self, place: int, document: dict[str, Any]) -> list[Event]:
        item = note_item(self._labels)
        part = item["content"][0]
        at = {"item_id": item["id"], "output_index": place, "content_index": 0}
        blank = part | {"text": ""}
        started = item | {"content": [], "status": "in_progress"}
        said: list[dict[str, Any]] = [
            {"type": "response.output_item.added", "output_index": place, "item": started},
            {"type": "response.content_part.added", **at, "part": blank},
            {"type": "response.output_text.delta", **at, "delta": part["text"], "logprobs": []},
            {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []},
            {"type": "response.content_part.done", **at, "part": part},
            {"type": "response.output_item.done", "output_index": place, "item": item},
        ]
        number = document.get("sequence_number")
        first = (number if isinstance(number, int) else 0) - self._shift
        self._shift -= len(said)
        return [
            rewritten(one | {"sequence_number": first + step}, named=True)
            for step, one in enumerate(said)
        ]

    def _drop(self) -> list[Event]:
        self._shift += 1
        return []

    def _moved(self, document: dict[str, Any]) -> Event:
        place, number = document.get("output_index"), document.get("sequence_number")
        moved = dict(document)
        if isinstance(place, int) and document.get("type") not in _ENDS:
            moved["output_index"] = place - sum(1 for gone in self._gone if gone < place)
        if isinstance(number, int):
            moved["sequence_number"] = number - self._shift
        return rewritten(moved, named=True)

    @staticmethod
    def _place(document: dict[str, Any]) -> int:
        place = document.get("output_index")
        return place if isinstance(place, int) else -1
