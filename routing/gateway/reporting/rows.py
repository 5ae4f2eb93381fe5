"""The row that is written with the entry of a reported step, for figures and to know it again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from ledger.journal import Row, Table
from routing.gateway.recording.attempt import Subject
from routing.gateway.reporting.steps import Step

# Without "on conflict": a report key that comes twice must take its entry with it.
REPORTED: Final = Table(
    "routing_reportedstep",
    (
        ("entry_id", "text"),
        ("agent_id", "text"),
        ("run_id", "text"),
        ("report_key", "text"),
        ("source", "text"),
        ("type", "text"),
        ("name", "text"),
        ("status", "text"),
        ("trace_id", "text"),
        ("span_id", "text"),
        ("parent", "text"),
        ("observed", "text"),
        ("provider", "text"),
        ("model", "text"),
        ("input_tokens", "bigint"),
        ("output_tokens", "bigint"),
        ("cost_micros", "bigint"),
        ("currency", "text"),
        ("started_at", "timestamptz"),
        ("duration_ms", "bigint"),
        ("recorded_at", "timestamptz"),
    ),
)


def reported_row(
    entry_id: str,
    subject: Subject,
    step: Step,
    words: Mapping[str, str],
    observed: str,
    now: datetime,
) -> Row:
    """Return a step as figures count it, with its words as they may be recorded."""
    values = (
        entry_id,
        subject.agent_id,
        subject.stream,
        step.report_key or f"entry:{entry_id}",
        step.source,
        step.type,
        words.get("name", ""),
        step.status,
        step.trace_id,
        step.span_id,
        words.get("parent", ""),
        observed,
        words.get("provider", ""),
        words.get("model", ""),
        step.input_tokens,
        step.output_tokens,
        step.cost_micros,
        step.currency,
        step.started_at,
        step.duration_ms,
        now,
    )
    return Row(REPORTED, values)
