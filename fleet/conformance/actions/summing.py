"""Adding what runs contribute to the sums, and taking it out again.

Rows are read once a batch, changed here, and written once: whoever uses this holds the mark.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db.models import Model, Q

from fleet.conformance.declared import Process
from fleet.conformance.models import CheckedRun, DeviationSum, EdgeSum, ProcessSum, WeekSum

EXAMPLES: Final = 3
_KEYS: Final[dict[type[Model], list[str]]] = {
    ProcessSum: ["agent_id", "process"],
    EdgeSum: ["agent_id", "process", "source", "target"],
    DeviationSum: ["agent_id", "process", "kind", "step", "after"],
    WeekSum: ["agent_id", "process", "week"],
}
_TOLD: Final[dict[type[Model], list[str]]] = {
    ProcessSum: [
        "version", "steps", "runs", "deviating", "fitness_permille", "model_steps",
        "deterministic_steps", "cut_runs", "first_at", "last_at",
    ],
    EdgeSum: ["times", "runs", "place_permille"],
    DeviationSum: ["runs", "times", "first_at", "last_at", "examples"],
    WeekSum: ["runs", "deviating"],
}  # fmt: skip


class Sums:
    """The changes of one batch, run by run; `write` brings them to the rows."""

    def __init__(self) -> None:
        self._changes: list[tuple[CheckedRun, Process | None, int]] = []

    def put_in(self, run: CheckedRun, process: Process) -> None:
        if run.added:
            self._changes.append((run, process, 1))

    def take_out(self, run: CheckedRun) -> None:
        if run.added:
            self._changes.append((run, None, -1))

    def write(self) -> None:
        """Read the rows that these runs touch, change them, and write what is left."""
        agents = {run.agent_id for run, _, _ in self._changes}
        rows = {kind: _known(kind, agents) for kind in _KEYS}
        for run, process, sign in self._changes:
            _change_process(rows[ProcessSum], run, process, sign)
            _change_week(rows[WeekSum], run, sign)
            for edge in run.added["edges"]:
                _change_edge(rows[EdgeSum], run, edge, sign)
            for deviation in run.added["deviations"]:
                _change_deviation(rows[DeviationSum], run, deviation, sign)
        for kind, found in rows.items():
            _write(kind, list(found.values()))


def _known(kind: type[Model], agents: set[str]) -> dict[tuple[Any, ...], Any]:
    keys = _KEYS[kind]
    rows = kind._default_manager.filter(Q(agent_id__in=agents))
    return {tuple(getattr(row, key) for key in keys): row for row in rows}


def _change_process(
    rows: dict[tuple[Any, ...], Any], run: CheckedRun, process: Process | None, sign: int
) -> None:
    row = rows.setdefault(
        (run.agent_id, run.process),
        ProcessSum(
            agent_id=run.agent_id, process=run.process, first_at=run.last_at, last_at=run.last_at
        ),
    )
    row.runs += sign
    for column, name in (
        ("deviating", "deviates"), ("fitness_permille", "fitness"), ("model_steps", "model"),
        ("deterministic_steps", "deterministic"), ("cut_runs", "cut"),
    ):  # fmt: skip
        setattr(row, column, getattr(row, column) + sign * run.added[name])
    if process is not None:
        row.version, row.steps = process.version, [dict(step) for step in process.stated]
        _seen(row, run.last_at)


def _change_week(rows: dict[tuple[Any, ...], Any], run: CheckedRun, sign: int) -> None:
    week = monday_of(run.last_at)
    row = rows.setdefault(
        (run.agent_id, run.process, week),
        WeekSum(agent_id=run.agent_id, process=run.process, week=week),
    )
    row.runs += sign
    row.deviating += sign * run.added["deviates"]


def monday_of(moment: datetime) -> date:
    """Return the first day of the week that a moment lies in."""
    day = moment.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())


def _change_edge(
    rows: dict[tuple[Any, ...], Any], run: CheckedRun, edge: list[Any], sign: int
) -> None:
    source, target, times, place = edge
    row = rows.setdefault(
        (run.agent_id, run.process, source, target),
        EdgeSum(agent_id=run.agent_id, process=run.process, source=source, target=target),
    )
    row.times += sign * times
    row.place_permille += sign * place
    row.runs += sign


def _change_deviation(
    rows: dict[tuple[Any, ...], Any], run: CheckedRun, deviation: list[Any], sign: int
) -> None:
    kind, step, after, times = deviation
    row = rows.setdefault(
        (run.agent_id, run.process, kind, step, after),
        DeviationSum(
            agent_id=run.agent_id, process=run.process, kind=kind, step=step, after=after,
            first_at=run.last_at, last_at=run.last_at,
        ),
    )  # fmt: skip
    row.runs += sign
    row.times += sign * times
    others = [each for each in row.examples if each != run.run_id]
    row.examples = [run.run_id, *others][:EXAMPLES] if sign > 0 else others
    if sign > 0:
        _seen(row, run.last_at)


def _seen(row: Any, at: datetime) -> None:
    row.first_at, row.last_at = min(row.first_at, at), max(row.last_at, at)


def _write(kind: type[Model], rows: list[Any]) -> None:
    left = [row for row in rows if row.runs > 0]
    kind._default_manager.bulk_create(
        [row for row in left if row.pk is None],
        batch_size=1000,
    )
    kind._default_manager.bulk_update(
        [row for row in left if row.pk is not None], _TOLD[kind], batch_size=500
    )
    gone = [row.pk for row in rows if row.runs <= 0 and row.pk is not None]
    if gone:
        kind._default_manager.filter(pk__in=gone).delete()
