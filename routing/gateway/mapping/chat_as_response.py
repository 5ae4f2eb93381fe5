"""A chat completion, whole or streamed, said as a response of OpenAI's.

Owns the items an answer consists of and the events that build them up. Nothing is kept by a
vendor under the id that is given: `store` is false, whatever was asked.
"""

from __future__ import annotations

from typing import Any, Final

from routing.gateway.errors import VendorGarbage
from routing.gateway.mapping.endings import index_of
from routing.gateway.mapping.message_as_chat import Shape
from routing.gateway.metering import count, count_in

_ENDED: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ECHOED: Final[Shape] = {
    "instructions": None, "max_output_tokens": None, "metadata": {}, "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None}, "temperature": None,
    "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": None,
    "user": None,
}  # fmt: skip


def response_of(completion: Shape, *, call: Shape, created: int) -> Shape:
    """Return a whole answer as a response."""
    writer = ResponseWriter(call=call, created=created)
    choices = completion.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise VendorGarbage("The vendor answered without a choice that could be translated.")
    said = choice.get("message")
    calls = said.get("tool_calls") if isinstance(said, dict) else None
    if isinstance(said, dict) and isinstance(calls, list):
        said = {
            **said,
            "tool_calls": [
                {**one, "index": n} for n, one in enumerate(calls) if isinstance(one, dict)
            ],
        }
    writer.take({**completion, "choices": [{**choice, "delta": said}]})
    *_, ended = writer.end()
    response: Shape = ended["response"]
    return response


def _usage(usage: Any) -> Shape | None:
    if not isinstance(usage, dict):
        return None
    given, made = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    if given is None or made is None:
        return None
    details, told = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "cached_tokens": count_in(details, "cached_tokens"),
            "cache_write_tokens": count_in(details, "cache_write_tokens"),
        },
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": count_in(told, "reasoning_tokens")},
        "total_tokens": given + made,
    }


class ResponseWriter:
    """One stream of chunks, said as events. Fed in order; used once."""

    def __init__(self, *, call: Shape, created: int) -> None:
        echoed = {name: call.get(name) for name in _ECHOED if call.get(name) is not None}
        self._response: Shape = {
            "id": None, "object": "response", "created_at": created, "status": "in_progress",
            "background": False, "error": None, "incomplete_details": None, "model": None,
            "output": [], "previous_response_id": None, "store": False,
            "truncation": "disabled", "usage": None, **_ECHOED, **echoed,
        }  # fmt: skip
        self._has_begun = False
        self._number = 0
        self._open: list[int] = []
        self._kind = ""
        self._calls: dict[Any, int] = {}
        self._finish: Any = None
        self.lost: set[str] = set()

    def take(self, chunk: Shape) -> list[Shape]:
        """Return the events that say what a chunk says."""
        if isinstance(chunk.get("usage"), dict):
            self._response["usage"] = _usage(chunk["usage"])
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return []
        events = self._begin(chunk)
        delta = choice.get("delta")
        if isinstance(delta, dict):
            events += self._said(delta)
        self._finish = choice.get("finish_reason") or self._finish
        return events

    def end(self) -> list[Shape]:
        """Return what is said last, once the usage is known."""
        events = self._begin({}) + self._shut()
        response = self._response
        reason = _ENDED.get(str(self._finish))
        response["status"] = "incomplete" if reason else "completed"
        response["incomplete_details"] = {"reason": reason} if reason else None
        return [*events, self._event(response["status"], response=response)]

    def _event(self, kind: str, **facts: Any) -> Shape:
        event = {"type": f"response.{kind}", "sequence_number": self._number, **facts}
        self._number += 1
        return event

    def _begin(self, chunk: Shape) -> list[Shape]:
        if self._has_begun:
            return []
        self._has_begun = True
        self._response |= {"id": chunk.get("id"), "model": chunk.get("model")}
        begun = {**self._response, "output": []}
        return [self._event(kind, response=begun) for kind in ("created", "in_progress")]

    def _said(self, delta: Shape) -> list[Shape]:
        events: list[Shape] = []
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        for kind, text in (
            ("reasoning_text", thought),
            ("output_text", delta.get("content")),
            ("refusal", delta.get("refusal")),
        ):
            if isinstance(text, str) and text:
                events += self._text(kind, text)
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                events += self._call(call)
        return events

    def _text(self, kind: str, text: str) -> list[Shape]:
        events: list[Shape] = []
        if self._kind != kind:
            events = self._shut() + self._start(kind, _item(kind, self._response["id"]))
            part = self._part(kind, "")
            events.append(self._event("content_part.added", part=part, **self._place()))
        item = self._response["output"][-1]
        if not item["content"]:
            item["content"].append(self._part(kind, ""))
        name = "refusal" if kind == "refusal" else "text"
        item["content"][0][name] += text
        more: Shape = {"logprobs": []} if kind == "output_text" else {}
        return [*events, self._event(f"{kind}.delta", delta=text, **self._place(), **more)]

    def _call(self, call: Shape) -> list[Shape]:
        said = call.get("function")
        function = said if isinstance(said, dict) else {}
        index = index_of(call, len(self._calls))
        events: list[Shape] = []
        if index not in self._calls:
            if self._kind != "function_call":
                events += self._shut()
            item = {
                "id": f"fc_{call.get('id')}", "type": "function_call", "status": "in_progress",
                "call_id": call.get("id"), "name": function.get("name"), "arguments": "",
            }  # fmt: skip
            events += self._start("function_call", item)
            self._calls[index] = self._open[-1]
        piece = function.get("arguments")
        if isinstance(piece, str) and piece:
            place = self._calls[index]
            item = self._response["output"][place]
            item["arguments"] += piece
            where = {"item_id": item["id"], "output_index": place}
            events.append(self._event("function_call_arguments.delta", delta=piece, **where))
        return events

    def _start(self, kind: str, item: Shape) -> list[Shape]:
        self._kind = kind
        output = self._response["output"]
        if kind != "function_call":
            item["id"] += f"_{len(output)}"
        output.append(item)
        self._open.append(len(output) - 1)
        shown = {**item, **({"content": []} if "content" in item else {})}
        return [self._event("output_item.added", output_index=self._open[-1], item=shown)]

    def _place(self) -> Shape:
        index = self._open[-1]
        item = self._response["output"][index]
        return {"item_id": item["id"], "output_index": index, "content_index": 0}

    def _part(self, kind: str, text: str) -> Shape:
        if kind == "refusal":
            return {"type": kind, "refusal": text}
        more: Shape = {"annotations": [], "logprobs": []} if kind == "output_text" else {}
        return {"type": kind, "text": text, **more}

    def _shut(self) -> list[Shape]:
        events: list[Shape] = []
        for index in self._open:
            item = self._response["output"][index]
            item["status"] = "completed"
            where = {"item_id": item["id"], "output_index": index}
            if item["type"] == "function_call":
                said = {"arguments": item["arguments"], "name": item["name"]}
                events.append(self._event("function_call_arguments.done", **where, **said))
            else:
                events += self._shut_text(item["content"][0], {**where, "content_index": 0})
            events.append(self._event("output_item.done", output_index=index, item={**item}))
        self._open, self._kind = [], ""
        return events

    def _shut_text(self, part: Shape, where: Shape) -> list[Shape]:
        kind = part["type"]
        name = "refusal" if kind == "refusal" else "text"
        more: Shape = {"logprobs": []} if kind == "output_text" else {}
        done = self._event(f"{kind}.done", **{name: part[name]}, **where, **more)
        return [done, self._event("content_part.done", part={**part}, **where)]


def _item(kind: str, response_id: Any) -> Shape:
    if kind == "reasoning_text":
        made: Shape = {"id": f"rs_{response_id}", "type": "reasoning", "summary": []}
        return {**made, "content": [], "status": "in_progress"}
    return {
        "id": f"msg_{response_id}", "type": "message", "role": "assistant",
        "status": "in_progress", "content": [],
    }  # fmt: skip
