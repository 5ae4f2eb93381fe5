"""A change of a model in words: what happened, what was before, what is after."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from routing.models import LifecycleChange
from routing.queries.limits import limit_words

_WHAT: Final = {
    "announced": "An end was announced",
    "moved": "Its end moved",
    "withdrawn": "Its end was taken back",
    "replaced": "Another replacement",
    "retired": "It was retired",
    "price": "Its price changed",
    "rate_limit": "Its rate limit changed",
    "endpoint": "The address changed",
    "api_version": "The API version changed",
}


@dataclass(frozen=True, slots=True)
class Words:
    """A change as a row of a table says it."""

    what: str
    before: str
    after: str


def told(change: LifecycleChange) -> Words:
    """Return a change in words."""
    say = {"price": _price, "rate_limit": limit_words, "replaced": _replacement}.get(
        change.kind, _end
    )
    return Words(_WHAT.get(change.kind, change.kind), say(change.before), say(change.after))


def _end(state: dict[str, Any]) -> str:
    if "value" in state:
        return str(state["value"])
    precision = "earliest " if state.get("date_precision") == "earliest" else ""
    day = f"{precision}{state['retires_on']}" if state.get("retires_on") else ""
    return ", ".join(filter(None, (day, str(state.get("status") or ""))))


def _replacement(state: dict[str, Any]) -> str:
    return str(state.get("replacement") or "")


def _price(state: dict[str, Any]) -> str:
    def dollars(micros: Any) -> str:
        return "unknown" if micros is None else f"{(Decimal(micros) / 1_000_000).normalize():f}"

    said = state.get("input_micros_per_mtok"), state.get("output_micros_per_mtok")
    return f"{dollars(said[0])} in, {dollars(said[1])} out ({state.get('currency', '')})"
