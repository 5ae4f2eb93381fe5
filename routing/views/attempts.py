"""Attempts in words: which belong to one call, and why each went where it did.

Reads what the ledger's intents and results say beyond the row of a call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from routing.models import Call, Run
from routing.queries.record import facts_of
from routing.views.found_words import found_words

_REASONS: Final = {
    "http_429": "the vendor's limit (HTTP 429)",
    "http_529": "an overloaded vendor (HTTP 529)",
    "vendor_unreachable": "no connection",
    "vendor_slow": "a time-out",
    "vendor_garbage": "an answer that is none",
    "vendor_redirected": "a redirect",
    "upstream_cut": "a connection that broke",
    "stream_error": "an error in the stream",
    "breaker_open": "an open breaker",
    "vendor_stopped": "a vendor that was stopped",
}
_CHOICES: Final = {
    "canary": "first as a canary",
    "override": "first by an override",
    "cheapest": "chosen as the cheapest",
    "fastest": "chosen as the fastest",
    "listed": "in the order of the list",
}


@dataclass(frozen=True, slots=True)
class ShownCall:
    """An attempt as a row of the run's page."""

    call: Call
    is_later: bool  # not the first row of its call
    went_on: bool  # another attempt followed
    words: list[str] = field(default_factory=list)


def shown_calls(run: Run, calls: Sequence[Call]) -> list[ShownCall]:
    """Return rows with the attempts of each call next to each other, and what they say."""
    told = facts_of(run, [call.intent_id for call in calls])
    groups: dict[str, list[Call]] = {}
    for call in calls:
        groups.setdefault(call.call, []).append(call)
    shown = []
    for attempts in groups.values():
        # A shadow stands last, whenever it began.
        ordered = sorted(attempts, key=lambda each: (each.is_shadow, each.attempt))
        last = max(each.attempt for each in attempts)
        for number, each in enumerate(ordered):
            words = call_words(each, told.get(each.intent_id, {}))
            went_on = not each.is_shadow and each.attempt < last
            shown.append(ShownCall(each, number > 0 or each.attempt != 1, went_on, words))
    return shown


def reason_words(reason: str) -> str:
    """Say why an attempt did not serve."""
    if reason in _REASONS:
        return _REASONS[reason]
    kind, _, status = reason.partition("_")
    return f"HTTP {status}" if kind == "http" else reason.replace("_", " ")


def call_words(call: Call | None, facts: Mapping[str, Any]) -> list[str]:
    """Say of an attempt why it was made, what was changed of it, and what was found in it."""
    words = []
    if call is not None and call.is_shadow:
        words.append("shadow: its answer went nowhere")
    elif call is not None and call.attempt > 1:
        words.append(f"attempt {call.attempt}, after {reason_words(call.fallback_reason)}")
    elif call is not None and call.fallback_reason:
        words.append(f"another was left alone: {reason_words(call.fallback_reason)}")
    if call is not None and call.choice:
        words.append(_CHOICES.get(call.choice, call.choice))
    if step := facts.get("step"):
        words.append(f"step {step}")
    if way := facts.get("translated"):
        words.append(f"translated {str(way).replace('->', ' to ')}")
    words += _listed("left out", facts.get("params_dropped"))
    words += _listed("changed", facts.get("params_changed"))
    words += _listed("lost on the way back", facts.get("lost_in_translation"))
    words += _listed("tools called", facts.get("tool_calls"))
    words += _listed("calls of tools kept back", facts.get("tool_calls_refused"))
    words += _listed("tools taken out", facts.get("tools_stripped"))
    words += _listed("tools not declared", facts.get("tools_undeclared"))
    words += _listed("passed over", facts.get("passed_over"))
    words += found_words(facts)
    return words


def _listed(what: str, values: Any) -> Iterable[str]:
    named = [str(value)[:120] for value in values] if isinstance(values, list) else []
    return [f"{what}: {', '.join(named[:6])}"] if named else []
