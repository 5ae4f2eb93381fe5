"""A call of OpenAI's responses said as a chat completions call, for vendors without responses.

Owns the items: messages, calls of functions and their outputs become turns. What a vendor
would have to keep, or run itself, has no counterpart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from routing.gateway.mapping.content import Part, said_of
from routing.gateway.mapping.losses import Losses, kind_of, list_of, refusal, text_of

Shape = dict[str, Any]

_KNOWN: Final = frozenset(
    {
        "input", "instructions", "max_output_tokens", "model", "parallel_tool_calls",
        "reasoning", "safety_identifier", "stream", "stream_options", "temperature", "text",
        "tool_choice", "tools", "top_p", "user",
    }
)  # fmt: skip
_HINTS: Final = frozenset(
    {
        "client_metadata", "include", "metadata", "prompt_cache_key", "prompt_cache_options",
        "prompt_cache_retention", "service_tier", "store",
    }
)  # fmt: skip
_NEUTRAL: Final = {
    "background": (False,),
    "include": ([],),
    "metadata": ({},),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
}
_AS_IT_IS: Final = (
    "model", "parallel_tool_calls", "safety_identifier", "temperature", "top_p", "user",
)  # fmt: skip
_MARKS: Final = ("type", "id", "status")  # of an item, for whoever keeps it
_IDLE: Final[dict[str, tuple[Any, ...]]] = {"annotations": ([],), "logprobs": ([],)}


def call_for_chat(call: Any, *, losses: Losses) -> Shape:
    """Return the call in the other words. Raises: CannotTranslate."""
    said = losses.read(call, "", _KNOWN, hints=_HINTS, neutral=_NEUTRAL)
    messages: list[Shape] = []
    if said.get("instructions"):
        content = text_of(said["instructions"], "instructions")
        messages.append({"role": "system", "content": content})
    given = said.get("input")
    if isinstance(given, str):
        messages.append({"role": "user", "content": given})
    else:
        for item in list_of(given, "input"):
            _add(messages, item, losses)
    made: Shape = {name: said[name] for name in _AS_IT_IS if name in said}
    made["messages"] = messages
    if "max_output_tokens" in said:
        made["max_tokens"] = said["max_output_tokens"]
    if said.get("stream"):
        made |= {"stream": True, "stream_options": {"include_usage": True}}
    losses.read(said.get("stream_options", {}), "stream_options", (), hints=_OBFUSCATION,
                neutral={"include_obfuscation": (False,)})  # fmt: skip
    return made | _offered(said, losses) | _configured(said, losses)


_OBFUSCATION: Final = ("include_obfuscation",)


def _offered(said: Shape, losses: Losses) -> Shape:
    made: Shape = {}
    if said.get("tools"):
        made["tools"] = [_tool(tool, losses) for tool in list_of(said["tools"], "tools")]
    choice = said.get("tool_choice")
    if isinstance(choice, dict):
        named = losses.read(choice, "tool_choice", ("type", "name"))
        if named.get("type") != "function":
            raise refusal("tool_choice.type", f"{named.get('type')!r} has no counterpart")
        choice = {"type": "function", "function": {"name": named.get("name")}}
    if choice is not None and "tools" in made:
        made["tool_choice"] = choice
    return made


def _tool(said: Any, losses: Losses) -> Shape:
    kind = kind_of(said, "tools")
    if kind != "function":
        raise refusal("tools.type", f"{kind!r} is run by its vendor, and by no other")
    known = ("type", "name", "description", "parameters", "strict")
    tool = losses.read(said, "tools", known)
    return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}


def _configured(said: Shape, losses: Losses) -> Shape:
    made: Shape = {}
    thinking = losses.read(
        said.get("reasoning", {}), "reasoning", ("effort",), hints=("summary", "generate_summary")
    )
    if "effort" in thinking:
        made["reasoning_effort"] = thinking["effort"]
    wanted = losses.read(said.get("text", {}), "text", ("format", "verbosity"))
    if "verbosity" in wanted:
        made["verbosity"] = wanted["verbosity"]
    form = wanted.get("format")
    if form is None or kind_of(form, "text.format") == "text":
        return made
    kind = form["type"]
    if kind == "json_schema":
        inner = {name: value for name, value in form.items() if name != "type"}
        made["response_format"] = {"type": kind, kind: inner}
    elif kind == "json_object":
        made["response_format"] = {"type": kind}
    else:
        raise refusal("text.format", f"of the type {kind!r} has no counterpart")
    return made


# --- items


def _add(messages: list[Shape], item: Any, losses: Losses) -> None:
    kind = item.get("type", "message") if isinstance(item, dict) else None
    if not isinstance(kind, str):
        raise refusal("input", "must be a text or a list of items with a type")
    if kind == "reasoning":
        losses.hint("input.reasoning")
    elif kind in _ITEMS:
        _ITEMS[kind](messages, item, losses)
    else:
        raise refusal(f"input.{kind}", "has no counterpart in the target's dialect")


def _message(messages: list[Shape], item: Shape, losses: Losses) -> None:
    known = (*_MARKS, "role", "content", "phase")
    said = losses.read(item, "input.message", known)
    role, content = said.get("role"), said.get("content")
    if role not in ("user", "assistant", "system", "developer"):
        raise refusal("input.message.role", f"{role!r} has no counterpart")
    if not isinstance(content, str):
        parts = [_part(part, losses) for part in list_of(content, "input.message.content")]
        if role == "assistant":
            parts = [{"type": "text", "text": "".join(part["text"] for part in parts)}]
        content = said_of(parts)
    messages.append({"role": role, "content": content})


def _part(part: Any, losses: Losses) -> Part:
    where = f"input.message.{kind_of(part, 'input.message.content')}"
    match part["type"]:
        case "input_text" | "output_text":
            said = losses.read(part, where, ("type", "text"), hints=("annotations",), neutral=_IDLE)
            return {"type": "text", "text": text_of(said.get("text"), where)}
        case "refusal":
            said = losses.read(part, where, ("type", "refusal"))
            return {"type": "text", "text": text_of(said.get("refusal"), where)}
        case "input_image":
            said = losses.read(part, where, ("type", "image_url", "detail"))
            url = text_of(said.get("image_url"), where)
            picture = {"url": url, **({"detail": said["detail"]} if "detail" in said else {})}
            return {"type": "image_url", "image_url": picture}
        case "input_file":
            said = losses.read(part, where, ("type", "file_data", "filename"))
            file = {name: said[name] for name in ("filename", "file_data") if name in said}
            return {"type": "file", "file": file}
        case _:
            raise refusal(where, "has no counterpart in the target's dialect")


def _call(messages: list[Shape], item: Shape, losses: Losses) -> None:
    known = (*_MARKS, "call_id", "name", "arguments")
    said = losses.read(item, "input.function_call", known)
    call = {
        "id": text_of(said.get("call_id"), "input.function_call.call_id"),
        "type": "function",
        "function": {"name": said.get("name"), "arguments": said.get("arguments", "")},
    }
    if messages and messages[-1]["role"] == "assistant":
        messages[-1].setdefault("tool_calls", []).append(call)
    else:
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})


def _output(messages: list[Shape], item: Shape, losses: Losses) -> None:
    where = "input.function_call_output"
    said = losses.read(item, where, (*_MARKS, "call_id", "output", "name"))
    output = said.get("output", "")
    if not isinstance(output, str):
        parts = [_part(part, losses) for part in list_of(output, where)]
        if any(part["type"] != "text" for part in parts):
            raise refusal(where, "can only be text: a tool message has nothing else")
        output = said_of(parts) if parts else ""
    named = text_of(said.get("call_id"), f"{where}.call_id")
    messages.append({"role": "tool", "tool_call_id": named, "content": output})


_ITEMS: Final[dict[str, Callable[[list[Shape], Shape, Losses], None]]] = {
    "message": _message,
    "function_call": _call,
    "function_call_output": _output,
}
