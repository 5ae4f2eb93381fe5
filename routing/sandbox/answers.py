"""What the sandbox answers: a pure function of the request, labelled as what it is.

There is no model. The text says so, repeats what was said and counts it, so that a first
call shows words, usage and cost without a vendor's key. A token here is a word or a sign.
Requests are refused as the real vendor refuses them, for the same reasons.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from kernel.canonical import digest

MODEL: Final = "sandbox-1"
MADE_AT: Final = 1795219200  # 2026-11-21, when the sandbox was written
MAX_CHOICES: Final = 8
_TOKEN: Final = re.compile(r"\w+|[^\w\s]")


class Refused(Exception):
    """An error of the OpenAI dialect: status, message, code and the parameter at fault."""

    def __init__(self, status: int, message: str, code: str | None, param: str | None = None):
        self.status = status
        self.document = {
            "error": {
                "message": message,
                "type": "server_error" if status >= 500 else "invalid_request_error",
                "param": param,
                "code": code,
            }
        }
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, before it is written whole or in pieces."""

    answer_id: str
    pieces: list[str]
    choices: int
    finish_reason: str
    prompt_tokens: int
    streamed: bool
    usage_wanted: bool

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def usage(self) -> dict[str, Any]:
        completion = count_tokens(self.text) * self.choices
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }


def models() -> dict[str, Any]:
    """Return the list of the one model."""
    return {"object": "list", "data": [model(MODEL)]}


def model(name: str) -> dict[str, Any]:
    """Return the one model. Raises: Refused."""
    if name != MODEL:
        raise Refused(404, f"The model `{name[:100]}` does not exist.", "model_not_found", "model")
    return {"id": MODEL, "object": "model", "created": MADE_AT, "owned_by": "unsprawl-sandbox"}


def answer_to(request: object) -> Answer:
    """Answer a chat completion request. Raises: Refused."""
    if not isinstance(request, dict):
        raise Refused(400, "The body must be a JSON object.", None)
    name = request.get("model")
    if not isinstance(name, str) or not name:
        raise Refused(400, "You must provide a model parameter.", None, "model")
    model(name)
    texts = [_text_of(message) for message in _messages(request)]
    prompt_tokens = sum(count_tokens(text) for text in texts)
    pieces = _pieces(_reply(texts[-1]))
    limit = _whole(request, "max_completion_tokens") or _whole(request, "max_tokens")
    return Answer(
        answer_id="chatcmpl-" + digest(request).removeprefix("sha256:")[:24],
        pieces=pieces[:limit],
        choices=_whole(request, "n", most=MAX_CHOICES) or 1,
        finish_reason="length" if limit is not None and limit < len(pieces) else "stop",
        prompt_tokens=prompt_tokens,
        streamed=_flag(request, "stream"),
        usage_wanted=_flag(request.get("stream_options") or {}, "include_usage"),
    )


def count_tokens(text: str) -> int:
    """Count words and signs."""
    return len(_TOKEN.findall(text))


def whole(answer: Answer, created: int) -> dict[str, Any]:
    """Write an answer as one document."""
    return {
        "id": answer.answer_id,
        "object": "chat.completion",
        "created": created,
        "model": MODEL,
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": answer.text, "refusal": None},
                "logprobs": None,
                "finish_reason": answer.finish_reason,
            }
            for index in range(answer.choices)
        ],
        "usage": answer.usage,
        "service_tier": "default",
        "system_fingerprint": "sandbox",
    }


def chunks(answer: Answer, created: int) -> list[dict[str, Any]]:
    """Write an answer in pieces; usage comes last and only when it was asked for."""
    found = []
    for index in range(answer.choices):
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "", "refusal": None}]
        deltas += [{"content": piece} for piece in answer.pieces]
        found += [_choice(index, delta, None) for delta in deltas]
        found.append(_choice(index, {}, answer.finish_reason))
    head = {
        "id": answer.answer_id,
        "object": "chat.completion.chunk",
        "created": created,
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": "sandbox",
    }
    written = [head | {"choices": [choice]} for choice in found]
    if answer.usage_wanted:
        written = [chunk | {"usage": None} for chunk in written]
        written.append(head | {"choices": [], "usage": answer.usage})
    return written


def _choice(index: int, delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _reply(said: str) -> str:
    words = len(said.split())
    counted = "1 word" if words == 1 else f"{words} words"
    return f"{MODEL}: no model behind it. You said ({counted}): {said}"


def _pieces(text: str) -> list[str]:
    """Split a text into its tokens, each with the space that follows it."""
    starts = [match.start() for match in _TOKEN.finditer(text)] or [0]
    starts[0] = 0
    return [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]


def _messages(request: dict[str, Any]) -> list[Any]:
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "Missing required parameter: 'messages'.", None, "messages")
    return messages


def _text_of(message: object) -> str:
    match message:
        case {"role": str(), "content": str(text)}:
            return text
        case {"role": str(), "content": list(parts)}:
            return " ".join(_part(part) for part in parts)
        case {"role": "assistant"} | {"role": str(), "content": None}:
            return ""
        case _:
            raise Refused(400, "Each message needs a role and content.", None, "messages")


def _part(part: object) -> str:
    match part:
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": str(kind)}:
            return f"[{kind}]"
        case _:
            raise Refused(400, "Each part of a message needs a type.", None, "messages")


def _whole(request: dict[str, Any], name: str, most: int = 1_000_000) -> int | None:
    value = request.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise Refused(400, f"'{name}' must be a whole number from 1 to {most}.", None, name)
    return value


def _flag(request: object, name: str) -> bool:
    value = request.get(name) if isinstance(request, dict) else "neither"
    if value not in {None, True, False} or isinstance(value, int) is not isinstance(value, bool):
        raise Refused(400, f"'{name}' must be true or false.", None, name)
    return bool(value)
