"""A chat completions call said as a call of Anthropic's messages.

Owns the hoisting of instructions, the merging of turns (Anthropic joins neighbours of one
role and wants the results of tools first) and the limit that Anthropic demands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from routing.gateway.mapping.content import Part, blocks_of, said_of
from routing.gateway.mapping.effort import thinking_for_messages
from routing.gateway.mapping.losses import Losses, list_of, refusal, text_of
from routing.gateway.mapping.tools import (
    choice_for_messages,
    tool_id,
    tools_for_messages,
    use_of,
)

Shape = dict[str, Any]

# What a call gets that names no limit, where the catalogue knows none of the model either:
# every model that Anthropic serves can answer as much.
UNLIMITED: Final = 8192

_KNOWN: Final = frozenset(
    {
        "max_completion_tokens", "max_tokens", "messages", "model", "parallel_tool_calls",
        "reasoning_effort", "response_format", "safety_identifier", "stop", "stream",
        "stream_options", "temperature", "tool_choice", "tools", "top_k", "top_p", "user",
    }
)  # fmt: skip
_HINTS: Final = frozenset(
    {
        "metadata", "prediction", "prompt_cache_key", "prompt_cache_options",
        "prompt_cache_retention", "seed", "service_tier", "store", "verbosity",
    }
)  # fmt: skip
_NEUTRAL: Final = {
    "frequency_penalty": (0,),
    "function_call": ("none",),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "metadata": ({},),
    "modalities": (["text"],),
    "n": (1,),
    "presence_penalty": (0,),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
}
_INSTRUCTS: Final = ("system", "developer")
_THOUGHTS: Final = ("annotations", "parsed", "reasoning", "reasoning_content")


def call_for_messages(call: Any, *, model: str, most: int | None, losses: Losses) -> Shape:
    """Return the call in the other dialect. Raises: CannotTranslate."""
    said = losses.read(call, "", _KNOWN, hints=_HINTS, neutral=_NEUTRAL)
    system, messages = _turns(list_of(said.get("messages"), "messages"), losses)
    limit = said.get("max_completion_tokens") or said.get("max_tokens") or most or UNLIMITED
    made: Shape = {"model": model, "max_tokens": limit, "messages": messages}
    if system:
        made["system"] = said_of(system)
    if said.get("stream"):
        made["stream"] = True
    _sampling(said, made)
    _offer(said, made, losses)
    _identify(said, made, losses)
    effort = said.get("reasoning_effort")
    if effort is not None:
        in_loop = _role(said["messages"][-1]) == "tool"
        made |= thinking_for_messages(effort, model, limit, losses, in_tool_loop=in_loop)
    if (wanted := _format(said.get("response_format"), losses)) is not None:
        made["output_config"] = {**made.get("output_config", {}), "format": wanted}
    return made


def _sampling(said: Shape, made: Shape) -> None:
    warmth = said.get("temperature")
    if isinstance(warmth, int | float) and warmth > 1:
        raise refusal("temperature", "above 1 has no counterpart: the target takes 0 to 1")
    made |= {name: said[name] for name in ("temperature", "top_p", "top_k") if name in said}
    if (stop := said.get("stop")) is not None:
        made["stop_sequences"] = [stop] if isinstance(stop, str) else list_of(stop, "stop")


def _offer(said: Shape, made: Shape, losses: Losses) -> None:
    if said.get("tools"):
        made["tools"] = tools_for_messages(said["tools"], losses)
        parallel = said.get("parallel_tool_calls")
        choice = choice_for_messages(said.get("tool_choice"), parallel, losses)
        if choice is not None:
            made["tool_choice"] = choice
    elif said.get("tool_choice") not in (None, "none", "auto"):
        raise refusal("tool_choice", "is said and no tools are offered")


def _identify(said: Shape, made: Shape, losses: Losses) -> None:
    named = [said[name] for name in ("safety_identifier", "user") if name in said]
    if named:
        made["metadata"] = {"user_id": text_of(named[0], "user")}
        if named[-1] != named[0]:
            losses.hint("user")
    options = losses.read(
        said.get("stream_options", {}), "stream_options", ("include_usage",),
        hints=("include_obfuscation",), neutral={"include_obfuscation": (False,)},
    )  # fmt: skip
    if options and not said.get("stream"):
        raise refusal("stream_options", "is said of a call that is not streamed")


def _format(said: Any, losses: Losses) -> Shape | None:
    if said is None:
        return None
    wanted = losses.read(said, "response_format", ("type", "json_schema"))
    kind = wanted.get("type")
    if kind == "text":
        return None
    if kind != "json_schema":
        raise refusal("response_format", f"of the type {kind!r} has no counterpart")
    known = ("name", "schema", "strict", "description")
    schema = losses.read(wanted.get("json_schema"), "response_format.json_schema", known)
    if not isinstance(schema.get("schema"), dict):
        raise refusal("response_format.json_schema.schema", "must be an object")
    return {"type": "json_schema", "schema": schema["schema"]}


# --- turns


def _turns(messages: list[Any], losses: Losses) -> tuple[list[Part], list[Shape]]:
    system: list[Part] = []
    turns: list[Shape] = []
    for message in messages:
        role = _role(message)
        if role in _INSTRUCTS:
            if turns:
                losses.change("messages: later instructions moved to the beginning")
            system += _instructions(message, losses)
        elif role in _SPEAKS:
            speaker, speak = _SPEAKS[role]
            _add(turns, speaker, speak(message, losses))
        else:
            raise refusal("messages.role", f"{role!r} has no counterpart in the target's dialect")
    if turns and turns[-1]["role"] == "assistant":
        why = "end with the assistant's own words, which the target would continue"
        raise refusal("messages", why)
    for turn in turns:
        turn["content"] = said_of(turn["content"])
    return system, turns


def _role(message: Any) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    return role if isinstance(role, str) else ""


def _add(turns: list[Shape], role: str, blocks: list[Part]) -> None:
    if not blocks:
        return
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": blocks})


def _instructions(message: Shape, losses: Losses) -> list[Part]:
    said = losses.read(message, "messages", ("role", "content"))
    blocks = blocks_of(said.get("content"), "messages.content", losses)
    if any(block["type"] != "text" for block in blocks):
        raise refusal("messages.content", "of instructions can only be text")
    return blocks


def _user(message: Shape, losses: Losses) -> list[Part]:
    said = losses.read(message, "messages", ("role", "content"))
    return blocks_of(said.get("content"), "messages.content", losses)


def _assistant(message: Shape, losses: Losses) -> list[Part]:
    said = losses.read(
        message, "messages", ("role", "content", "refusal", "tool_calls"), hints=_THOUGHTS,
        neutral={"annotations": ([],), "reasoning_content": ("",), "reasoning": ("",)},
    )  # fmt: skip
    blocks = blocks_of(said.get("content"), "messages.content", losses)
    blocks += blocks_of(said.get("refusal"), "messages.refusal", losses)
    calls = list_of(said.get("tool_calls", []), "messages.tool_calls")
    return blocks + [use_of(call, losses) for call in calls]


def _result(message: Shape, losses: Losses) -> list[Part]:
    # The name of the tool says nothing that the id of the call does not.
    known = ("role", "content", "tool_call_id", "name")
    said = losses.read(message, "messages", known)
    content = said.get("content", "")
    if not isinstance(content, str):
        content = said_of(blocks_of(content, "messages.content", losses))
    named = tool_id(said.get("tool_call_id"), "messages.tool_call_id")
    return [{"type": "tool_result", "tool_use_id": named, "content": content}]


_SPEAKS: Final[dict[str, tuple[str, Callable[[Shape, Losses], list[Part]]]]] = {
    "user": ("user", _user),
    "assistant": ("assistant", _assistant),
    "tool": ("user", _result),
}
