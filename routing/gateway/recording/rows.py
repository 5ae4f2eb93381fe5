"""The rows that are written with an entry: the run, the call, what is kept, tools in use.

Owns their columns, and what of them is known to be there already: a run is written with its
first entry, the call with its result, each in the one commit of that entry.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import Final

from ledger.datakeys import DataKeyRow
from ledger.journal import Row, Table
from routing.gateway.delegation.tables import Seen
from routing.gateway.limits import LimitsTold, Said, counted
from routing.gateway.recording.attempt import Attempt, Outcome, Subject

_RUNS_KEPT: Final = 20_000

RUNS: Final = Table(
    "routing_run",
    (("run_id", "text"), ("agent_id", "text"), ("label", "text"), ("started_at", "timestamptz")),
    "ON CONFLICT DO NOTHING",
)
CALLS: Final = Table(
    "routing_call",
    (
        ("intent_id", "text"),
        ("call_id", "text"),
        ("attempt", "int"),
        ("fallback_reason", "text"),
        ("choice", "text"),
        ("is_shadow", "boolean"),
        ("is_substituted", "boolean"),
        ("run_id", "text"),
        ("agent_id", "text"),
        ("key_id", "text"),
        ("route", "text"),
        ("requested_model", "text"),
        ("vendor", "text"),
        ("model", "text"),
        ("reported_model", "text"),
        ("status", "text"),
        ("http_status", "int"),
        ("error_code", "text"),
        ("streamed", "boolean"),
        ("input_tokens", "bigint"),
        ("output_tokens", "bigint"),
        ("cached_tokens", "bigint"),
        ("usage_estimated", "boolean"),
        ("cost_micros", "bigint"),
        ("currency", "text"),
        ("started_at", "timestamptz"),
        ("first_byte_ms", "int"),
        ("duration_ms", "int"),
        ("response_id", "text"),
        ("caller_span", "text"),
        ("shift", "text"),
        ("arm", "text"),
        ("contract", "text"),
        ("made_for", "text"),
    ),
)
VENDOR_WORDS: Final = Table(
    "routing_vendorword",
    (
        ("model_id", "text"),
        ("said", "text"),
        ("day", "text"),
        ("http_status", "int"),
        ("error_code", "text"),
        ("intent_id", "text"),
        ("agent_id", "text"),
        ("said_at", "timestamptz"),
    ),
    "ON CONFLICT DO NOTHING",
)
LIMITS_SEEN: Final = Table(
    "routing_limitseen",
    (
        ("model_id", "text"),
        ("requests", "bigint"),
        ("tokens", "bigint"),
        ("input_tokens", "bigint"),
        ("output_tokens", "bigint"),
        ("intent_id", "text"),
        ("seen_at", "timestamptz"),
    ),
)
STORED_RESPONSES: Final = Table(
    "routing_storedresponse",
    (
        ("response_id", "text"),
        ("agent_id", "text"),
        ("vendor_id", "text"),
        ("model", "text"),
        ("route", "text"),
        ("intent_id", "text"),
        ("created_at", "timestamptz"),
    ),
    "ON CONFLICT DO NOTHING",
)
DATA_KEYS: Final = Table(
    "ledger_datakey",
    (
        ("dek_id", "text"),
        ("scope", "text"),
        ("data_class", "text"),
        ("ring_key_id", "text"),
        ("wrapped_key", "bytea"),
        ("state", "text"),
        ("created_at", "timestamptz"),
    ),
    "ON CONFLICT (dek_id) DO NOTHING",
)


class RowsAlongside:
    """The rows of this process's entries, less those that are there."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, None] = OrderedDict()
        self._seen = Seen()
        self._limits = LimitsTold()

    def of_run(self, subject: Subject, at: datetime) -> list[Row]:
        """Return the run of a call, and for which run it works."""
        run = subject.run
        if run is None:
            return []
        rows: list[Row] = []
        if run.run_id not in self._runs:
            rows.append(Row(RUNS, (run.run_id, subject.agent_id, run.label, at)))
        if (acting := subject.acting) is not None and acting.parent_run:
            giver, parent = acting.giver or subject.agent_id, acting.parent_run
            rows += self._seen.link(
                (run.run_id, parent, subject.agent_id, giver, acting.delegation_id, at)
            )
        return rows

    def of_tools(self, attempt: Attempt, outcome: Outcome) -> list[Row]:
        """Return which tools an attempt offered, and which its answer called."""
        rows: list[Row] = []
        agent_id, at = attempt.subject.agent_id, attempt.started_at
        if not agent_id or not (attempt.tools or outcome.facts):
            return rows
        for use, names in (
            ("offered", [*attempt.tools]),
            ("called", outcome.facts.get("tool_calls")),
            ("refused", outcome.facts.get("tool_calls_refused")),
        ):
            if isinstance(names, list):
                rows += self._seen.tools(agent_id, names, use, at)
        return rows

    def of_refused_tools(self, agent_id: str, names: object, at: datetime) -> list[Row]:
        """Return the tools because of which a call was refused."""
        if not isinstance(names, list):
            return []
        return [
            row
            for use in ("offered", "refused")
            for row in self._seen.tools(agent_id, names, use, at)
        ]

    def of_limits(self, attempt: Attempt, said: Said, at: datetime) -> list[Row]:
        """Return what an answer says of limits, where it says otherwise than before."""
        model_id = attempt.target.model.public_id
        if not self._limits.is_news(model_id, said, at) or (numbers := counted(said)) is None:
            return []
        return [Row(LIMITS_SEEN, (model_id, *numbers, attempt.entry_id, at))]

    def remember(self, run_id: str) -> None:
        """Know that a run is there."""
        self._runs[run_id] = None
        self._runs.move_to_end(run_id)
        if len(self._runs) > _RUNS_KEPT:
            self._runs.popitem(last=False)

    def forget(self) -> None:
        """Write what is seen with calls again: it is not known what was."""
        self._seen.forget()
        self._limits.forget()


def stored_row(attempt: Attempt, outcome: Outcome) -> Row:
    """Return that a vendor keeps an answer, and for which agent."""
    target = attempt.target
    values = (
        outcome.response_id,
        attempt.subject.agent_id,
        target.vendor.public_id,
        target.model.name,
        attempt.route,
        attempt.entry_id,
        attempt.started_at,
    )
    return Row(STORED_RESPONSES, values)


def data_key_row(made: DataKeyRow) -> Row:
    """Return a new data key, which is written with the first payload under it."""
    values = (
        made.dek_id,
        made.scope,
        made.data_class,
        made.ring_key_id,
        made.wrapped_key,
        "active",
        made.created_at,
    )
    return Row(DATA_KEYS, values)


def call_row(attempt: Attempt, outcome: Outcome, cost: int | None) -> Row:
    """Return an attempt as figures of use count it."""
    subject, target, usage = attempt.subject, attempt.target, outcome.usage
    assert subject.run is not None  # noqa: S101  callers have looked
    values = (
        attempt.entry_id,
        attempt.call_id,
        attempt.number,
        attempt.fallback_reason,
        attempt.choice,
        attempt.is_shadow,
        outcome.is_substituted,
        subject.run.run_id,
        subject.agent_id,
        subject.key_id,
        attempt.route,
        attempt.requested_model,
        target.vendor.name,
        target.model.name,
        outcome.reported_model,
        outcome.status,
        outcome.http_status,
        outcome.error_code,
        attempt.streamed,
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.is_estimated,
        cost,
        target.model.currency,
        attempt.started_at,
        outcome.first_byte_ms,
        outcome.duration_ms,
        outcome.response_id,
        subject.span.caller if subject.span is not None else "",
        target.arm.shift if target.arm is not None else "",
        target.arm.name if target.arm is not None else "",
        outcome.contract,
        attempt.made_for,
    )
    return Row(CALLS, values)


def vendor_word_row(attempt: Attempt, outcome: Outcome, at: datetime) -> Row:
    """Return what a vendor said of a model: one row a day says it, whoever was told."""
    values = (
        attempt.target.model.public_id,
        outcome.said_of_model,
        f"{at:%Y-%m-%d}",
        outcome.http_status,
        outcome.error_code,
        attempt.entry_id,
        attempt.subject.agent_id,
        at,
    )
    return Row(VENDOR_WORDS, values)
