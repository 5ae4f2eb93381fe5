"""What counts most, stage by stage: errors, form and drift of both arms and their limits. Pure.

Small pictures beside the lanes of `fleet.cutovers.views.chart`, in a box of 100 by 30.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fleet.cutovers.judging import CONFIDENCE
from fleet.cutovers.views.chart import Stage
from fleet.evaluations.statistics.shares import wilson
from fleet.templatetags.figures import DASH
from routing.arm_sums import Sums

Value = float | None


@dataclass(frozen=True, slots=True)
class Trend:
    """One measure over the stages."""

    title: str
    last: str  # of the target, in the newest stage
    note: str
    source: str  # points of a line
    target: str
    limit: str
    marks: list[float]  # the stages whose limit the target is above
    words: str

    @property
    def is_beyond(self) -> bool:
        return bool(self.marks)


def trends_of(
    stages: Sequence[Stage], alerts: Sequence[int], limits: Mapping[str, float]
) -> list[Trend]:
    """Draw errors, form and drift; ``alerts`` says how many there were in each stage."""
    if not stages:
        return []
    found = [
        _shares("Errors", stages, limits["error_rise"], lambda one: (one.errors, one.calls)),
        _shares("Out of form", stages, limits["broken_rise"],
                lambda one: (one.broken, one.checked)),
        _drift(stages, alerts, limits["drift_alerts"]),
    ]  # fmt: skip
    return [trend for trend in found if trend is not None]


def _shares(
    title: str, stages: Sequence[Stage], limit: float, read: Callable[[Sums], tuple[int, int]]
) -> Trend | None:
    ours = [read(stage.arm("target")) for stage in stages]
    if not any(whole for _, whole in ours):
        return None
    source = [_share(*read(stage.arm("source"))) for stage in stages]
    allowed = [(value or 0.0) + limit for value in source]
    # As the lanes have it: passed is what the least that the figures allow for is beyond.
    passed = [
        whole > 0 and wilson(part, whole, CONFIDENCE).low > most
        for (part, whole), most in zip(ours, allowed, strict=True)
    ]
    note = f"{_percent(source[-1])} on the source; at most {_percent(limit)} more"
    lines = _Lines(source, [_share(*each) for each in ours], [*allowed])
    return _drawn(title, stages, lines, passed, note, _percent)


def _drift(stages: Sequence[Stage], alerts: Sequence[int], limit: float) -> Trend:
    nothing: list[Value] = [None] * len(stages)
    allowed: list[Value] = [limit or None] * len(stages)
    passed = [0 < limit <= count for count in alerts]
    note = f"{limit:.0f} end{'s' if limit == 1 else ''} it" if limit else "none ends it"
    lines = _Lines(nothing, [float(count) for count in alerts], allowed)
    return _drawn("Alerts of drift", stages, lines, passed, note, _count)


class _Lines(NamedTuple):
    source: list[Value]
    target: list[Value]
    limit: list[Value]


def _drawn(
    title: str,
    stages: Sequence[Stage],
    lines: _Lines,
    passed: Sequence[bool],
    note: str,
    write: Callable[[Value], str],
) -> Trend:
    top = 1.15 * max([value for line in lines for value in line if value], default=1.0)
    step = 100 / max(len(stages) - 1, 1)
    said = ", ".join(
        f"at {stage.percent} % {write(theirs)} and {write(ours)}"
        for stage, theirs, ours in zip(stages, lines.source, lines.target, strict=True)
    )
    last = next((value for value in reversed(lines.target) if value is not None), None)
    return Trend(
        title=title,
        last=write(last),
        note=note,
        source=_points(lines.source, top, step),
        target=_points(lines.target, top, step),
        limit=_points(lines.limit, top, step),
        marks=[round(number * step, 2) for number, is_so in enumerate(passed) if is_so],
        words=f"{title}, source and target: {said}",
    )


def _points(line: Sequence[Value], top: float, step: float) -> str:
    spots = [
        (round(number * step, 2), round(29 - 28 * value / top, 2))
        for number, value in enumerate(line)
        if value is not None
    ]
    if len(spots) == 1:  # a level, and no slope
        spots = [(0.0, spots[0][1]), (100.0, spots[0][1])]
    return " ".join(f"{x},{y}" for x, y in spots)


def _share(part: int, whole: int) -> Value:
    return part / whole if whole else None


def _percent(share: Value) -> str:
    return DASH if share is None else f"{100 * share:.1f} %"


def _count(value: Value) -> str:
    return DASH if value is None else f"{value:.0f}"
