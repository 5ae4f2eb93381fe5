"""The flow of an agent as coordinates: declared steps down the middle, others beside them.

Numbers out, no markup. An edge that goes on one step is straight; one that skips bends to the
right, one that goes back bends to the left. The width says how often, the tone whether declared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from fleet.conformance.aligning import END, START
from fleet.conformance.queries.conformity import Conformance, name_of

SHOWN: Final = 24  # boxes; the rest is in the table
WIDTH: Final = 360
_ROW, _TOP, _BOX, _HIGH = 62, 24, 150, 34
_MIDDLE, _BESIDE = 130, 283
_LETTERS: Final = 19


@dataclass(frozen=True, slots=True)
class Box:
    """One step, where it stands."""

    label: str
    name: str
    x: float
    y: float
    width: float
    times: int
    tone: str  # declared, unseen, beside, end
    short: str


def flow_of(found: Conformance) -> dict[str, Any]:
    """Return boxes and lines of the flow, and how high the picture is."""
    boxes = {box.label: box for box in _boxes(found)}
    most = max((edge.times for edge in found.edges), default=1)
    lines = [
        _line(boxes[edge.source], boxes[edge.target], edge.times, most, is_declared=is_declared)
        for edge in found.edges
        if edge.source in boxes and edge.target in boxes
        for is_declared in [_is_declared(found, edge.source, edge.target)]
    ]
    drawn = {(edge.source, edge.target) for edge in found.edges}
    unseen = [
        _line(boxes[a], boxes[b], 0, most, is_declared=True)
        for a, b in _declared_pairs(found)
        if (a, b) not in drawn and a in boxes and b in boxes and found.declares
    ]
    height = max((box.y for box in boxes.values()), default=0) + _HIGH + _TOP
    return {
        "boxes": list(boxes.values()), "lines": unseen + lines, "height": round(height),
        "width": WIDTH, "hidden": max(0, len(found.seen) - SHOWN),
    }  # fmt: skip


def _boxes(found: Conformance) -> list[Box]:
    seen = found.seen
    declared = [f"={step.name}" for step in found.process.steps]
    others = sorted(
        (label for label in seen if label not in declared), key=lambda label: -seen[label]
    )[: max(0, SHOWN - len(declared))]
    rows: list[tuple[float, str]] = []
    if declared:
        rows = [(at / max(len(declared), 1), label) for at, label in enumerate(declared, 1)]
    else:
        rows = sorted((found.place(label), label) for label in others)
        others = []
    middle = [START, *(label for _, label in rows), END]
    made = [_box(found, label, _MIDDLE, _TOP + at * _ROW, seen) for at, label in enumerate(middle)]
    used: list[float] = []
    for label in others:
        y = _TOP + _ROW / 2 + found.place(label) * _ROW * max(len(middle) - 2, 1)
        while any(abs(y - other) < _HIGH + 8 for other in used):
            y += _HIGH + 8
        used.append(y)
        made.append(_box(found, label, _BESIDE, y, seen))
    return made


def _box(found: Conformance, label: str, x: float, y: float, seen: dict[str, int]) -> Box:
    times = found.runs if label in (START, END) else seen.get(label, 0)
    name = name_of(label)
    width = 70 if label in (START, END) else _BOX
    tone = "beside"
    if label in (START, END):
        tone = "end"
    elif label.startswith("=") or not found.declares:
        tone = "declared" if times else "unseen"
    short = name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"
    return Box(label, name, x, round(y, 1), width, times, tone, short)


def _declared_pairs(found: Conformance) -> list[tuple[str, str]]:
    labels = [START, *(f"={step.name}" for step in found.process.steps), END]
    return list(pairwise(labels))


def _is_declared(found: Conformance, source: str, target: str) -> bool:
    """Say whether going from one step to another is what the declaration allows."""
    if not found.declares:
        return True
    places = {f"={step.name}": at for at, step in enumerate(found.process.steps, 1)}
    places |= {START: 0, END: len(found.process.steps) + 1}
    if source not in places or target not in places:
        return False
    between = found.process.steps[places[source] : places[target] - 1]
    return not any(step.is_required for step in between)


def _line(source: Box, target: Box, times: int, most: int, *, is_declared: bool) -> dict[str, Any]:
    middle = source.x == target.x
    down = target.y - source.y
    if source.label == target.label:
        path = _loop(source)
    elif middle and 0 < down <= _ROW:
        path = f"M {source.x} {source.y + _HIGH} L {target.x} {target.y - 3}"
    else:
        side = 1 if down > 0 else -1
        if not middle:
            side = 1 if target.x > source.x else -1
        path = _bend(source, target, side, is_level=middle)
    return {
        "path": path,
        "width": round(1 + 4 * math.log1p(times) / math.log1p(max(most, 1)), 1) if times else 1,
        "is_seen": times > 0,
        "tone": "ok" if is_declared else "off",
        "said": f"{source.name} to {target.name}: {times:,} times"
        + ("" if is_declared else ", not declared"),
    }  # fmt: skip


def _bend(source: Box, target: Box, side: int, *, is_level: bool) -> str:
    y1, y2 = source.y + _HIGH / 2, target.y + _HIGH / 2
    x1 = source.x + side * source.width / 2
    if not is_level:
        x2 = target.x - side * target.width / 2
        half = (x1 + x2) / 2
        return f"M {x1} {y1} C {half} {y1} {half} {y2} {x2 - 3 * side} {y2}"
    x2 = target.x + side * target.width / 2
    out = 18 + min(34, abs(y2 - y1) / 6)
    far = max(x1, x2) + out if side > 0 else min(x1, x2) - out
    return f"M {x1} {y1} C {far} {y1} {far} {y2} {x2 + 3 * side} {y2}"


def _loop(box: Box) -> str:
    x, y = box.x - box.width / 2, box.y
    return f"M {x} {y + 8} C {x - 26} {y} {x - 26} {y + _HIGH} {x - 3} {y + _HIGH - 8}"
