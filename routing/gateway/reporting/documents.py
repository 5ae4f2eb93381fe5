"""Reported steps as JSON: `POST /api/v1/runs/{run}/entries`.

Owns the shape, which is closed: a member that there is not is refused by its name, and so is
one that only the gateway may say. What an agent sent is read whole or not at all.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any, Final

from kernel.canonical import strict_loads
from routing.gateway.reporting.errors import ReportUnreadable
from routing.gateway.reporting.steps import API, LONGEST_WORD, MOST_TOKENS, TYPES, Step

LIMIT: Final = 4 * 1024 * 1024
MOST: Final = 100
_MEMBERS: Final = frozenset(
    {
        "type", "name", "status", "error", "started_at", "ended_at", "arguments", "output",
        "parent", "trace_id", "span_id", "tool_call_id", "provider", "model", "usage", "cost",
        "idempotency_key",
    }
)  # fmt: skip
_PARENT: Final = re.compile(r"ent_[0-9a-z]{26}|[0-9a-f]{16}")
_TRACE: Final = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN: Final = re.compile(r"(?!0{16})[0-9a-f]{16}")
_IDS: Final = {
    "parent": "the id of a span (16 hex digits) or of an entry (ent_…)",
    "trace_id": "32 hex digits in lower case",
    "span_id": "16 hex digits in lower case",
}
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


def read_steps(raw: bytes, idempotency_key: str | None) -> list[Step]:
    """Read one step, or ``{"entries": […]}``. Raises: ReportUnreadable, NotJSON, BodyTooLarge."""
    said = strict_loads(raw, limit=LIMIT)
    if isinstance(said, dict) and said.keys() == {"entries"}:
        listed = said["entries"]
        if not isinstance(listed, list) or not 1 <= len(listed) <= MOST:
            raise ReportUnreadable(f"entries is a list of 1 to {MOST} steps.", param="entries")
    else:
        listed = [said]
    given = (idempotency_key or "").strip()
    steps = []
    for number, one in enumerate(listed):
        try:
            step = _step(one)
        except ReportUnreadable as error:
            where = f"entries[{number}]: " if len(listed) > 1 else ""
            raise ReportUnreadable(f"{where}{error.detail}", **error.facts) from None
        if given and not step.report_key:
            # The header's key is the whole request's: each step of it has its place.
            step.report_key = _key(f"{given}\0{number}")
        steps.append(step)
    return steps


def _step(said: Any) -> Step:
    if not isinstance(said, dict):
        raise ReportUnreadable("A step is a JSON object.")
    if unknown := sorted(said.keys() - _MEMBERS):
        raise ReportUnreadable(
            f"There is no member {unknown[0][:60]!r}; there are: {', '.join(sorted(_MEMBERS))}.",
            param=unknown[0][:60],
        )
    kind = said.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise ReportUnreadable(f"type is one of {', '.join(TYPES)}.", param="type")
    key = _word(said, "idempotency_key")
    trace_id, span_id = _matching(said, "trace_id", _TRACE), _matching(said, "span_id", _SPAN)
    if bool(trace_id) != bool(span_id):
        raise ReportUnreadable("trace_id and span_id come together.", param="span_id")
    step = Step(
        type=kind,
        name=_word(said, "name", is_needed=True),
        source=API,
        report_key=_key(key) if key else "",
        status=_status(said),
        error=_word(said, "error"),
        started_at=_moment(said, "started_at"),
        ended_at=_moment(said, "ended_at"),
        parent=_matching(said, "parent", _PARENT),
        trace_id=trace_id,
        span_id=span_id,
        provider=_word(said, "provider"),
        model=_word(said, "model"),
        words={"tool_call_id": _word(said, "tool_call_id")} if "tool_call_id" in said else {},
        content={name: said[name] for name in ("arguments", "output") if name in said},
    )
    _note_usage(step, said.get("usage"))
    _note_cost(step, said.get("cost"))
    return step


def _note_usage(step: Step, said: Any) -> None:
    if said is None:
        return
    names = {"input_tokens", "output_tokens", "cached_tokens"}
    if not isinstance(said, dict) or said.keys() - names:
        raise ReportUnreadable(f"usage has {', '.join(sorted(names))}.", param="usage")
    for name, value in said.items():
        setattr(step, name, _count(value, f"usage.{name}"))


def _note_cost(step: Step, said: Any) -> None:
    if said is None:
        return
    if not isinstance(said, dict) or said.keys() - {"micros", "currency"}:
        raise ReportUnreadable("cost has micros and currency.", param="cost")
    currency = said.get("currency", "USD")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise ReportUnreadable("cost.currency is three capital letters.", param="cost.currency")
    step.cost_micros, step.currency = _count(said.get("micros"), "cost.micros"), currency


def _count(value: Any, name: str) -> int:
    if type(value) is not int or not 0 <= value <= MOST_TOKENS:
        raise ReportUnreadable(f"{name} is a whole number from 0.", param=name)
    return value


def _status(said: dict[str, Any]) -> str:
    status = said.get("status", "error" if said.get("error") else "ok")
    if status not in ("ok", "error"):
        raise ReportUnreadable("status is ok or error.", param="status")
    return str(status)


def _word(said: dict[str, Any], name: str, *, is_needed: bool = False) -> str:
    value = said.get(name, "")
    if not isinstance(value, str) or len(value) > LONGEST_WORD or (is_needed and not value.strip()):
        raise ReportUnreadable(
            f"{name} is a text of {'1' if is_needed else 'up'} to {LONGEST_WORD} characters."
            " What is longer goes into arguments or output.",
            param=name,
        )
    return value


def _matching(said: dict[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = said.get(name, "")
    if value != "" and not (isinstance(value, str) and form.fullmatch(value)):
        raise ReportUnreadable(f"{name} is {_IDS[name]}.", param=name)
    return str(value)


def _moment(said: dict[str, Any], name: str) -> datetime | None:
    value = said.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ReportUnreadable(
            f"{name} is a moment with its offset, such as 2026-11-22T09:30:00Z.", param=name
        )
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ReportUnreadable(f"{name} is no moment in time.", param=name) from None


def _key(said: str) -> str:
    """Return what a key is known by: whatever is in it, it is not kept."""
    return "key:" + hashlib.sha256(said.encode()).hexdigest()
