"""Which changes of a manifest a reviewer must not miss, each in a few words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Place = tuple[str, ...]

_EFFECTS: Final = ("none", "read", "write", "send", "delete", "money")
_ACCESS: Final = ("read", "write", "admin")


def risk_of(place: Place, was: Any, now: Any) -> str:
    """Say why a change matters; an empty string when it does not."""
    if place[:1] != ("spec",) or len(place) < 2:
        return ""
    rule = _RULES.get(place[1])
    return rule(place[2:], was, now) if rule else ""


def _person(rest: Place, was: Any, now: Any) -> str:
    return "somebody else answers for it"


def _data_class(rest: Place, was: Any, now: Any) -> str:
    if was is not None:
        return ""
    return f"sees {now} data" if now != "public" else ""


def _model(rest: Place, was: Any, now: Any) -> str:
    what = rest[1] if len(rest) > 1 else ""
    if not what:
        return "new route" if was is None else ""
    if what in ("route", "pin", "fallback"):
        return "new route" if now is not None else ""
    return "model settings changed" if what == "settings" else ""


def _tool(rest: Place, was: Any, now: Any) -> str:
    what = rest[1] if len(rest) > 1 else ""
    if not what:
        return "new tool" if was is None else ""
    checks: dict[str, Callable[[], bool]] = {
        "effect": lambda: _above(_EFFECTS, was, now),
        "access": lambda: _above(_ACCESS, was, now),
        "approval": lambda: was == "required",
        "maxAmount": lambda: now is None or (was is not None and now > was),
        "currency": lambda: True,
        "url": lambda: True,
        "tools": lambda: now is not None or len(rest) == 2,
    }
    check = checks.get(what)
    return "the tool may do more" if check is not None and check() else ""


def _prompt(rest: Place, was: Any, now: Any) -> str:
    if len(rest) == 1:
        return "new prompt" if was is None else ""
    return "prompt changed" if rest[1] == "digest" else ""


def _step(rest: Place, was: Any, now: Any) -> str:
    if len(rest) == 1:
        added = was is None and isinstance(now, Mapping) and now.get("kind") == "model"
        return "new step by a model" if added else ""
    if rest[1] == "kind" and now == "model":
        return "a deterministic step became a step by a model"
    return ""


def _limit(rest: Place, was: Any, now: Any) -> str:
    if now is None:
        return "limit removed"
    raised = isinstance(was, int | float) and isinstance(now, int | float) and now > was
    return "limit raised" if raised else ""


def _outside(rest: Place, was: Any, now: Any) -> str:
    return "" if now is None else "reached or probed at another address"


def _health(rest: Place, was: Any, now: Any) -> str:
    return _outside(rest, was, now) if rest[:1] == ("url",) else ""


def _above(order: tuple[str, ...], was: Any, now: Any) -> bool:
    # An effect that is no longer stated is not known to be harmless.
    if now is None:
        return True
    return order.index(now) > (order.index(was) if was in order else -1)


_RULES: Final[dict[str, Callable[[Place, Any, Any], str]]] = {
    "owner": _person,
    "backupOwner": _person,
    "dataClasses": _data_class,
    "models": _model,
    "tools": _tool,
    "prompts": _prompt,
    "steps": _step,
    "limits": _limit,
    "interfaces": _outside,
    "health": _health,
}
