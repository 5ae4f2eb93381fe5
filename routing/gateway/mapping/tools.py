"""Tools offered, chosen, called and answered, in the words of either dialect.

Owns how arguments travel: a text of JSON in OpenAI's chat, an object in Anthropic's messages.
Only tools that the agent itself runs can be carried; a vendor's own run nowhere else.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from routing.gateway.mapping.losses import Losses, list_of, refusal, text_of

Shape = dict[str, Any]

_EMPTY_SCHEMA: Final = {"type": "object", "properties": {}}
_TOOL_HINTS: Final = ("cache_control", "eager_input_streaming")
_TOOL_NEUTRAL: Final = {"defer_loading": (False,), "allowed_callers": (["direct"],)}
_CHOICES: Final = {"auto": "auto", "none": "none", "required": "any"}
_CHOICES_BACK: Final = {there: here for here, there in _CHOICES.items()}
_unfit_in_ids = re.compile(r"[^A-Za-z0-9_-]")


# --- OpenAI's chat to Anthropic's messages


def tools_for_messages(said: Any, losses: Losses) -> list[Shape]:
    """Return the tools a chat call offers as a messages call offers them."""
    return [_tool_for_messages(tool, losses) for tool in list_of(said, "tools")]


def _tool_for_messages(said: Any, losses: Losses) -> Shape:
    tool = losses.read(said, "tools", ("type", "function"))
    if tool.get("type") != "function":
        raise refusal(
            "tools.type", f"{tool.get('type')!r} has no counterpart in the target's dialect"
        )
    known = ("name", "description", "parameters", "strict")
    function = losses.read(tool.get("function"), "tools.function", known)
    made = {
        "name": text_of(function.get("name"), "tools.function.name"),
        "input_schema": function.get("parameters") or _EMPTY_SCHEMA,
    }
    if function.get("description"):
        made["description"] = function["description"]
    if function.get("strict"):
        made["strict"] = True
    return made


def choice_for_messages(said: Any, parallel: Any, losses: Losses) -> Shape | None:
    """Return tool_choice and parallel_tool_calls as the one object the other dialect has."""
    if isinstance(said, dict):
        chosen = losses.read(said, "tool_choice", ("type", "function"))
        if chosen.get("type") != "function" or not isinstance(chosen.get("function"), dict):
            raise refusal("tool_choice.type", f"{chosen.get('type')!r} has no counterpart")
        name = text_of(chosen["function"].get("name"), "tool_choice.function.name")
        made: Shape = {"type": "tool", "name": name}
    elif said is None:
        if parallel is not False:
            return None
        made = {"type": "auto"}
    else:
        if not isinstance(said, str) or said not in _CHOICES:
            raise refusal("tool_choice", "must be auto, none, required or a function")
        made = {"type": _CHOICES[said]}
    if parallel is False and made["type"] != "none":
        made["disable_parallel_tool_use"] = True
    return made


def use_of(call: Any, losses: Losses) -> Shape:
    """Return one of an assistant's tool calls as a block."""
    where = "messages.tool_calls"
    said = losses.read(call, where, ("id", "type", "function"), neutral={"index": tuple(range(99))})
    if said.get("type", "function") != "function":
        raise refusal(
            f"{where}.type", f"{said.get('type')!r} has no counterpart in the target's dialect"
        )
    function = losses.read(said.get("function"), f"{where}.function", ("name", "arguments"))
    arguments = arguments_in(function.get("arguments"))
    if arguments is None:
        raise refusal(f"{where}.function.arguments", "must be JSON of an object")
    return {
        "type": "tool_use",
        "id": tool_id(said.get("id"), where),
        "name": text_of(function.get("name"), f"{where}.function.name"),
        "input": arguments,
    }


def arguments_in(said: Any) -> Shape | None:
    """Return a text of arguments as an object; None for what is none."""
    if not isinstance(said, str):
        return None
    if not said.strip():
        return {}
    try:
        found = json.loads(said)
        # Half a surrogate pair and 1e999 can be read, and never written again.
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def tool_id(said: Any, where: str) -> str:
    """Return the id of a call as the other dialect takes one: equal ids stay equal."""
    name = text_of(said, f"{where}.id")
    return _unfit_in_ids.sub(lambda found: f"_{ord(found[0]):x}", name)


# --- Anthropic's messages to OpenAI's chat


def tools_for_chat(said: Any, losses: Losses) -> list[Shape]:
    """Return the tools a messages call offers as a chat call offers them."""
    return [_tool_for_chat(tool, losses) for tool in list_of(said, "tools")]


def _tool_for_chat(said: Any, losses: Losses) -> Shape:
    if isinstance(said, dict) and said.get("type", "custom") not in ("custom", None):
        raise refusal("tools.type", f"{said['type']!r} is run by its vendor, and by no other")
    known = ("type", "name", "description", "input_schema", "strict")
    tool = losses.read(said, "tools", known, hints=_TOOL_HINTS, neutral=_TOOL_NEUTRAL)
    made = {
        "name": text_of(tool.get("name"), "tools.name"),
        "parameters": tool.get("input_schema") or _EMPTY_SCHEMA,
    }
    if tool.get("description"):
        made["description"] = tool["description"]
    if tool.get("strict"):
        made["strict"] = True
    return {"type": "function", "function": made}


def choice_for_chat(said: Any, losses: Losses) -> Shape:
    """Return a tool_choice as the two members a chat call has for it."""
    known = ("type", "name", "disable_parallel_tool_use")
    choice = losses.read(said, "tool_choice", known)
    made: Shape = {}
    if choice.get("type") == "tool":
        name = text_of(choice.get("name"), "tool_choice.name")
        made["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif choice.get("type") in (*_CHOICES_BACK,):
        made["tool_choice"] = _CHOICES_BACK[choice["type"]]
    else:
        raise refusal("tool_choice.type", "must be auto, any, none or tool")
    if choice.get("disable_parallel_tool_use"):
        made["parallel_tool_calls"] = False
    return made


def call_of(block: Any, losses: Losses) -> Shape:
    """Return a tool_use block as a tool call."""
    where = "messages.content.tool_use"
    neutral = {"caller": ({"type": "direct"},)}
    known = ("type", "id", "name", "input")
    said = losses.read(block, where, known, hints=("cache_control",), neutral=neutral)
    if not isinstance(said.get("input", {}), dict):
        raise refusal(f"{where}.input", "must be an object")
    return {
        "id": text_of(said.get("id"), f"{where}.id"),
        "type": "function",
        "function": {
            "name": text_of(said.get("name"), f"{where}.name"),
            "arguments": arguments_of(said.get("input", {})),
        },
    }


def arguments_of(given: Shape) -> str:
    """Return an object of arguments as a text."""
    return json.dumps(given, ensure_ascii=False, separators=(",", ":"))
