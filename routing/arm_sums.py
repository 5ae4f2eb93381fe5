"""How the calls of the arms of shifts are summed: the SQL that counting and reading share.

Owns what a call adds to its arm. A call that its agent left says nothing of who served; the
time is of calls that were served.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from routing.latencies import BOUNDS, added
from routing.models.shift import ARM_SUMS

_FAILED: Final = "status IN ('error', 'incomplete', 'unknown')"
_SLOTS: Final = ", ".join(
    f"count(*) FILTER (WHERE status = 'ok' AND slot = {slot})" for slot in range(len(BOUNDS) + 1)
)
COUNTED: Final = f"""
    count(*) AS calls, count(*) FILTER (WHERE {_FAILED}) AS errors,
    count(*) FILTER (WHERE attempt > 1 OR fallback_reason <> '') AS fell_back,
    count(*) FILTER (WHERE contract = 'broken') AS broken,
    count(*) FILTER (WHERE contract = 'refused') AS refused,
    count(*) FILTER (WHERE contract IN ('kept', 'broken')) AS checked,
    coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
    coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
    coalesce(sum(cost_micros), 0)::bigint AS cost_micros,
    count(*) FILTER (WHERE cost_micros IS NULL) AS unpriced_calls,
    coalesce(sum(duration_ms) FILTER (WHERE status = 'ok'), 0)::bigint AS duration_ms,
    ARRAY[{_SLOTS}]::bigint[] AS latencies
"""
CALLS: Final = f"""
    SELECT xid, id, shift, arm, status, attempt, fallback_reason, contract, input_tokens,
           output_tokens, cost_micros, duration_ms, started_at,
           width_bucket(duration_ms, ARRAY{list(BOUNDS)}::int[]) AS slot
    FROM routing_call
    WHERE shift <> '' AND NOT is_shadow AND status NOT IN ('denied', 'cancelled')
"""  # noqa: S608  numbers of our own
NAMES: Final = (*ARM_SUMS, "latencies")


@dataclass
class Sums:
    """What one arm comes to."""

    calls: int = 0
    errors: int = 0
    fell_back: int = 0
    broken: int = 0
    refused: int = 0
    checked: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micros: int = 0
    unpriced_calls: int = 0
    duration_ms: int = 0
    latencies: list[int] = field(default_factory=list)

    def add(self, values: Sequence[Any]) -> None:
        """Add a row of `NAMES`."""
        for name, value in zip(ARM_SUMS, values[:-1], strict=True):
            setattr(self, name, getattr(self, name) + int(value))
        self.latencies = added(self.latencies, [int(each) for each in values[-1]])

    def row(self) -> list[Any]:
        return [getattr(self, name) for name in NAMES]

    @property
    def served(self) -> int:
        return self.calls - self.errors
