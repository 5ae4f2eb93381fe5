"""A reported step: what an agent says it did, in one form wherever it was said.

Owns what of it is a fact and what is payload. Facts are short words and figures; everything
that people or models said is payload. What is ours (when it was recorded, by whom, that it
was reported) is nobody's to say but ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kernel.clock import stamp
from ledger.entries import Fact
from ledger.verbs import Verb

API: Final = "api"
OTLP: Final = "otlp"
TYPES: Final = {
    "tool": Verb.TOOL_REPORTED,
    "retrieval": Verb.RETRIEVAL_REPORTED,
    "model": Verb.MODEL_CALL_REPORTED,
    "agent": Verb.STEP_REPORTED,
    "decision": Verb.DECISION_REPORTED,
    "human": Verb.STEP_REPORTED,
    "step": Verb.STEP_REPORTED,
    "note": Verb.NOTE_REPORTED,
}
LONGEST_WORD: Final = 200
MOST_TOKENS: Final = 2**53 - 1
_AHEAD: Final = timedelta(minutes=5)
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_NS: Final = 253_402_300_799_000_000_000  # the year 9999


@dataclass(slots=True)
class Step:
    """One step as it was reported. Empty words, None and zero tokens: it does not say."""

    type: str
    name: str
    source: str
    report_key: str = ""  # empty: it comes once
    label: str = ""  # of its run, as the agent calls it
    status: str = ""  # ok, error
    error: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    parent: str = ""
    trace_id: str = ""
    span_id: str = ""
    provider: str = ""
    model: str = ""
    reported_model: str = ""
    response_id: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_micros: int | None = None
    currency: str = "USD"
    words: Mapping[str, str] = field(default_factory=dict)  # further short facts
    content: dict[str, Any] = field(default_factory=dict)
    callers: tuple[str, ...] = ()  # the spans under which the gateway may have seen its call
    is_cut: bool = False

    @property
    def verb(self) -> Verb:
        return TYPES[self.type]

    @property
    def duration_ms(self) -> int | None:
        if self.started_at is None or self.ended_at is None or self.ended_at < self.started_at:
            return None
        return round((self.ended_at - self.started_at) / timedelta(milliseconds=1))

    def spoken(self) -> dict[str, str]:
        """Return every fact that is a word of theirs; who records them looks at each."""
        said = {
            "name": self.name, "error": self.error, "parent": self.parent,
            "provider": self.provider, "model": self.model,
            "reported_model": self.reported_model, "response_id": self.response_id,
            **self.words,
        }  # fmt: skip
        return {name: word for name, word in said.items() if word}

    def facts(self, spoken: Mapping[str, str], now: datetime) -> dict[str, Fact]:
        """Return what the entry says, with their words as they may be recorded."""
        said: dict[str, Fact] = {
            "status": self.status,
            "started_at": _stamp(self.started_at),
            "ended_at": _stamp(self.ended_at),
            "duration_ms": self.duration_ms,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "input_tokens": self.input_tokens or None,
            "output_tokens": self.output_tokens or None,
            "cached_tokens": self.cached_tokens or None,
            "cost_micros": self.cost_micros,
            "currency": self.currency if self.cost_micros is not None else "",
            "clock_doubtful": self._is_doubtful(now) or None,
            "payload_cut": self.is_cut or None,
        }
        ours: dict[str, Fact] = {"reported": True, "type": self.type, "source": self.source}
        return (
            ours | dict(spoken) | {name: one for name, one in said.items() if one not in {None, ""}}
        )

    def _is_doubtful(self, now: datetime) -> bool:
        started, ended = self.started_at, self.ended_at
        if started is not None and ended is not None and ended < started:
            return True
        return any(one is not None and one > now + _AHEAD for one in (started, ended))


def _stamp(moment: datetime | None) -> str:
    return stamp(moment) if moment is not None else ""


def moment_of(nanoseconds: int) -> datetime | None:
    """Return a moment as OTLP writes it; None for what is none."""
    if not 0 < nanoseconds <= _LAST_NS:
        return None
    return _BEGINNING + timedelta(microseconds=nanoseconds // 1000)
