"""From pairs to figures: each axis with its interval, its bound, and what that says.

Owns which yardstick counts. Where the baseline was asked once more, a candidate is held to how
it did *then*, on the same questions: what a model does not repeat itself is noise, and no
candidate's fault. Otherwise it is held to the record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from fleet.evaluations.statistics.ratios import Sums, ratio_of_sums, ratio_of_times
from fleet.evaluations.statistics.shares import (
    Interval,
    Paired,
    design_effect,
    difference,
    mcnemar,
    scale_to_clear,
    wilson,
)

PASSED: Final = "passed"
FAILED: Final = "failed"
INCONCLUSIVE: Final = "inconclusive"
SHOWN: Final = "shown"  # told, and nothing hangs on it
NOTHING: Final = "nothing"  # there was nothing to compare


@dataclass(frozen=True, slots=True)
class Row:
    """One case: how the candidate did, and how the baseline did when asked again."""

    run_id: str
    outcome: Mapping[str, Any]
    again: Mapping[str, Any] | None = None
    is_golden: bool = False


@dataclass(slots=True)
class Figure:
    """One axis of one candidate."""

    axis: str
    method: str
    verdict: str
    count: int = 0
    runs: int = 0
    yardstick: str = ""  # again, recorded, bound
    candidate: dict[str, float | None] | None = None
    baseline: dict[str, float | None] | None = None
    difference: dict[str, float | None] | None = None
    bound: float | None = None
    p: float | None = None
    more_runs: int | None = None  # None: no number of runs would settle it, or none is needed
    note: str = ""
    parts: dict[str, int] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        return asdict(self)


Flag = Callable[[Mapping[str, Any]], bool | None]


@dataclass(frozen=True, slots=True)
class Axis:
    """A share that is compared: its name, how it is read of an outcome, and what is good."""

    name: str
    method: str
    of: Flag
    of_record: Flag  # the same of the baseline's own recorded answer
    is_bad: bool = False  # a share that should stay small


def shares(rows: Sequence[Row], axis: Axis, margin: float, confidence: float) -> Figure:
    """Compare a share with its yardstick: no worse by more than a margin."""
    found = _pairs(rows, axis)
    if not found.read:
        return Figure(axis.name, axis.method, NOTHING, yardstick=found.yardstick, bound=margin)
    effect = design_effect(found.clusters(1))
    pairs = found.paired.scaled(1 / effect)
    gap = difference(pairs, confidence)
    hits = pairs.both + pairs.second, pairs.both + pairs.first
    figure = Figure(
        axis.name,
        axis.method,
        _verdict(gap, margin, is_bad=axis.is_bad),
        count=len(found.read),
        runs=found.runs,
        yardstick=found.yardstick,
        candidate=_told(wilson(hits[0], pairs.count, confidence)),
        baseline=_told(wilson(hits[1], pairs.count, confidence)),
        difference=_told(gap),
        bound=margin,
        p=mcnemar(int(found.paired.first), int(found.paired.second)),
        parts={
            "both": int(found.paired.both),
            "baseline_only": int(found.paired.first),
            "candidate_only": int(found.paired.second),
            "neither": int(found.paired.neither),
        },
        note="" if effect <= 1.05 else f"steps of one run are alike: counted as {pairs.count:.0f}",
    )
    if figure.verdict == INCONCLUSIVE:
        scale = scale_to_clear(pairs, margin, confidence, above=axis.is_bad)
        figure.more_runs = _more(scale, found.runs)
    return figure


def agreement(
    rows: Sequence[Row], axis: Axis, least: float, margin: float, confidence: float
) -> Figure:
    """Compare how often the record is repeated with how often the baseline repeats itself.

    Where nobody asked the baseline again, the share is held to a bound of its own.
    """
    if any(row.again is not None for row in rows):
        return shares(rows, axis, margin, confidence)
    read = [(row.run_id, found) for row in rows if (found := axis.of(row.outcome)) is not None]
    if not read:
        return Figure(axis.name, axis.method, NOTHING, yardstick="bound", bound=least)
    clusters = _clusters(read)
    count = len(read) / design_effect(clusters)
    share = sum(hit for _, hit in read) / len(read)
    interval = wilson(share * count, count, confidence)
    verdict = INCONCLUSIVE
    if least <= interval.low:
        verdict = PASSED
    elif interval.high < least:
        verdict = FAILED
    figure = Figure(
        axis.name,
        axis.method,
        verdict,
        count=len(read),
        runs=len(clusters),
        yardstick="bound",
        candidate=_told(interval),
        bound=least,
    )
    if verdict == INCONCLUSIVE:
        figure.more_runs = _more(_scale_of_share(share, count, least, confidence), len(clusters))
    return figure


def ratio(  # noqa: PLR0913  an axis, in one call with named parts
    rows: Iterable[tuple[str, float | None, float | None]],
    *,
    axis: str,
    yardstick: str,
    bound: float,
    seed: str,
    confidence: float,
    is_time: bool = False,
) -> Figure:
    """Compare cost or time: (run, baseline's, candidate's) of each case."""
    method = "ratio of means, runs resampled" if not is_time else "geometric mean, runs resampled"
    given = list(rows)
    known = [(run, one, two) for run, one, two in given if one is not None and two is not None]
    if not known:
        note = "a price is unknown" if given and not is_time else ""
        verdict = INCONCLUSIVE if note else NOTHING
        return Figure(axis, method, verdict, yardstick=yardstick, bound=bound, note=note)
    sums = _sums(known, is_time=is_time)
    made = ratio_of_times if is_time else ratio_of_sums
    found = made(sums, seed=f"{seed} {axis}", confidence=confidence)
    if found is None:
        note = "the baseline is free"
        return Figure(axis, method, SHOWN, len(known), len(sums), yardstick, note=note)
    verdict = INCONCLUSIVE
    if found.high <= bound:
        verdict = PASSED
    elif found.low > bound:
        verdict = FAILED
    figure = Figure(
        axis,
        method,
        verdict,
        count=len(known),
        runs=len(sums),
        yardstick=yardstick,
        candidate={"value": sum(two for _, _, two in known) / len(known)},
        baseline={"value": sum(one for _, one, _ in known) / len(known)},
        difference=_told(found),
        bound=bound,
    )
    if verdict == INCONCLUSIVE and found.value > 0 and math.isfinite(found.high):
        # Intervals narrow with the root of the number of runs.
        gap = abs(bound - found.value)
        width = (found.high - found.value) if found.value < bound else (found.value - found.low)
        scale = (width / gap) ** 2 if gap > 0 else math.inf
        figure.more_runs = _more(scale if scale < 1000 else None, len(sums))
    elif verdict == INCONCLUSIVE:
        figure.more_runs = 2
    return figure


def golden(rows: Sequence[Row], least: float) -> Figure:
    """Say how many golden cases hold: all there are, so there is nothing to infer."""
    mine = [row.outcome["golden"] for row in rows if row.is_golden]
    held = sum(one["ok"] is True for one in mine)
    open_ones = sum(one["ok"] is None for one in mine)
    told = [row.again["golden"] for row in rows if row.is_golden and row.again is not None]
    if not mine:
        return Figure("golden", "every case", NOTHING, bound=least)
    verdict = PASSED if held >= least * len(mine) else FAILED
    if verdict == FAILED and held + open_ones >= least * len(mine):
        verdict = INCONCLUSIVE
    return Figure(
        "golden",
        "every case",
        verdict,
        count=len(mine),
        yardstick="bound",
        candidate={"value": held / len(mine)},
        baseline={"value": sum(one["ok"] is True for one in told) / len(told)} if told else None,
        bound=least,
        note=f"{open_ones} can be told by a judge model only" if open_ones else "",
        parts={"held": held, "broken": len(mine) - held - open_ones, "open": open_ones},
    )


@dataclass(frozen=True, slots=True)
class _Read:
    read: list[tuple[str, bool, bool]]  # run, yardstick's, candidate's
    yardstick: str

    @property
    def paired(self) -> Paired:
        counts = [0, 0, 0, 0]
        for _, one, two in self.read:
            counts[0 if one and two else 1 if one else 2 if two else 3] += 1
        return Paired(*counts)

    @property
    def runs(self) -> int:
        return len({run for run, _, _ in self.read})

    def clusters(self, side: int) -> list[tuple[float, float]]:
        return _clusters([(run, two if side else one) for run, one, two in self.read])


def _pairs(rows: Sequence[Row], axis: Axis) -> _Read:
    by_again = any(row.again is not None for row in rows)
    read: list[tuple[str, bool, bool]] = []
    for row in rows:
        two = axis.of(row.outcome)
        if by_again:
            one = axis.of(row.again) if row.again is not None else None
        else:
            one = axis.of_record(row.outcome)
        if one is not None and two is not None:
            read.append((row.run_id, one, two))
    return _Read(read, "again" if by_again else "recorded")


def _clusters(read: Iterable[tuple[str, bool]]) -> list[tuple[float, float]]:
    found: dict[str, list[float]] = {}
    for run, hit in read:
        sums = found.setdefault(run, [0.0, 0.0])
        sums[0] += hit
        sums[1] += 1
    return [(hits, count) for hits, count in found.values()]


def _verdict(gap: Interval, margin: float, *, is_bad: bool) -> str:
    worst, best = (-gap.high, -gap.low) if is_bad else (gap.low, gap.high)
    if worst >= -margin:
        return PASSED
    return FAILED if best < -margin else INCONCLUSIVE


def _scale_of_share(share: float, count: float, least: float, confidence: float) -> float | None:
    factor = 1.0
    while factor < 1000:
        found = wilson(share * count * factor, count * factor, confidence)
        if found.low >= least or found.high < least:
            return factor
        factor *= 1.1
    return None


def _more(scale: float | None, runs: int) -> int | None:
    return None if scale is None else max(1, math.ceil(runs * scale) - runs)


def _sums(known: list[tuple[str, float, float]], *, is_time: bool) -> list[Sums]:
    found: dict[str, list[float]] = {}
    for run, one, two in known:
        sums = found.setdefault(run, [0.0, 0.0, 0.0])
        sums[0] += math.log(max(one, 1.0)) if is_time else one
        sums[1] += math.log(max(two, 1.0)) if is_time else two
        sums[2] += 1
    return [(one, two, count) for one, two, count in found.values()]


def _told(found: Interval) -> dict[str, float | None]:
    """Return an interval as JSON can say it."""
    return {
        "value": _finite(found.value),
        "low": _finite(found.low),
        "high": _finite(found.high),
    }


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
