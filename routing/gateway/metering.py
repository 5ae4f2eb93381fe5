"""What a call used and what that costs, as far as the vendor says so.

A vendor that reports nothing is estimated, and the estimate is marked. A price that is
not known gives no cost at all: unknown is never zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from routing.gateway.snapshot import Model

_BYTES_PER_TOKEN: Final = 4
_LARGEST_FACT: Final = 2**53 - 1
# More than this is no count but nonsense, and is treated as not reported.
_LARGEST: Final = 10**9


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    is_estimated: bool = False

    def cost_micros(self, model: Model) -> int | None:
        """Return the cost in micro-units of the model's currency; None when a price is unknown."""
        if model.input_price is None or model.output_price is None:
            return None
        cached_price = (
            model.input_price if model.cached_input_price is None else model.cached_input_price
        )
        cached = min(self.cached_tokens, self.input_tokens)
        total = (
            (self.input_tokens - cached) * model.input_price
            + cached * cached_price
            + self.output_tokens * model.output_price
        )
        return min((total + 500_000) // 1_000_000, _LARGEST_FACT)


def reported(document: Any) -> Usage | None:
    """Read the usage of an OpenAI-shaped answer or chunk, None when it reports none."""
    usage = document.get("usage") if isinstance(document, dict) else None
    if not isinstance(usage, dict):
        return None
    given, made = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    if given is None or made is None:
        return None
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0
    return Usage(given, made, cached or 0)


def reported_model(document: Any) -> str:
    """Return what the vendor calls the model that answered."""
    return _short(document.get("model")) if isinstance(document, dict) else ""


def reported_error(document: Any) -> str:
    """Return the vendor's own code or type of an error, empty when there is none."""
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return "error" if error else ""
    return _short(error.get("code")) or _short(error.get("type")) or "error"


def estimated(request_bytes: int, texts: Iterable[str]) -> Usage:
    """Guess from the sizes of what went out and of the texts that came back."""
    made = sum(len(text.encode("utf-8", "replace")) for text in texts)
    return Usage(
        max(1, request_bytes // _BYTES_PER_TOKEN),
        -(-made // _BYTES_PER_TOKEN),
        is_estimated=True,
    )


def texts_of(documents: Iterable[bytes]) -> Iterable[str]:
    """Yield the texts in OpenAI-shaped answers or chunks; what cannot be read has none."""
    for raw in documents:
        try:
            document = orjson.loads(raw)
        except orjson.JSONDecodeError:
            continue
        choices = document.get("choices") if isinstance(document, dict) else None
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                yield from _texts(choice.get("message") or choice.get("delta"))


def _texts(said: Any) -> Iterable[str]:
    if not isinstance(said, dict):
        return
    for name in ("content", "reasoning_content", "refusal"):
        if isinstance(text := said.get(name), str):
            yield text
    calls = said.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(text := function.get("arguments"), str):
            yield text


def _short(value: Any) -> str:
    # A vendor's text goes into the record: nothing in it may keep the entry from being written.
    return "".join(filter(str.isprintable, value[:200])) if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST
    return value if is_count else None
