"""What a run did, as a list of labels in the order of its record.

A label is a kind and a name: ``model:<alias>``, ``tool:``, ``action:`` (a proposal; its effect
is the second half of it), ``decision:``, ``agent:``, ``human:``, ``step:``. A tool that a model
asked for counts where its answer is on record, unless the run reports that tool itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from fleet.conformance.declared import Process

MOST: Final = 2000  # steps of one run that are looked at
_LONGEST: Final = 120
_REPORTED: Final = {
    "tool": "tool", "retrieval": "tool", "model": "model", "decision": "decision",
    "agent": "agent", "human": "human", "step": "step",
}  # fmt: skip
_MADE: Final = "proposal.made"


class Recorded(NamedTuple):
    """An entry as far as a trace needs it."""

    stream: str
    kind: str
    verb: str
    header: bytes


@dataclass(frozen=True, slots=True)
class Trace:
    """What was seen of one run, and whether it was longer than what is looked at."""

    events: tuple[str, ...]
    is_cut: bool = False


def trace_of(entries: Iterable[Recorded], process: Process, operations: Mapping[str, str]) -> Trace:
    """Return the labels of a run's entries, which come in their order.

    ``operations`` names operations by their public id. What cannot be read is passed over:
    whether the record is intact is for those who verify.
    """
    told = [(entry, facts) for entry in entries if (facts := facts_of(entry.header)) is not None]
    reported = {str(facts.get("name")) for entry, facts in told if facts.get("reported") is True}
    events: list[str] = []
    for entry, facts in told:
        events += _labels(entry, facts, process, operations, reported)
    return Trace(tuple(events[:MOST]), len(events) > MOST)


def facts_of(header: bytes) -> dict[str, Any] | None:
    """Return the facts of an entry's header; None when it is none."""
    try:
        facts = orjson.loads(bytes(header))["facts"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return facts if isinstance(facts, dict) else None


def _labels(
    entry: Recorded, facts: Mapping[str, Any], process: Process,
    operations: Mapping[str, str], reported: set[str],
) -> list[str]:  # fmt: skip
    if facts.get("reported") is True:
        return _of_report(facts, process)
    if entry.kind == "intent" and entry.verb.startswith("call."):
        is_first = facts.get("shadow") is not True and facts.get("attempt", 1) == 1
        return [_label("model", process.alias(str(facts.get("route", ""))))] if is_first else []
    if entry.kind == "result":
        called = facts.get("tool_calls")
        names = called if isinstance(called, list) else []
        return [_label("tool", str(name)) for name in names if str(name) not in reported]
    if entry.verb == _MADE:
        operation = str(facts.get("operation", ""))
        return [_label("action", operations.get(operation, operation))]
    return []


def _of_report(facts: Mapping[str, Any], process: Process) -> list[str]:
    kind = _REPORTED.get(str(facts.get("type")))
    if kind is None or facts.get("observed"):
        return []  # a note; or a call that the gateway saw, and that is there already
    name = str(facts.get("name", ""))
    return [_label(kind, process.alias(name) if kind == "model" else name)]


def _label(kind: str, name: str) -> str:
    return f"{kind}:{name[:_LONGEST]}"
