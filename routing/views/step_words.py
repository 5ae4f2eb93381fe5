"""A step in words: its name, how it went, and what else is worth saying of it.

Takes what agents and vendors wrote; whatever it is, it comes out short and as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from kernel import clock
from routing.queries.run_steps import ChildRun, StepRow
from routing.steps import DECISION, EFFECT, MODEL, OTHER, PROPOSAL, REVIEW, TOOL, step_of
from routing.views.attempts import call_words
from routing.views.found_words import found_words

CHILD: Final = "child"
_ICONS: Final = {
    MODEL: "sparkles", TOOL: "wrench", DECISION: "shield-alert", PROPOSAL: "clipboard-check",
    REVIEW: "user-check", EFFECT: "zap", OTHER: "circle-dot", CHILD: "workflow",
}  # fmt: skip
_KINDS: Final = {
    MODEL: "Model call", TOOL: "Tool", DECISION: "Decision", PROPOSAL: "Proposal",
    REVIEW: "Review", EFFECT: "Effect", OTHER: "Step", CHILD: "Run that works for it",
}  # fmt: skip
_TYPES: Final = {
    "retrieval": "Retrieval", "agent": "Agent", "human": "Person", "step": "Step", "note": "Note",
}  # fmt: skip
_TONES: Final = {
    "ok": "success", "error": "error", "denied": "warning", "incomplete": "warning",
    "cancelled": "neutral", "unknown": "warning", "in_flight": "info",
}  # fmt: skip
_VERBS: Final = {
    "call.denied": "Denied by policy",
    "call.over_budget": "Denied: over budget",
    "delegation.given": "Let another agent act for it",
    "delegation.ended": "Ended a delegation",
    "run.ended": "Said that it is over",
}
_LONGEST: Final = 120


@dataclass(slots=True)
class Step:
    """One row of the waterfall."""

    id: str
    kind: str
    title: str
    status: str
    starts: datetime
    ends: datetime | None  # None: it has not come back
    note: str = ""
    place: str = ""  # where it was sent, or what it was about
    words: list[str] = field(default_factory=list)
    cost_micros: int | None = None
    currency: str = "USD"
    input_tokens: int = 0
    output_tokens: int = 0
    is_reported: bool = False
    is_shadow: bool = False
    is_readable: bool = False  # there is something to read, for those who may
    payload_of: str = ""
    run_url_of: str = ""
    spans: tuple[str, ...] = ()  # the names by which others say that they are part of it
    parent: str = ""  # one such name
    depth: int = 0
    left: float = 0.0
    width: float = 0.0

    @property
    def icon(self) -> str:
        return _ICONS[self.kind]

    @property
    def kind_word(self) -> str:
        return _KINDS[self.kind] if self.kind == CHILD else self.note or _KINDS[self.kind]

    @property
    def tone(self) -> str:
        return "neutral" if self.is_shadow else _TONES.get(self.status, "accent")

    @property
    def milliseconds(self) -> float | None:
        return None if self.ends is None else (self.ends - self.starts) / timedelta(milliseconds=1)

    @property
    def alike(self) -> tuple[str, str, str, int, str]:
        """What steps have in common that may stand as one group."""
        return self.kind, self.title, self.status, self.depth, self.parent


def step_shown(row: StepRow) -> Step:
    """Return one step as the waterfall shows it."""
    told = row.told
    if told is None:
        return Step(
            row.entry_id, OTHER, "This entry is not what was recorded", "error",
            row.recorded_at, row.recorded_at, words=["The record's page says what is wrong."],
        )  # fmt: skip
    kind = step_of(told)
    if told.facts.get("reported") is True:
        return _reported(row, kind)
    if kind == MODEL:
        return _call(row)
    facts = row.facts
    step = Step(
        row.entry_id, kind, _short(_title(told.verb, facts)),
        "denied" if kind == DECISION else str(facts.get("status") or ""),
        told.recorded_at, told.recorded_at, place=_place(facts) or _short(told.subject),
    )  # fmt: skip
    step.words = [*_why(facts), *found_words(facts)]
    step.is_readable = told.payload is not None
    step.payload_of = row.entry_id if told.payload is not None else ""
    return step


def _title(verb: str, facts: Mapping[str, Any]) -> str:
    if verb == "call.denied" and facts.get("rule") == "route_not_declared":
        return "Denied: the manifest does not name this route"
    return _VERBS.get(verb) or _sentence(verb)


def child_shown(child: ChildRun) -> Step:
    """Return a run that works for this one as a step of it."""
    row = child.summary
    is_out = row.state == row.State.IN_FLIGHT
    status = {"failed": "error", "denied": "denied", "clean": "ok"}.get(row.outcome, "")
    step = Step(
        child.run_id, CHILD, child.agent_name, "in_flight" if is_out else status,
        child.linked_at, None if is_out else max(row.last_at, child.linked_at),
        note="run", cost_micros=row.cost_micros,
        input_tokens=row.input_tokens, output_tokens=row.output_tokens,
    )  # fmt: skip
    step.words = [f"{row.call_count} call{'' if row.call_count == 1 else 's'}"]
    if row.state == row.State.OPEN:
        step.words.append("it may go on")
    step.run_url_of = child.run_id
    return step


def _call(row: StepRow) -> Step:
    told, call, facts = row.told, row.call, row.facts
    assert told is not None  # noqa: S101  callers have looked
    status = call.status if call is not None else str(facts.get("status") or "in_flight")
    length = call.duration_ms if call is not None else _whole(facts.get("duration_ms"))
    starts = call.started_at if call is not None else told.recorded_at
    answered = row.answer.recorded_at if row.answer is not None else None
    ends = starts + timedelta(milliseconds=length) if length is not None else answered
    step = Step(
        row.entry_id, MODEL, _short(facts.get("model") or facts.get("route")),
        status, starts, None if status == "in_flight" else ends, place=_place(facts),
        note=_numbered(facts), is_shadow=facts.get("shadow") is True,
    )  # fmt: skip
    if call is not None:
        step.cost_micros, step.currency = call.cost_micros, call.currency
        step.input_tokens, step.output_tokens = call.input_tokens, call.output_tokens
    else:
        step.input_tokens = _whole(facts.get("input_tokens")) or 0
        step.output_tokens = _whole(facts.get("output_tokens")) or 0
        step.cost_micros = _whole(facts.get("cost_micros"))
    step.words = [*call_words(call, facts), *(["the agent reports it too"] if row.reports else ())]
    if error := (call.error_code if call is not None else facts.get("error")):
        step.words.insert(0, f"error: {_short(error)}")
    step.is_readable, step.payload_of = told.payload is not None, row.entry_id
    first = str(facts.get("call") or "")
    step.spans = (row.entry_id, str(facts.get("span_id") or ""), *_spans_of(row.reports))
    is_later = first not in ("", row.entry_id)
    step.parent = first if is_later else _parent(row.reports, call)
    return step


def _reported(row: StepRow, kind: str) -> Step:
    told, facts = row.told, row.facts
    assert told is not None  # noqa: S101  callers have looked
    began = _moment(facts.get("started_at"))
    length = _whole(facts.get("duration_ms"))
    ended = _moment(facts.get("ended_at"))
    if facts.get("clock_doubtful") is True or began is None:
        began, ended = told.recorded_at, None
    if ended is None:
        ended = began + timedelta(milliseconds=length or 0)
    step = Step(
        row.entry_id, kind, _short(facts.get("name") or told.verb), str(facts.get("status") or ""),
        began, max(ended, began), note=_TYPES.get(str(facts.get("type")), ""), is_reported=True,
        place=_place(facts), cost_micros=_whole(facts.get("cost_micros")),
        input_tokens=_whole(facts.get("input_tokens")) or 0,
        output_tokens=_whole(facts.get("output_tokens")) or 0,
    )  # fmt: skip
    step.words = [
        *(f"error: {_short(facts['error'])}" for _ in (1,) if facts.get("error")),
        *(["their times are doubtful"] if facts.get("clock_doubtful") is True else ()),
        *found_words(facts),
    ]
    step.is_readable, step.payload_of = told.payload is not None, row.entry_id
    step.spans = (row.entry_id, str(facts.get("span_id") or ""))
    step.parent = str(facts.get("parent") or "")
    return step


def _spans_of(reports: list[Any]) -> tuple[str, ...]:
    return tuple(str(one.facts.get("span_id") or "") for one in reports)


def _parent(reports: list[Any], call: Any) -> str:
    for one in reports:
        if parent := str(one.facts.get("parent") or ""):
            return parent
    return str(getattr(call, "caller_span", "") or "").rpartition("-")[2]


def _numbered(facts: Mapping[str, Any]) -> str:
    if facts.get("shadow") is True:
        return "Shadow"
    number = _whole(facts.get("attempt")) or 1
    return f"Attempt {number}" if number > 1 else ""


def _why(facts: Mapping[str, Any]) -> Iterator[str]:
    for name in ("rule", "error", "answer", "budget", "reason"):
        if value := facts.get(name):
            yield f"{name}: {_short(value)}"


def _place(facts: Mapping[str, Any]) -> str:
    names = [facts.get("route"), facts.get("vendor") or facts.get("provider")]
    return " → ".join(_short(name) for name in names if name)


def _sentence(verb: str) -> str:
    noun, _, participle = verb.partition(".")
    return f"{noun} {participle}".replace("_", " ").capitalize()


def _short(value: Any) -> str:
    text = str(value or "")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    if moment.tzinfo is None or abs(moment - clock.now()) > timedelta(days=3660):
        return None
    return moment
