"""How far a route goes for an answer: what makes it go on, for how long, and who is first.

Owns the shape and the bounds that the control plane checks against. What is read here was
checked when it was written; a value that is not sound is as if it were not said, because a
route must not stop serving over how it falls back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

# Why an attempt failed, as routes name it: a kind, an exact status, or all of the 5xx.
CONNECT: Final = "connect"
TIMEOUT: Final = "timeout"
BROKEN: Final = "broken"
KINDS: Final = (CONNECT, TIMEOUT, BROKEN, "5xx")
FALLS_BACK_ON: Final = (*KINDS, "429")
MOST_RETRIES: Final = 3
TOOLS: Final = ("allow", "strip", "block")
# Who is first among equals.
LISTED: Final = "listed"
CHEAPEST: Final = "cheapest"
FASTEST: Final = "fastest"
CHOICES: Final = (LISTED, CHEAPEST, FASTEST)
LONGEST_MS: Final = 3_600_000
SHORTEST_MS: Final = 50


Named = tuple[str, str, str]  # a target by its vendor, model and region


@dataclass(frozen=True, slots=True)
class Override:
    """One target put first until a moment."""

    vendor: str
    model: str
    region: str
    until: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Shadow:
    """A target that a share of calls is sent to as well."""

    vendor: str
    model: str
    region: str
    percent: int


@dataclass(frozen=True, slots=True)
class StepOrder:
    """Who is first in one step of a task."""

    choose: str = ""  # empty: as the route says
    first: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteOptions:
    """What a route says about its attempts."""

    fallback_on: frozenset[str] = frozenset(FALLS_BACK_ON)
    retries: int = 0
    deadline_ms: int | None = None
    first_byte_ms: int | None = None
    sticky: bool = False
    translate: bool = True  # for targets in the other dialect
    drop_hints: bool = False  # that another vendor does not know
    send_trace: bool = False  # vendors get the trace's ids: for those that are the company's own
    override: Override | None = None
    shadow: Shadow | None = None
    detectors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by direction
    tools: str = ""  # what becomes of tools that are not declared; empty: as policy has it
    choose: str = "listed"
    steps: Mapping[str, StepOrder] = field(default_factory=dict)

    @property
    def chooses(self) -> bool:
        """Tell whether anything but the list puts targets in order."""
        return bool(self.steps) or self.choose != LISTED

    def goes_on_after(self, kind: str) -> bool:
        """Tell whether a failure of this kind is one to go on after."""
        return kind in self.fallback_on or (
            len(kind) == 3 and kind[0] == "5" and "5xx" in self.fallback_on
        )


DEFAULTS: Final = RouteOptions()


def read_options(said: Mapping[str, Any]) -> RouteOptions:
    """Return the options that a row says."""
    if not said:
        return DEFAULTS
    listed = said.get("fallback_on")
    return RouteOptions(
        fallback_on=frozenset(map(str, listed)) if isinstance(listed, list) else
        DEFAULTS.fallback_on,
        retries=_number(said.get("retries"), 0, MOST_RETRIES) or 0,
        deadline_ms=_number(said.get("deadline_ms"), SHORTEST_MS, LONGEST_MS),
        first_byte_ms=_number(said.get("first_byte_ms"), SHORTEST_MS, LONGEST_MS),
        sticky=said.get("sticky") is True,
        translate=said.get("translate") is not False,
        drop_hints=said.get("drop_hints") is True,
        send_trace=said.get("send_trace") is True,
        override=_override(said.get("override")),
        shadow=_shadow(said.get("shadow")),
        detectors=_detectors(said.get("detectors")),
        # A word that nobody knows is handed to policy, which refuses it.
        tools=str(said.get("tools") or ""),
        choose=_choose(said.get("choose")) or LISTED,
        steps=_steps(said.get("steps")),
    )  # fmt: skip


def _number(value: Any, least: int, most: int) -> int | None:
    return value if type(value) is int and least <= value <= most else None


def _override(said: Any) -> Override | None:
    if not isinstance(said, dict):
        return None
    try:
        until = datetime.fromisoformat(said["until"])
        named = str(said["vendor"]), str(said["model"]), str(said.get("region") or "")
    except (KeyError, TypeError, ValueError):
        return None
    return Override(*named, until.timestamp()) if until.tzinfo is not None else None


def _detectors(said: Any) -> Mapping[str, Mapping[str, str]]:
    """Return what is looked for. What is not sound is kept as it is, and refused in use."""
    if not said:
        return {}
    if not isinstance(said, dict):
        return {"request": {str(said): ""}}
    return {
        direction: dict(actions) if isinstance(actions, dict) else {str(actions): ""}
        for direction, actions in said.items()
        if actions
    }


def _shadow(said: Any) -> Shadow | None:
    if not isinstance(said, dict) or not (percent := _number(said.get("percent"), 1, 100)):
        return None
    named = [said.get(name) for name in ("vendor", "model", "region")]
    if not (isinstance(named[0], str) and isinstance(named[1], str)):
        return None
    return Shadow(named[0], named[1], str(named[2] or ""), percent)


def _choose(said: Any) -> str:
    return said if said in CHOICES else ""


def _steps(said: Any) -> dict[str, StepOrder]:
    if not isinstance(said, dict):
        return {}
    return {
        str(name): StepOrder(_choose(one.get("choose")), _first(one.get("first")))
        for name, one in said.items()
        if isinstance(one, dict)
    }


def _first(said: Any) -> tuple[Named, ...]:
    listed = said if isinstance(said, list) else []
    return tuple(
        (str(one.get("vendor", "")), str(one.get("model", "")), str(one.get("region") or ""))
        for one in listed
        if isinstance(one, dict)
    )
