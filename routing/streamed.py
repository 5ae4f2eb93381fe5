"""A stream of events put together to the turns it stands for, whatever wire it came on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from routing.spoken import LONGEST, Message, dicts, turns_of

_TEXTS: Final = ("content", "refusal", "reasoning_content")


def turns_in(lines: list[str]) -> list[Message]:
    """Return what a stream says, as the answer would have been if it had come at once."""
    events = list(_events(lines))
    for event in reversed(events):
        whole = event.get("response")
        if isinstance(whole, dict) and dicts(whole.get("output")):
            return turns_of(whole)  # a response's last event holds all of it
    if any(str(event.get("type", "")).startswith("content_block") for event in events):
        return turns_of({"type": "message", "role": "assistant", "content": _blocks(events)})
    if any("response" in str(event.get("type", "")) for event in events):
        said = "".join(
            event["delta"]
            for event in events
            if event.get("type") == "response.output_text.delta"
            and isinstance(event.get("delta"), str)
        )
        return turns_of({"output": [{"role": "assistant", "content": said}]}) if said else []
    return turns_of({"choices": _choices(events)})


def _events(lines: list[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("data:"):
            try:
                found = json.loads(line[5:].strip())
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict):
                yield found


def _choices(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    turns: dict[int, dict[str, Any]] = {}
    for event in events:
        for choice in dicts(event.get("choices")):
            delta = choice.get("delta")
            if not isinstance(delta, dict):
                continue
            turn = turns.setdefault(_number(choice.get("index")), {"calls": {}})
            for name in _TEXTS:
                if isinstance(piece := delta.get(name), str):
                    turn[name] = (turn.get(name, "") + piece)[:LONGEST]
            for call in dicts(delta.get("tool_calls")):
                _add_call(turn["calls"].setdefault(_number(call.get("index")), {}), call)
    return [
        {"message": {"role": "assistant", **turn, "tool_calls": list(turn.pop("calls").values())}}
        for turn in turns.values()
    ]


def _add_call(known: dict[str, Any], call: dict[str, Any]) -> None:
    inner = call.get("function")
    said = inner if isinstance(inner, dict) else {}
    if isinstance(call.get("id"), str):
        known["id"] = call["id"]
    kept = known.setdefault("function", {"name": "", "arguments": ""})
    for name in ("name", "arguments"):
        if isinstance(piece := said.get(name), str):
            kept[name] = (kept[name] + piece)[:LONGEST]


def _blocks(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        number = _number(event.get("index"))
        if isinstance(begun := event.get("content_block"), dict):
            blocks[number] = dict(begun)
        delta = event.get("delta")
        if not isinstance(delta, dict) or number not in blocks:
            continue
        block = blocks[number]
        for name in ("text", "thinking", "partial_json"):
            if isinstance(piece := delta.get(name), str):
                into = "input" if name == "partial_json" else name
                before = block.get(into)
                block[into] = ((before if isinstance(before, str) else "") + piece)[:LONGEST]
    return list(blocks.values())


def _number(value: Any) -> int:
    return value if type(value) is int else 0
