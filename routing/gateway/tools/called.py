"""Which tools an answer calls, in each wire, and a whole answer without some of the calls.

Owns the shapes: `tool_calls` and `function_call` of chat, `output` items of responses,
`content` blocks of messages. A call that the vendor carried out itself cannot be removed:
it has happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from routing.gateway.tools.naming import Tool, label_of, mcp_tool
from routing.gateway.tools.ruling import note

Judge = Callable[[Tool], bool]  # whether a call may stay
# What every call has in its bytes. An escaped letter could spell any of them.
MARKS: Final = {
    "chat": (b'"tool_calls"', b'"function_call"', b"\\u00"),
    "messages": (b'tool_use"', b"\\u00"),
    "responses": (b"_call", b'"mcp_', b"\\u00"),
}
_ALSO: Final = {"computer": ("computer_use",)}
_NAMED: Final = frozenset({"function_call", "custom_tool_call"})
_CLIENTS: Final = frozenset({"computer", "local_shell", "shell", "apply_patch"})
_BLOCKS: Final = ("tool_use", "server_tool_use", "mcp_tool_use")  # compared with anything


def calls_in(operation: str, document: Any) -> list[Tool]:
    """Return the calls of a whole answer, in order."""
    if not isinstance(document, dict):
        return []
    if operation == "chat":
        return [
            call
            for choice in _dicts(document.get("choices"))
            for call in message_calls(choice.get("message"))
        ]
    if operation == "messages":
        blocks = _dicts(document.get("content"))
        return [call for block in blocks if (call := block_call(block))]
    return [call for item in _dicts(document.get("output")) if (call := item_call(item))]


def message_calls(message: Any) -> list[Tool]:
    """Return the calls of a chat message."""
    if not isinstance(message, dict):
        return []
    found = [Tool(label_of(chat_name(call))) for call in _dicts(message.get("tool_calls"))]
    legacy = message.get("function_call")
    if isinstance(legacy, dict):
        found.append(Tool(label_of(legacy.get("name"))))
    return found


def chat_name(call: dict[str, Any]) -> Any:
    """Return what a call of chat names, whatever kind of call it says it is."""
    for kind in ("function", "custom"):
        inner = call.get(kind)
        if isinstance(inner, dict) and "name" in inner:
            return inner["name"]
    return call.get("name")


def block_call(block: Any) -> Tool | None:
    """Return the call that a content block of messages is."""
    if not isinstance(block, dict) or block.get("type") not in _BLOCKS:
        return None
    if block["type"] == "mcp_tool_use":
        return mcp_tool(block.get("server_name"), block.get("name") or "unnamed")
    return Tool(label_of(block.get("name")), is_hosted=block["type"] == "server_tool_use")


def item_call(item: Any) -> Tool | None:
    """Return the call that an output item of responses is."""
    kind = item.get("type") if isinstance(item, dict) else None
    if not isinstance(kind, str):
        return None
    if kind in _NAMED:
        return Tool(label_of(item.get("name")))
    if kind.startswith("mcp_"):
        return mcp_tool(item.get("server_label"), item.get("name") or "")
    if not kind.endswith("_call"):
        return None
    name = label_of(kind.removesuffix("_call"))
    return Tool(name, _ALSO.get(name, ()), is_hosted=name not in _CLIENTS)


def without(operation: str, document: dict[str, Any], stays: Judge) -> dict[str, Any]:
    """Return a whole answer without the calls that may not stay."""
    if operation == "chat":
        choices = [
            _choice_without(choice, stays) if isinstance(choice, dict) else choice
            for choice in document["choices"]
        ]
        return document | {"choices": choices}
    if operation == "messages":
        return _message_without(document, stays)
    return response_without(document, stays)


def _choice_without(choice: dict[str, Any], stays: Judge) -> dict[str, Any]:
    message = choice.get("message")
    if not isinstance(message, dict) or all(stays(call) for call in message_calls(message)):
        return choice
    gone = [call.label for call in message_calls(message) if not stays(call)]
    message = dict(message)
    calls = [
        call
        for call in _dicts(message.pop("tool_calls", None))
        if stays(Tool(label_of(chat_name(call))))
    ]
    legacy = message.pop("function_call", None)
    if isinstance(legacy, dict) and stays(Tool(label_of(legacy.get("name")))):
        message["function_call"] = legacy
    if calls:
        message["tool_calls"] = calls
    if calls or "function_call" in message:
        return choice | {"message": message}
    message["content"] = message.get("content") or note(gone)
    return choice | {"message": message, "finish_reason": "stop"}


def _message_without(document: dict[str, Any], stays: Judge) -> dict[str, Any]:
    kept, gone, is_calling = [], [], False
    for block in document["content"]:
        call = block_call(block)
        if call is not None and not stays(call):
            gone.append(call.label)
            continue
        kept.append(block)
        is_calling = is_calling or (call is not None and not call.is_hosted)
    if is_calling or not gone:
        return document | {"content": kept}
    kept = kept or [{"type": "text", "text": note(gone)}]
    return document | {"content": kept, "stop_reason": "end_turn"}


def response_without(document: dict[str, Any], stays: Judge) -> dict[str, Any]:
    """Return a response object without the calls that may not stay."""
    gone = [
        call.label
        for item in _dicts(document.get("output"))
        if (call := item_call(item)) and not stays(call)
    ]
    if not gone:
        return document
    kept = [
        item
        for item in document["output"]
        if (call := item_call(item)) is None or stays(call)
    ]  # fmt: skip
    if all(isinstance(item, dict) and item.get("type") == "reasoning" for item in kept):
        kept.append(note_item(gone))
    return document | {"output": kept}


def note_item(gone: Iterable[str]) -> dict[str, Any]:
    """Return the output item that says what was removed."""
    part = {"type": "output_text", "text": note(gone), "annotations": [], "logprobs": []}
    return {
        "type": "message",
        "id": "msg_removed",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }


def _dicts(listed: Any) -> list[dict[str, Any]]:
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
