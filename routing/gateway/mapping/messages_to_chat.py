"""A call of Anthropic's messages said as a chat completions call.

Owns the other half of the turns: the results of tools become messages of their own, and a
user's words that came with them follow.
"""

from __future__ import annotations

from typing import Any, Final

from routing.gateway.mapping.content import Part, parts_of, plain_text, said_of
from routing.gateway.mapping.effort import effort_for_chat
from routing.gateway.mapping.losses import Losses, kind_of, list_of, refusal, text_of
from routing.gateway.mapping.tools import call_of, choice_for_chat, tools_for_chat

Shape = dict[str, Any]

_KNOWN: Final = frozenset(
    {
        "max_tokens", "messages", "metadata", "model", "output_config", "stop_sequences",
        "stream", "system", "temperature", "thinking", "tool_choice", "tools", "top_p",
    }
)  # fmt: skip
_HINTS: Final = frozenset(
    {"cache_control", "context_management", "diagnostics", "service_tier", "speed"}
)
_NEUTRAL: Final = {
    "context_management": ({}, {"edits": []}),
    "mcp_servers": ([],),
    "service_tier": ("auto",),
    "speed": ("standard",),
}
_SCHEMA_NAME: Final = "answer"  # OpenAI wants one, and the model is not told of it
_THOUGHTS: Final = ("thinking", "redacted_thinking")


def call_for_chat(call: Any, *, model: str, losses: Losses) -> Shape:
    """Return the call in the other dialect. Raises: CannotTranslate."""
    said = losses.read(call, "", _KNOWN, hints=_HINTS, neutral=_NEUTRAL)
    limit = said.get("max_tokens")
    if type(limit) is not int or limit < 1:
        raise refusal("max_tokens", "must be a whole number from 1 on")
    messages = _system(said.get("system"), losses)
    for message in list_of(said.get("messages"), "messages"):
        messages += _messages(message, losses)
    if messages and messages[-1]["role"] == "assistant":
        raise refusal(
            "messages", "end with words for the assistant to go on from, which has no like"
        )
    made: Shape = {"model": model, "messages": messages, "max_tokens": limit}
    if said.get("stream"):
        made |= {"stream": True, "stream_options": {"include_usage": True}}
    made |= {name: said[name] for name in ("temperature", "top_p") if name in said}
    if said.get("stop_sequences"):
        made["stop"] = list_of(said["stop_sequences"], "stop_sequences")
    return made | _offered(said, losses) | _configured(said, losses)


def _offered(said: Shape, losses: Losses) -> Shape:
    made: Shape = {}
    if said.get("tools"):
        made["tools"] = tools_for_chat(said["tools"], losses)
        if "tool_choice" in said:
            made |= choice_for_chat(said["tool_choice"], losses)
    named = losses.read(said.get("metadata", {}), "metadata", ("user_id",))
    if named:
        made["user"] = text_of(named["user_id"], "metadata.user_id")
    return made


def _configured(said: Shape, losses: Losses) -> Shape:
    made: Shape = {}
    wanted = losses.read(said.get("output_config", {}), "output_config", ("effort", "format"))
    if "format" in wanted:
        known = ("type", "schema")
        form = losses.read(wanted["format"], "output_config.format", known)
        if form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
            raise refusal("output_config.format", "must be a json_schema with a schema")
        schema = {"name": _SCHEMA_NAME, "schema": form["schema"], "strict": True}
        made["response_format"] = {"type": "json_schema", "json_schema": schema}
    effort = effort_for_chat(said.get("thinking"), wanted.get("effort"), losses)
    if effort is not None:
        made["reasoning_effort"] = effort
    return made


# --- turns


def _system(said: Any, losses: Losses) -> list[Shape]:
    content = _instructions(said, "system", losses)
    return [{"role": "system", "content": content}] if content else []


def _instructions(said: Any, where: str, losses: Losses) -> str | list[Part]:
    if said is None or isinstance(said, str):
        return said or ""
    blocks = list_of(said, where)
    if any(kind_of(block, where) != "text" for block in blocks):
        raise refusal(where, "can only be text")
    return said_of([{"type": "text", "text": plain_text(one, where, losses)} for one in blocks])


def _messages(said: Any, losses: Losses) -> list[Shape]:
    message = losses.read(said, "messages", ("role", "content"))
    role, content = message.get("role"), message.get("content")
    if role not in ("user", "assistant", "system"):
        raise refusal("messages.role", f"{role!r} has no counterpart in the target's dialect")
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    blocks = list_of(content, "messages.content")
    if role == "system":
        return [{"role": role, "content": _instructions(blocks, "messages.content", losses)}]
    return _assistant(blocks, losses) if role == "assistant" else _user(blocks, losses)


def _assistant(blocks: list[Any], losses: Losses) -> list[Shape]:
    texts: list[str] = []
    calls: list[Shape] = []
    for block in blocks:
        kind = kind_of(block, "messages.content")
        if kind == "text":
            texts.append(plain_text(block, "messages.content.text", losses))
        elif kind == "tool_use":
            calls.append(call_of(block, losses))
        elif kind in _THOUGHTS:
            losses.hint("messages.content.thinking")
        else:
            raise refusal(f"messages.content.{kind}", "has no counterpart in the target's dialect")
    made: Shape = {"role": "assistant", "content": "".join(texts) or None}
    if calls:
        made["tool_calls"] = calls
    elif not texts:
        return []
    return [made]


def _user(blocks: list[Any], losses: Losses) -> list[Shape]:
    made: list[Shape] = []
    rest: list[Any] = []
    for block in blocks:
        if kind_of(block, "messages.content") == "tool_result":
            made.append(_result(block, losses))
        else:
            rest.append(block)
    if rest:
        parts = parts_of(rest, "messages.content", losses)
        made.append({"role": "user", "content": said_of(parts)})
    return made


def _result(block: Any, losses: Losses) -> Shape:
    where = "messages.content.tool_result"
    known = ("type", "tool_use_id", "content", "is_error")
    said = losses.read(block, where, known, hints=("cache_control",))
    content = said.get("content", "")
    if isinstance(content, list):
        if any(kind_of(part, where) != "text" for part in content):
            raise refusal(where, "can only be text: a tool message has nothing else")
        content = said_of(parts_of(content, where, losses)) if content else ""
    if said.get("is_error"):
        losses.change("messages.content.tool_result.is_error: said in its text")
        content = _as_failure(content)
    return {
        "role": "tool",
        "tool_call_id": text_of(said.get("tool_use_id"), f"{where}.tool_use_id"),
        "content": content,
    }


def _as_failure(content: str | list[Part]) -> str | list[Part]:
    if isinstance(content, str):
        return content if content[:5].lower() == "error" else f"Error: {content}"
    return [{"type": "text", "text": "Error:"}, *content]
