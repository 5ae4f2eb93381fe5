"""The waterfall of a run: its steps on one time axis, each under what it is part of.

Idle times are shortened where they would leave nothing to see, and many steps alike in a
row stand as one group that opens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Final

from kernel import clock
from routing.views.step_words import Step

# Where steps fill less of the time than this, the idle times between them are shortened.
SPARSE: Final = 0.1
# So many steps alike in a row are a group.
ALIKE: Final = 6
_DEEPEST: Final = 8
_LEAST: Final = 0.6  # per cent: work too short to see still has a mark
_MARKS: Final = (0, 25, 50, 75, 100)


@dataclass(frozen=True, slots=True)
class Group:
    """Steps that stand together: one, or several alike that are folded."""

    steps: list[Step]

    @property
    def is_folded(self) -> bool:
        return len(self.steps) >= ALIKE

    @property
    def first(self) -> Step:
        return self.steps[0]

    @property
    def count(self) -> int:
        return len(self.steps)

    @property
    def cost_micros(self) -> int:
        return sum(step.cost_micros or 0 for step in self.steps)

    @property
    def milliseconds(self) -> float:
        return sum(step.milliseconds or 0 for step in self.steps)

    @property
    def left(self) -> float:
        return min(step.left for step in self.steps)

    @property
    def width(self) -> float:
        return max(step.left + step.width for step in self.steps) - self.left


@dataclass(frozen=True, slots=True)
class Waterfall:
    """What is drawn."""

    groups: list[Group] = field(default_factory=list)
    # Marks of the axis: where, in per cent, and how long after the first step began.
    marks: list[tuple[int, float]] = field(default_factory=list)
    is_shortened: bool = False


def waterfall(steps: Sequence[Step], now: datetime | None = None) -> Waterfall:
    """Lay steps out: in the order of their times, those that are part of another under it."""
    if not steps:
        return Waterfall()
    ordered = list(_nested(sorted(steps, key=lambda step: step.starts)))
    length, is_shortened = _place(ordered, now or clock.now())
    marks = [] if is_shortened or length <= 0 else [(at, length * at * 10) for at in _MARKS]
    groups = [
        Group(part)
        for _, alike in groupby(ordered, key=lambda step: step.alike)
        for part in _parts(list(alike))
    ]
    return Waterfall(groups, marks, is_shortened)


def _parts(alike: list[Step]) -> list[list[Step]]:
    is_group = len(alike) >= ALIKE and alike[0].status in {"ok", ""}
    return [alike] if is_group else [[step] for step in alike]


def _nested(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield each step after the one it is part of; one that cannot be found has none."""
    owners: dict[str, Step] = {}
    for step in steps:
        for name in step.spans:
            if name:
                owners.setdefault(name, step)
    below: dict[str, list[Step]] = {}
    tops: list[Step] = []
    for step in steps:
        owner = owners.get(step.parent) if step.parent else None
        if owner is None or _is_within(owner, step, owners):
            step.parent = ""
            tops.append(step)
        else:
            below.setdefault(owner.id, []).append(step)
    waiting = [(step, 0) for step in reversed(tops)]
    while waiting:
        step, depth = waiting.pop()
        step.depth = min(depth, _DEEPEST)
        yield step
        waiting += [(child, depth + 1) for child in reversed(below.get(step.id, []))]


def _is_within(owner: Step, step: Step, owners: dict[str, Step]) -> bool:
    """Say whether what a step is part of is itself part of that step: agents say anything."""
    seen = {step.id}
    at: Step | None = owner
    while at is not None:
        if at.id in seen:
            return True
        seen.add(at.id)
        at = owners.get(at.parent) if at.parent else None
    return False


def _place(steps: Sequence[Step], now: datetime) -> tuple[float, bool]:
    """Set where each step stands in per cent; return the seconds of the whole, and if cut."""
    edges = [
        (step.starts.timestamp(), (step.ends or max(now, step.starts)).timestamp())
        for step in steps
    ]
    begin, end = min(start for start, _ in edges), max(end for _, end in edges)
    busy = sum(stop - start for start, stop in edges)
    is_sparse = len(steps) > 1 and 0 < busy < SPARSE * (end - begin)
    if is_sparse:
        edges = _shortened(edges, pause=max(busy / len(steps) / 2, 0.001))
        begin, end = min(start for start, _ in edges), max(end for _, end in edges)
    length = (end - begin) or 1.0
    for step, (start, stop) in zip(steps, edges, strict=True):
        step.left = round(min(100 * (start - begin) / length, 100 - _LEAST), 3)
        step.width = round(min(max(100 * (stop - start) / length, _LEAST), 100 - step.left), 3)
    return end - begin, is_sparse


def _shortened(edges: list[tuple[float, float]], *, pause: float) -> list[tuple[float, float]]:
    """Cut every idle time to a pause; steps that overlap keep their places to each other."""
    order = sorted(range(len(edges)), key=lambda number: edges[number])
    shown = list(edges)
    cut, latest = 0.0, edges[order[0]][0]
    for number in order:
        start, end = edges[number]
        if start - latest > pause:
            cut += start - latest - pause
        shown[number] = (start - cut, end - cut)
        latest = max(latest, end)
    return shown
