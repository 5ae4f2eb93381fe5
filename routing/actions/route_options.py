"""Checking what a route says about its attempts: an option nobody knows would do nothing.

Owns the words of the refusals. The shape and its bounds are the gateway's, which reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from kernel import clock
from routing.errors import RouteInvalid
from routing.gateway.detectors.rules import ACTIONS
from routing.gateway.options import (
    CHOICES,
    KINDS,
    LISTED,
    LONGEST_MS,
    MOST_RETRIES,
    SHORTEST_MS,
    TOOLS,
)
from routing.gateway.protection import DIRECTIONS, KIND_NAME

OPTIONS: Final = (
    "choose",
    "detectors",
    "deadline_ms",
    "drop_hints",
    "fallback_on",
    "first_byte_ms",
    "override",
    "retries",
    "send_trace",
    "shadow",
    "steps",
    "sticky",
    "tools",
    "translate",
)
LONGEST_OVERRIDE: Final = timedelta(days=30)
_UNTIL: Final = "options.override.until"
_STEP: Final = re.compile(r"[A-Za-z0-9._-]{1,63}")
_STATUS: Final = re.compile(r"[45]\d\d")
_OVERRIDE: Final = frozenset({"vendor", "model", "region", "until", "reason"})
_OFF_BY_DEFAULT: Final = frozenset({"drop_hints", "retries", "send_trace", "sticky"})
_ON_BY_DEFAULT: Final = frozenset({"translate"})
Named = tuple[str, str, str]  # vendor, model, region


def checked_options(
    said: Mapping[str, Any], targets: Iterable[Named], *, stored: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options as they are kept. Raises: RouteInvalid, which names the option.

    An override that is on the route already may end in the past: saying a route again must
    not fail because time went by. One that is over goes when its target does.
    """
    for key in said:
        if key not in OPTIONS:
            raise _wrong("options", f"There is no option {key!r}; there are: {', '.join(OPTIONS)}.")
    kept = {
        key: check(said[key])
        for key, check in _CHECKS.items()
        if said.get(key) is not None
        and (key not in _OFF_BY_DEFAULT or said[key])
        and (key not in _ON_BY_DEFAULT or said[key] is not True)
    }
    targets = set(targets)
    if kept.get("choose") == LISTED:
        del kept["choose"]
    _check_steps(kept.get("steps", {}), targets)
    if said.get("override") is not None:
        override = _override(said["override"])
        if override != stored.get("override"):
            _check_ahead(override)
        if _is_aimed(override, targets):
            kept["override"] = override
    return dict(sorted(kept.items()))


def checked_millis(value: Any, field: str) -> int:
    """Return a time in milliseconds. Raises: RouteInvalid."""
    if type(value) is not int or not SHORTEST_MS <= value <= LONGEST_MS:
        raise _wrong(field, f"{field} is a whole number from {SHORTEST_MS} to {LONGEST_MS}.")
    return value


def is_over(override: Mapping[str, Any]) -> bool:
    """Tell whether an override's moment has passed."""
    return datetime.fromisoformat(override["until"]) <= clock.now()


def _fallback_on(said: Any) -> list[str]:
    if not isinstance(said, list) or len(said) > 50:
        raise _wrong("options.fallback_on", "fallback_on is a list; an empty one never goes on.")
    words = [str(one) if type(one) is int else one for one in said]
    for word in words:
        if not isinstance(word, str) or not (word in KINDS or _STATUS.fullmatch(word)):
            raise _wrong(
                "options.fallback_on",
                f"A call cannot go on after {str(word)[:40]!r}: name {', '.join(KINDS)},"
                ' or a status from 400 to 599 such as "429".',
            )
    return sorted(set(words))


def _flag(said: Any, *, name: str) -> bool:
    if not isinstance(said, bool):
        raise _wrong(f"options.{name}", f"{name} is true or false.")
    return said


def _detectors(said: Any) -> dict[str, dict[str, str]]:
    field = "options.detectors"
    if not isinstance(said, dict) or said.keys() - set(DIRECTIONS):
        raise _wrong(field, "detectors says request, response, or both.")
    kept: dict[str, dict[str, str]] = {}
    for direction, actions in said.items():
        if not isinstance(actions, dict) or len(actions) > 100:
            raise _wrong(f"{field}.{direction}", "It says an action for each kind.")
        for kind, action in actions.items():
            if not KIND_NAME.fullmatch(kind):
                raise _wrong(f"{field}.{direction}", f"There is no kind {kind[:40]!r}.")
            if action not in ACTIONS:
                raise _wrong(
                    f"{field}.{direction}.{kind}", f"An action is one of {', '.join(ACTIONS)}."
                )
        if actions:
            kept[direction] = dict(sorted(actions.items()))
    return dict(sorted(kept.items()))


def _tools(said: Any) -> str:
    if not isinstance(said, str) or said not in TOOLS:
        raise _wrong("options.tools", f"tools is one of {', '.join(TOOLS)}.")
    return said


def _retries(said: Any) -> int:
    if type(said) is not int or not 0 <= said <= MOST_RETRIES:
        raise _wrong("options.retries", f"retries is a whole number from 0 to {MOST_RETRIES}.")
    return said


def _override(said: Any) -> dict[str, Any]:
    field = "options.override"
    if not isinstance(said, dict) or not all(isinstance(one, str) for one in said.values()):
        raise _wrong(field, "override says vendor, model, until and reason, each as a text.")
    if unknown := sorted(said.keys() - _OVERRIDE):
        raise _wrong(
            field, f"override has no {unknown[0]!r}; it has: {', '.join(sorted(_OVERRIDE))}."
        )
    if not (reason := said.get("reason", "").strip()):
        raise _wrong(f"{field}.reason", "Say why calls are to go there; people will ask.")
    if len(reason) > 500:
        raise _wrong(f"{field}.reason", "A reason has at most 500 characters.")
    kept = {name: said.get(name, "") for name in ("vendor", "model", "region")}
    return kept | {"until": _until(said.get("until", "")), "reason": reason}


def _until(said: str) -> str:
    try:
        until = datetime.fromisoformat(said)
    except ValueError:
        raise _wrong(_UNTIL, "until is a moment such as 2026-12-01T18:00:00Z.") from None
    if until.tzinfo is None:
        raise _wrong(_UNTIL, "until needs a time zone, such as the Z in 2026-12-01T18:00:00Z.")
    return until.isoformat()


def _check_ahead(override: dict[str, Any]) -> None:
    until = datetime.fromisoformat(override["until"])
    if not clock.now() < until <= clock.now() + LONGEST_OVERRIDE:
        raise _wrong(_UNTIL, f"until is in the future, at most {LONGEST_OVERRIDE.days} days.")


def _is_aimed(override: dict[str, Any], targets: Iterable[Named]) -> bool:
    named = override["vendor"], override["model"], override["region"]
    if named in set(targets):
        return True
    if is_over(override):
        return False
    raise _wrong(
        "options.override",
        f"The override puts {'/'.join(named[:2])} first, which is no target of this route.",
    )


def _shadow(said: Any) -> dict[str, Any]:
    field = "options.shadow"
    if not isinstance(said, dict) or said.keys() - {"vendor", "model", "region", "percent"}:
        raise _wrong(field, "shadow says vendor, model and percent, and region where one is meant.")
    kept = {name: said.get(name, "") for name in ("vendor", "model", "region")}
    if not all(isinstance(one, str) for one in kept.values()):
        raise _wrong(field, "shadow says vendor, model and region each as a text.")
    if not (kept["vendor"] and kept["model"]):
        raise _wrong(field, "shadow names the vendor and the model that calls are sent to as well.")
    percent = said.get("percent")
    if type(percent) is not int or not 1 <= percent <= 100:
        raise _wrong(f"{field}.percent", "percent is a whole number from 1 to 100.")
    return kept | {"percent": percent}


def _choose(said: Any, field: str = "options.choose") -> str:
    if said not in CHOICES:
        raise _wrong(field, f"{field} is one of: {', '.join(CHOICES)}.")
    return str(said)


def _steps(said: Any) -> dict[str, Any]:
    field = "options.steps"
    if not isinstance(said, dict) or len(said) > 50:
        raise _wrong(field, "steps says for the name of each step who is first in it.")
    for name, one in said.items():
        if not isinstance(name, str) or not _STEP.fullmatch(name):
            raise _wrong(field, "A step's name has 1 to 63 letters, digits and . _ -")
        if not isinstance(one, dict) or not one or one.keys() - {"choose", "first"}:
            raise _wrong(field, f"The step {name} says choose, or first, or both.")
    return {name: _step(one, f"{field}.{name}") for name, one in sorted(said.items())}


def _step(said: dict[str, Any], field: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if said.get("choose") is not None:
        kept["choose"] = _choose(said["choose"], f"{field}.choose")
    first = said.get("first") or []
    if not isinstance(first, list) or not all(
        isinstance(one, dict)
        and not one.keys() - {"vendor", "model", "region"}
        and all(isinstance(value, str) for value in one.values())
        for one in first
    ):
        raise _wrong(f"{field}.first", "first lists targets, each with vendor and model.")
    if first:
        names = ("vendor", "model", "region")
        kept["first"] = [{name: one.get(name, "") for name in names} for one in first]
    return kept


def _check_steps(steps: dict[str, Any], targets: set[Named]) -> None:
    for name, one in steps.items():
        for named in one.get("first", []):
            if (named["vendor"], named["model"], named["region"]) not in targets:
                raise _wrong(
                    f"options.steps.{name}.first",
                    f"{named['vendor']}/{named['model']} is no target of this route.",
                )


def _wrong(field: str, detail: str) -> RouteInvalid:
    return RouteInvalid(detail, field=field)


_CHECKS: Final[dict[str, Callable[[Any], Any]]] = {
    "choose": _choose,
    "deadline_ms": partial(checked_millis, field="options.deadline_ms"),
    "drop_hints": partial(_flag, name="drop_hints"),
    "send_trace": partial(_flag, name="send_trace"),
    "fallback_on": _fallback_on,
    "first_byte_ms": partial(checked_millis, field="options.first_byte_ms"),
    "retries": _retries,
    "shadow": _shadow,
    "steps": _steps,
    "sticky": partial(_flag, name="sticky"),
    "detectors": _detectors,
    "tools": _tools,
    "translate": partial(_flag, name="translate"),
}
