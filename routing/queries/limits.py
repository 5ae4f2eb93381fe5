"""Limits that vendors' answers name, under the names that people know them by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from routing.models import ModelLimits
from routing.models.limits import MEASURES

_WORDS: Final = (
    ("requests_per_minute", "requests a minute"),
    ("requests_per_day", "requests a day"),
    ("tokens_per_minute", "tokens a minute"),
    ("input_tokens_per_minute", "input tokens a minute"),
    ("output_tokens_per_minute", "output tokens a minute"),
)
_PER_DAY: Final = frozenset({"groq"})  # whose header of requests counts a day's


def limits_told(limits: ModelLimits, platform: str) -> dict[str, int]:
    """Return limits under the names that people know them by; what is not known is left out."""
    every = "requests_per_day" if platform in _PER_DAY else "requests_per_minute"
    names = {"requests": every} | {name: f"{name}_per_minute" for name in MEASURES[1:]}
    found = {names[name]: getattr(limits, name) for name in MEASURES}
    return {name: value for name, value in found.items() if value is not None}


def limit_words(state: Mapping[str, Any]) -> str:
    """Return limits in words; empty where none is known."""
    return ", ".join(f"{state[name]:,} {word}" for name, word in _WORDS if state.get(name))


def limits_line(limits: ModelLimits) -> str:
    """Return what a vendor's answers say of a model's limits as one line."""
    return limit_words(limits_told(limits, limits.model.vendor.platform))
