"""The arms of a cutover beside each other, step by step, each figure against its limit. Pure.

Every lane shows the source (a line), the target (a dot, with what it may be as well as a band)
and the limit. Places are hundredths of the lane's width, for attributes of an SVG.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fleet.cutovers.judging import CONFIDENCE
from fleet.evaluations.statistics.shares import wilson
from fleet.templatetags.figures import DASH, money
from routing.arm_sums import Sums
from routing.latencies import percentile

_NONE: Final = Sums()
_ROOM: Final = 1.15  # beyond the largest, so that nothing is drawn on the edge


@dataclass(frozen=True, slots=True)
class Lane:
    """One step's figures of one measure."""

    label: str
    source: float | None
    target: float | None
    limit: float | None
    band: tuple[float, float] | None  # where it begins, how wide
    said: str
    is_beyond: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """One measure over the steps."""

    title: str
    allowed: str
    lanes: list[Lane]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step that was taken: its share, when it began, and what its arms came to."""

    percent: int
    began_at: datetime
    arms: Mapping[str, Sums]

    @property
    def calls(self) -> int:
        return sum(sums.calls for sums in self.arms.values())

    def arm(self, name: str) -> Sums:
        return self.arms.get(name, _NONE)


def stages_of(
    steps: Sequence[Mapping[str, int]],
    taken: Sequence[datetime],
    sums: Mapping[datetime, Mapping[str, Sums]],
) -> list[Stage]:
    """Return the steps that calls were counted in, the first to the last.

    ``taken`` says when each step was put down, which is right after its shares were changed: a
    step in which nobody called has no sums, and the next keeps its own share.
    """
    last = len(steps) - 1
    return [
        Stage(steps[min(bisect_left(taken, began), last)]["percent"], began, arms)
        for began, arms in sums.items()
    ]


def charts_of(stages: Sequence[Stage], limits: Mapping[str, float], currency: str) -> list[Chart]:
    """Return every measure that has a figure."""
    found = [
        _shares("Errors", "error_rise", limits, stages, lambda one: (one.errors, one.calls)),
        _shares("Out of form", "broken_rise", limits, stages,
                lambda one: (one.broken, one.checked)),
        _shares("Refusals", "refused_rise", limits, stages, lambda one: (one.refused, one.served)),
        _fell_back(limits, stages),
        _ratios("95th percentile", "latency_ratio", limits, stages, _p95, _ms),
        _ratios("Cost of a call", "cost_ratio", limits, stages, _cost,
                lambda value: money(round(value), currency)),
    ]  # fmt: skip
    return [chart for chart in found if any(lane.said for lane in chart.lanes)]


def _shares(
    title: str,
    limit: str,
    limits: Mapping[str, float],
    stages: Sequence[Stage],
    read: Callable[[Sums], tuple[int, int]],
) -> Chart:
    rows = []
    for stage in stages:
        (ours, of), (theirs, whole) = read(stage.arm("target")), read(stage.arm("source"))
        beside = theirs / whole if whole else 0.0
        seen = wilson(ours, of, CONFIDENCE) if of else None
        bounds = (seen.low, seen.high) if seen else None
        rows.append(
            (stage, theirs / whole if whole else None, ours / of if of else None,
             beside + limits[limit], bounds)
        )  # fmt: skip
    return Chart(
        title, f"at most {_percent(limits[limit])} above the source", _drawn(rows, _percent)
    )


def _fell_back(limits: Mapping[str, float], stages: Sequence[Stage]) -> Chart:
    rows = []
    allowed = limits["fell_back_share"]
    for stage in stages:
        back = stage.arm("behind").served
        whole = stage.arm("target").served + back
        seen = wilson(back, whole, CONFIDENCE) if whole else None
        rows.append(
            (stage, None, back / whole if whole else None, allowed,
             (seen.low, seen.high) if seen else None)
        )  # fmt: skip
    return Chart("Fell back to the source", f"at most {_percent(allowed)}", _drawn(rows, _percent))


def _ratios(
    title: str,
    limit: str,
    limits: Mapping[str, float],
    stages: Sequence[Stage],
    read: Callable[[Sums], float | None],
    write: Callable[[float], str],
) -> Chart:
    rows = []
    for stage in stages:
        source, target = read(stage.arm("source")), read(stage.arm("target"))
        most = None if source is None else source * limits[limit]
        rows.append((stage, source, target, most, None))
    return Chart(title, f"at most {limits[limit]:g} times the source's", _drawn(rows, write))


_Row = tuple[Stage, float | None, float | None, float | None, tuple[float, float] | None]


def _drawn(rows: Sequence[_Row], write: Callable[[float], str]) -> list[Lane]:
    values = [value for _, *some, bounds in rows for value in (*some, *(bounds or ())) if value]
    top = _ROOM * max([value for value in values if isinstance(value, float | int)], default=1.0)
    return [_lane(row, top, write) for row in rows]


def _lane(row: _Row, top: float, write: Callable[[float], str]) -> Lane:
    stage, source, target, limit, bounds = row
    low, high = bounds or (0.0, 0.0)
    said = (
        "" if target is None else f"{DASH if source is None else write(source)} → {write(target)}"
    )
    if said and limit is not None:
        said += f", limit {write(limit)}"
    is_beyond = target is not None and limit is not None and (low if bounds else target) > limit
    band = (_place(low, top), _place(high - low, top)) if bounds and target is not None else None
    at = [None if value is None else _place(value, top) for value in (source, target, limit)]
    return Lane(f"{stage.percent} %", at[0], at[1], at[2] if said else None, band, said, is_beyond)


def _place(value: float, top: float) -> float:
    return round(100 * min(max(value / top, 0.0), 1.0), 2)


def _p95(sums: Sums) -> float | None:
    return percentile(sums.latencies, 0.95)


def _cost(sums: Sums) -> float | None:
    has_all = sums.calls and not sums.unpriced_calls
    return sums.cost_micros / sums.calls if has_all else None


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _ms(value: float) -> str:
    return f"{value:,.0f} ms"
