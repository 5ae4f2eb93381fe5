"""The facts of an action, as rules are told of them: everything named, nothing read two ways.

Engines do not read every text alike, and judge only so much at once. An argument that they
could differ about is put before them as its digest: a rule that needs its text finds none, and
refuses or asks. What people decide on, and what leaves, is always the whole action.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from kernel.canonical import canonical, digest_bytes
from policy.decision import ACTION

MAX_ARGUMENT_BYTES: Final = 8 * 1024
MAX_ARGUMENTS_BYTES: Final = 64 * 1024
SHORT_BYTES: Final = 256
MAX_CONTAINERS: Final = 500
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def facts_of_action(
    *,
    agent: Mapping[str, Any],
    action: Mapping[str, Any],
    requested_at: datetime,
    counts: Mapping[str, int],
    edited: bool = False,
) -> dict[str, Any]:
    """Return what is asked of the policy; `requested_at` is in the company's time zone.

    Raises: NotCanonical.
    """
    return {
        "question": ACTION,
        "agent": dict(agent),
        "action": {**action, "arguments": readable(action["arguments"])},
        "edited": edited,
        "requested": {
            "weekday": _WEEKDAYS[requested_at.weekday()],
            "minute": requested_at.hour * 60 + requested_at.minute,
        },
        "counts": dict(counts),
    }


def readable(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with digests in place of what engines could read differently.

    Names stay as they are: with one that engines could differ about, the judge denies.
    """
    found = {name: _readable(value, MAX_ARGUMENT_BYTES) for name, value in arguments.items()}
    if len(canonical(found)) <= MAX_ARGUMENTS_BYTES:
        return found
    return {name: _readable(value, SHORT_BYTES) for name, value in arguments.items()}


def _readable(value: Any, most: int) -> Any:
    written = canonical(value)
    if len(written) > most or written.count(b"{") + written.count(b"[") > MAX_CONTAINERS:
        return _unread(written)
    if b"\\" not in written:
        return value
    if isinstance(value, dict):
        return {name: _readable(each, most) for name, each in value.items()}
    if isinstance(value, list):
        return [_readable(each, most) for each in value]
    return _unread(written)


def _unread(written: bytes) -> dict[str, Any]:
    return {"unread": digest_bytes(written), "bytes": len(written)}
