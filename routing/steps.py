"""What kind of step an entry of a run tells of, and what it adds to the sums of its run.

Read by the sweep that sums runs and by the pages that draw them, so that both count alike.
A model call is a step of a model; a tool, a refusal of policy and an effect are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

MODEL, TOOL, DECISION, PROPOSAL = "model", "tool", "decision", "proposal"
REVIEW, EFFECT, OTHER = "review", "effect", "other"
_KINDS: Final = {
    "decision": DECISION, "proposal": PROPOSAL, "review": REVIEW, "effect": EFFECT,
}  # fmt: skip
# What an agent says it did, by the type it gave; people and other agents are not counted here.
_REPORTED: Final = {"tool": TOOL, "retrieval": TOOL, "model": MODEL, "decision": DECISION}
_FAILED: Final = frozenset({"error", "incomplete", "unknown"})
_END: Final = "run.ended"
# A row stays a row: what a run of a million calls names is not all repeated in it.
MOST_FACETS: Final = 200
_LONGEST: Final = 200
_FINDINGS: Final = ("found_in_request", "found_in_response", "found_in_report")


class Told(Protocol):
    """An entry as its header tells it."""

    @property
    def kind(self) -> str: ...
    @property
    def verb(self) -> str: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...
    @property
    def recorded_at(self) -> datetime: ...


def step_of(told: Told) -> str:
    """Return the kind of step that an entry begins; the answer to an intent begins none."""
    if told.kind == "intent" and told.verb.startswith("call."):
        return MODEL
    if told.facts.get("reported") is True:
        return _reported(told)
    return _KINDS.get(told.kind, OTHER)


def is_deterministic(step: str) -> bool:
    """Say whether a kind of step is taken without a model."""
    return step in {TOOL, DECISION, EFFECT}


def _reported(told: Told) -> str:
    if told.facts.get("observed"):
        return OTHER  # the gateway saw that call, and it counts there
    return _REPORTED.get(str(told.facts.get("type")), OTHER)


@dataclass(slots=True)
class Delta:
    """What some entries and calls add to a run."""

    run_id: str
    counts: Counter[str] = field(default_factory=Counter)
    facets: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)  # part of what words are looked for in
    words: set[str] = field(default_factory=set)  # ids that are looked for as they are
    last_at: datetime | None = None
    last_call_at: datetime | None = None
    ended_at: datetime | None = None

    def saw(self, at: datetime) -> None:
        self.last_at = at if self.last_at is None else max(self.last_at, at)

    def has(self, **named: object) -> None:
        self.facets |= {f"{kind}:{str(name)[:_LONGEST]}" for kind, name in named.items() if name}


def add_call(delta: Delta, call: Any) -> None:
    """Count one attempt, as its row tells it."""
    counts, is_denied = delta.counts, call.status == "denied"
    counts["call_count"] += call.attempt == 1
    counts["denied_count"] += is_denied
    counts["own_count"] += call.attempt == 1 and bool(call.made_for)
    counts["shadow_count"] += call.is_shadow
    counts["attempt_count"] += not is_denied and not call.is_shadow
    counts["substituted_count"] += call.is_substituted
    counts["estimated_count"] += call.usage_estimated
    counts["unpriced_calls"] += not is_denied and call.cost_micros is None
    # A call failed when one more of its attempts failed than were followed by another.
    counts["failed_count"] += call.status in _FAILED and not call.is_shadow
    counts["failed_count"] -= call.attempt > 1
    counts["input_tokens"] += call.input_tokens
    counts["output_tokens"] += call.output_tokens
    counts["cost_micros"] += call.cost_micros or 0
    began = call.started_at
    delta.last_call_at = began if delta.last_call_at is None else max(delta.last_call_at, began)
    delta.saw(began + timedelta(milliseconds=call.duration_ms))
    delta.has(route=call.route, model=call.model, vendor=call.vendor, error=call.error_code)
    delta.has(model=call.requested_model)
    delta.has(model=call.reported_model)
    flags = {
        "denied": is_denied, "fallback": call.attempt > 1, "shadow": call.is_shadow,
        "substitution": call.is_substituted,
    }  # fmt: skip
    delta.facets |= {f"has:{name}" for name, is_so in flags.items() if is_so}


def add_entry(delta: Delta, told: Told) -> None:
    """Count one entry of a run."""
    facts, counts, step = told.facts, delta.counts, step_of(told)
    delta.saw(told.recorded_at)
    is_reported = facts.get("reported") is True
    counts["in_flight"] += (step == MODEL and not is_reported) - (told.kind == "result")
    counts["reported_count"] += is_reported
    counts["reported_model_count"] += is_reported and step == MODEL
    if step in {TOOL, DECISION, PROPOSAL, REVIEW, EFFECT}:
        counts[f"{step}_count"] += 1
        delta.facets.add(f"has:{step}")
    if is_reported:
        delta.facets.add("has:report")
    found = sum(len(_texts(facts.get(name))) for name in _FINDINGS)
    if found:
        counts["finding_count"] += found
        delta.facets.add("has:finding")
    for name in _texts(facts.get("name") if step == TOOL else facts.get("tool_calls")):
        delta.facets |= {"has:tool", f"tool:{name}"}
        delta.names.add(name)
    if is_reported:
        delta.has(model=facts.get("model"), error=facts.get("error"))
        delta.names |= set(_texts(facts.get("name")))
    if told.verb == _END:
        delta.ended_at = told.recorded_at
    for name in ("response_id", "trace_id"):
        delta.words |= set(_texts(facts.get(name)))


def _texts(value: Any) -> list[str]:
    found: Iterable[Any] = value if isinstance(value, list) else [value]
    return [one[:_LONGEST] for one in found if isinstance(one, str) and one]
