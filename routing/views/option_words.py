"""A route's options in words, for its page and for what a change would change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from routing.forms.route_options import CHOICE_WORDS, FALLBACK_WORDS, TOOL_WORDS
from routing.gateway.options import FALLS_BACK_ON
from routing.views.found_words import detector_words


def option_words(said: Mapping[str, Any]) -> dict[str, str]:
    """Return what a route does, by what it is about; what is not said is told as it is."""
    listed = said.get("fallback_on", list(FALLS_BACK_ON))
    words = {
        "First among equals": CHOICE_WORDS[said.get("choose", "listed")],
        "Goes on after": ", ".join(FALLBACK_WORDS.get(word, word) for word in listed) or "nothing",
        "Waits for the first byte": _time(said.get("first_byte_ms"), "ten minutes"),
        "Deadline of a call": _time(said.get("deadline_ms"), "an hour"),
        "Tries the same again": str(said.get("retries", "")) if said.get("retries") else "no",
    }
    if said.get("sticky"):
        words["A run keeps its target"] = "while that one serves"
    if said.get("translate") is False:
        words["The other dialect"] = "is not translated to"
    if said.get("drop_hints"):
        words["Hints a target does not know"] = "are left out"
    if said.get("tools"):
        words["Tools that are not declared"] = TOOL_WORDS[said["tools"]].lower()
    if override := said.get("override"):
        words["Override"] = f"{_named(override)} first until {_moment(override['until'])}"
    if shadow := said.get("shadow"):
        words["Shadow"] = f"{shadow['percent']} % of calls to {_named(shadow)} as well"
    words |= detector_words(said.get("detectors") or {})
    for step, one in said.get("steps", {}).items():
        first = ", ".join(_named(each) for each in one.get("first", []))
        chosen = CHOICE_WORDS[one["choose"]] if one.get("choose") else ""
        words[f"Step {step}"] = "; ".join(filter(None, [chosen, first and f"{first} first"]))
    return words


def _named(said: Mapping[str, Any]) -> str:
    region = f" in {said['region']}" if said.get("region") else ""
    return f"{said['vendor']}/{said['model']}{region}"


def _moment(said: str) -> str:
    return f"{datetime.fromisoformat(said).astimezone(UTC):%d %b %Y, %H:%M} UTC"


def _time(millis: int | None, usual: str) -> str:
    return usual if millis is None else f"{millis / 1000:g} s"
