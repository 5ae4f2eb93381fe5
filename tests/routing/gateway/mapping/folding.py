"""Streams folded into what a client has in its hands at the end of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def folded_chunks(chunks: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return text, calls, reason and usage of a stream of chunks."""
    said: dict[str, Any] = {"text": "", "calls": {}, "reason": None, "usage": None}
    for chunk in chunks:
        said["usage"] = chunk.get("usage") or said["usage"]
        for choice in chunk.get("choices") or ():
            delta = choice["delta"]
            said["text"] += (delta.get("content") or "") + (delta.get("refusal") or "")
            said["reason"] = choice.get("finish_reason") or said["reason"]
            for call in delta.get("tool_calls") or ():
                kept = said["calls"].setdefault(call["index"], {"id": "", "name": "", "said": ""})
                kept["id"] = call.get("id") or kept["id"]
                kept["name"] = call["function"].get("name") or kept["name"]
                kept["said"] += call["function"].get("arguments") or ""
    said["calls"] = [
        (call["id"], call["name"], json.loads(call["said"] or "{}"))
        for call in said["calls"].values()
    ]
    return said


def folded_events(events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return blocks, reason and usage of a stream of events, and check their order."""
    blocks: dict[int, dict[str, Any]] = {}
    ended: set[int] = set()
    said: dict[str, Any] = {"reason": None, "usage": {}}
    for event in events:
        match event["type"]:
            case "message_start":
                said["usage"] |= event["message"]["usage"]
            case "content_block_start":
                assert event["index"] == len(blocks)
                blocks[event["index"]] = {**event["content_block"], "said": ""}
            case "content_block_delta":
                assert event["index"] not in ended
                delta = event["delta"]
                piece = delta.get("text") or delta.get("partial_json") or delta.get("thinking")
                blocks[event["index"]]["said"] += piece or ""
            case "content_block_stop":
                ended.add(event["index"])
            case "message_delta":
                assert ended == set(blocks)
                said["reason"] = event["delta"]["stop_reason"]
                said["usage"] |= {k: v for k, v in event["usage"].items() if v is not None}
            case _:
                pass
    said["blocks"] = [_block(block) for block in blocks.values()]
    return said


def _block(block: dict[str, Any]) -> tuple[Any, ...]:
    if block["type"] == "tool_use":
        return "tool_use", block["id"], block["name"], json.loads(block["said"] or "{}")
    return block["type"], block["said"]
