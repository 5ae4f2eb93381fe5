"""Why an answer ended and what it used, in the words of either dialect."""

from __future__ import annotations

from typing import Any, Final

from routing.gateway.metering import count, count_in

# A stop sequence is a stop; a full context window is a length; a paused turn is not complete.
FINISH_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_STOP_REASONS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


def finish_reason(stop_reason: Any) -> str:
    """Return a stop_reason as a finish_reason."""
    return FINISH_REASONS.get(str(stop_reason), "stop")


def stop_reason(finish: Any, *, called: bool, refused: bool) -> str:
    """Return a finish_reason as a stop_reason.

    A call of a tool that was asked for by name ends in "stop", and so does a refusal: what
    was said decides then.
    """
    if refused:
        return "refusal"
    if finish == "stop" and called:
        return "tool_use"
    return _STOP_REASONS.get(str(finish), "end_turn")


def index_of(call: dict[str, Any], next_one: int) -> int:
    """Return which call a piece belongs to; some servers number none and name each."""
    index = call.get("index")
    if type(index) is int:
        return index
    return next_one if call.get("id") else max(0, next_one - 1)


def chat_usage(usage: Any) -> dict[str, Any] | None:
    """Return a messages answer's usage as a chat answer's. Cached input is part of the input."""
    if not isinstance(usage, dict):
        return None
    given, made = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
    if given is None or made is None:
        return None
    cached = count_in(usage, "cache_read_input_tokens")
    written = count_in(usage, "cache_creation_input_tokens")
    found: dict[str, Any] = {
        "prompt_tokens": given + cached + written,
        "completion_tokens": made,
        "total_tokens": given + cached + written + made,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
    }
    thought = count_in(usage.get("output_tokens_details"), "thinking_tokens")
    if thought:
        found["completion_tokens_details"] = {"reasoning_tokens": thought}
    return found


def messages_usage(usage: Any) -> dict[str, Any]:
    """Return a chat answer's usage as a messages answer's, zeros where nothing is reported."""
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    cached = count_in(details, "cached_tokens")
    written = count_in(details, "cache_write_tokens")
    found: dict[str, Any] = {
        "input_tokens": max(0, count_in(usage, "prompt_tokens") - cached - written),
        "output_tokens": count_in(usage, "completion_tokens"),
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": written,
    }
    told = usage.get("completion_tokens_details") if isinstance(usage, dict) else None
    if thought := count_in(told, "reasoning_tokens"):
        found["output_tokens_details"] = {"thinking_tokens": thought}
    return found
