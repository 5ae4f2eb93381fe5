"""What LangChain's human-in-the-loop middleware asks, and what it takes for an answer. Pure.

Two shapes: a ``HITLRequest`` (all calls of a turn, answered by a list in their order) and
a ``tool_approval`` (one call, answered by one decision under the interrupt's id).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from effects.interrupts.errors import InterruptUnreadable

DECISIONS: Final = ("approve", "edit", "reject", "respond")
MOST_CALLS: Final = 20
_DEEPEST: Final = 12


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call that waits: its tool, its arguments, and which decisions the graph takes."""

    name: str
    args: Mapping[str, Any]
    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an interrupt asks."""

    calls: tuple[Call, ...]
    is_single: bool


def read_interrupt(value: object, response_schema: object = None) -> Asked:
    """Read an interrupt's value. Raises: InterruptUnreadable."""
    if not isinstance(value, dict):
        raise _unreadable("value", "is the object that the graph's interrupt carries")
    if value.get("type") == "tool_approval":
        allowed = _allowed_by(response_schema) if response_schema else DECISIONS
        return Asked((_call(value, "value", allowed),), is_single=True)
    requests = value.get("action_requests")
    if not isinstance(requests, list) or not 0 < len(requests) <= MOST_CALLS:
        raise _unreadable("value.action_requests", f"is a list of 1 to {MOST_CALLS} calls")
    configs = _configs(value.get("review_configs"))
    calls = []
    for place, one in enumerate(requests):
        where = f"value.action_requests[{place}]"
        name = one.get("name") if isinstance(one, dict) else None
        calls.append(_call(one, where, configs.get(str(name), DECISIONS)))
    return Asked(tuple(calls), is_single=False)


def resume_with(decisions: Sequence[Mapping[str, Any]], graph_id: str, *, is_single: bool) -> Any:
    """Return what ``Command(resume=…)`` takes."""
    if is_single:
        return {graph_id: decisions[0]}
    return {"decisions": list(decisions)}


def _call(one: object, where: str, allowed: tuple[str, ...]) -> Call:
    if not isinstance(one, dict):
        raise _unreadable(where, "is an object")
    name, args = one.get("name"), one.get("args")
    if not isinstance(name, str) or not name:
        raise _unreadable(f"{where}.name", "is the name of a tool")
    if not isinstance(args, dict):
        raise _unreadable(f"{where}.args", "is an object")
    if "approve" not in allowed or "reject" not in allowed:
        raise _unreadable(
            where, "must allow approve and reject: people answer yes or no, and may edit"
        )
    return Call(name, args, allowed)


def _configs(listed: object) -> dict[str, tuple[str, ...]]:
    if listed is None:
        return {}
    if not isinstance(listed, list):
        raise _unreadable("value.review_configs", "is a list")
    found = {}
    for one in listed:
        allowed = one.get("allowed_decisions") if isinstance(one, dict) else None
        if not isinstance(allowed, list) or not set(map(str, allowed)) <= set(DECISIONS):
            raise _unreadable(
                "value.review_configs", "gives allowed_decisions of " + ", ".join(DECISIONS)
            )
        found[str(one.get("action_name"))] = tuple(map(str, allowed))
    return found


def _allowed_by(schema: object) -> tuple[str, ...]:
    """Return the decisions that an interrupt's ``response_schema`` names."""
    named = set(_types(schema, 0))
    return tuple(name for name in DECISIONS if name in named)


def _types(schema: object, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(schema, list):
        for one in schema:
            yield from _types(one, depth + 1)
    elif isinstance(schema, dict):
        kind = schema.get("properties", {})
        kind = kind.get("type") if isinstance(kind, dict) else None
        if isinstance(kind, dict):
            yield from [str(kind.get("const"))]
            yield from map(str, kind.get("enum") or [])
        for one in schema.values():
            yield from _types(one, depth + 1)


def _unreadable(member: str, what: str) -> InterruptUnreadable:
    return InterruptUnreadable(f"{member} {what}.", member=member)
