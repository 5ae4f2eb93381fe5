"""What a call used and what that costs, as far as the vendor says so.

A vendor that reports nothing is estimated, and the estimate is marked. A price that is
not known gives no cost at all: unknown is never zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from routing.gateway.detectors.words import without_credentials
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
    is_open: bool = False  # it goes on at the vendor: what was held for it is spent

    def cost_micros(self, model: Model) -> int | None:
        """Return the cost in micro-units of the model's currency; None when a price is unknown."""
        if model.input_price is None or (model.output_price is None and self.output_tokens):
            return None
        cached_price = (
            model.input_price if model.cached_input_price is None else model.cached_input_price
        )
        cached = min(self.cached_tokens, self.input_tokens)
        total = (
            (self.input_tokens - cached) * model.input_price
            + cached * cached_price
            + self.output_tokens * (model.output_price or 0)
        )
        return min((total + 500_000) // 1_000_000, _LARGEST_FACT)


def reported_model(document: Any) -> str:
    """Return what the vendor calls the model that answered."""
    return short(document.get("model")) if isinstance(document, dict) else ""


def reported_error(document: Any) -> str:
    """Return the vendor's own code or type of an error, empty when there is none."""
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return "error" if error else ""
    return short(error.get("code")) or short(error.get("type")) or "error"


def estimated(request_bytes: int, texts: Iterable[str]) -> Usage:
    """Guess from the sizes of what went out and of the texts that came back."""
    made = sum(len(text.encode("utf-8", "replace")) for text in texts)
    return Usage(
        max(1, request_bytes // _BYTES_PER_TOKEN),
        -(-made // _BYTES_PER_TOKEN),
        is_estimated=True,
    )


def short(value: Any) -> str:
    """Return a vendor's text as it can go into the record, whatever it is."""
    if not isinstance(value, str):
        return ""
    # Searched further than it is kept: the cut must not hide what a credential begins like.
    return "".join(filter(str.isprintable, without_credentials(value[:1000])[:200]))


def count(value: Any) -> int | None:
    """Return a number of tokens, None for what is none."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST
    return value if is_count else None


def count_in(container: Any, name: str) -> int:
    """Return a number of tokens inside an object that may not be there; 0 when it is not."""
    return (count(container.get(name)) or 0) if isinstance(container, dict) else 0
