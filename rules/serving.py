"""A trial as a table that goes out: one line for each changed question that is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from django.http import StreamingHttpResponse

from kernel.sheets import line
from rules.models import Question, Trial
from rules.queries.trials import questions_of

COLUMNS: Final = (
    "agent", "owner", "found", "answer", "rule", "new_answer", "new_rule", "constraints",
    "own_bundle", "decisions", "first_at", "last_at", "source", "input", "bundle", "entry",
)  # fmt: skip


def table_of(trial: Trial) -> StreamingHttpResponse:
    """Return the changed questions of a trial as CSV, row by row."""
    answer = StreamingHttpResponse(_lines(trial), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{trial.public_id}.csv"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def _lines(trial: Trial) -> Iterator[str]:
    yield line(COLUMNS)
    for question in questions_of(trial).iterator(chunk_size=500):
        yield line(_row(question))


def _row(question: Question) -> tuple[Any, ...]:
    return (
        question.agent_id,
        question.owner,
        question.found,
        question.answer,
        question.rule,
        question.new_answer,
        question.new_rule,
        json.dumps(question.constraints, sort_keys=True) if question.constraints else "",
        question.own,
        question.decisions,
        question.first_at.isoformat(),
        question.last_at.isoformat(),
        question.source,
        question.input_digest,
        question.bundle_digest,
        question.entry_id,
    )
