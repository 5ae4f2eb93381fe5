"""Cost against accepted outcomes as coordinates, both on scales of powers of ten."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

from fleet.worth.models import Standing

WIDTH: Final = 640
HEIGHT: Final = 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 38
TONES: Final = {"keep": "success", "tune": "warning", "merge": "info", "retire": "error"}
# Tones are never the only sign: each suggestion has a shape of its own.
_SHAPES: Final = {
    "keep": "M -4 0 a 4 4 0 1 0 8 0 a 4 4 0 1 0 -8 0", "tune": "M 0 -5 L 5 4 L -5 4 Z",
    "merge": "M -4 -4 H 4 V 4 H -4 Z", "retire": "M -4 -4 L 4 4 M 4 -4 L -4 4",
}  # fmt: skip


def scatter_of(standings: Iterable[Standing]) -> dict[str, Any]:
    """Return points and axes; an agent without cost and outcomes is left out."""
    shown = [each for each in standings if each.cost_micros or each.accepted_milli]
    costs = [each.cost_micros / 1e6 for each in shown]
    accepted = [each.accepted_milli / 1000 for each in shown]
    across, up = _top(costs), _top(accepted)
    points = [
        {
            "x": round(_LEFT + (WIDTH - _LEFT - _RIGHT) * _part(cost, across), 1),
            "y": round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * _part(number, up), 1),
            "tone": TONES[each.suggestion], "shape": _SHAPES[each.suggestion],
            "name": each.agent.name, "title": each.agent.title,
            "said": f"{each.agent.name}: ${cost:,.2f}, {number:,.1f} accepted,"
            f" {each.suggestion}",
        }
        for each, cost, number in zip(shown, costs, accepted, strict=True)
    ]  # fmt: skip
    return {
        "points": points, "width": WIDTH, "height": HEIGHT, "left": _LEFT, "right": WIDTH - _RIGHT,
        "top": _TOP, "bottom": HEIGHT - _BOTTOM,
        "across": [_mark(n, across, is_across=True) for n in range(across + 1)],
        "up": [_mark(n, up, is_across=False) for n in range(up + 1)],
        "legend": [
            {"word": word, "tone": TONES[word], "shape": shape} for word, shape in _SHAPES.items()
        ],
    }  # fmt: skip


def _top(values: list[float]) -> int:
    """The power of ten that holds every value; the axis begins at none."""
    return max(1, math.ceil(math.log10(max([1.0, *values]) + 1)))


def _part(value: float, top: int) -> float:
    return min(1.0, math.log10(value + 1) / top)


def _mark(number: int, top: int, *, is_across: bool) -> dict[str, Any]:
    part = _part(10**number - 1 if number == 0 else 10**number, top) if number else 0.0
    value = 0 if number == 0 else 10**number
    length = WIDTH - _LEFT - _RIGHT if is_across else HEIGHT - _TOP - _BOTTOM
    at = _LEFT + length * part if is_across else HEIGHT - _BOTTOM - length * part
    return {"at": round(at, 1), "label": f"{value:,}"}
