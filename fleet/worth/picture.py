"""Cost against outcomes or value as coordinates, both on scales of powers of ten."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.urls import reverse

from fleet.worth.models import Listed, Standing

WIDTH: Final = 640
HEIGHT: Final = 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 38
TONES: Final = {"keep": "success", "tune": "warning", "merge": "info", "retire": "error"}
# Tones are never the only sign: each suggestion has a shape of its own.
_SHAPES: Final = {
    "keep": "M -4 0 a 4 4 0 1 0 8 0 a 4 4 0 1 0 -8 0", "tune": "M 0 -5 L 5 4 L -5 4 Z",
    "merge": "M -4 -4 H 4 V 4 H -4 Z", "retire": "M -4 -4 L 4 4 M 4 -4 L -4 4",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dot:
    """One agent in the picture: where it stands, and where a click leads."""

    name: str
    url: str
    suggestion: str
    cost: float
    height: float
    said: str


def scatter_of(standings: Iterable[Standing]) -> dict[str, Any]:
    """Return cost against accepted outcomes; an agent without both is left out."""
    return _drawn(
        Dot(
            name=each.agent.name,
            url=reverse("registry:agent-worth", args=[each.agent.name]),
            suggestion=each.suggestion,
            cost=each.cost_micros / 1e6,
            height=each.accepted_milli / 1000,
            said=f"{each.accepted_milli / 1000:,.1f} accepted",
        )
        for each in standings
        if each.cost_micros or each.accepted_milli
    )


def value_of(lines: Iterable[Listed]) -> dict[str, Any]:
    """Return cost against value of a list's agents; one without a declared value is left out."""
    listed = list(lines)
    valued = [each for each in listed if each.figures.get("net_micros") is not None]
    drawn = _drawn(
        Dot(
            name=each.agent_name,
            url=reverse("worth:listed", args=[each.public_id]),
            suggestion=each.suggestion,
            cost=each.cost_micros / 1e6,
            height=_value(each),
            said=f"${_value(each):,.2f} value",
        )
        for each in valued
    )
    return drawn | {"left_out": len(listed) - len(valued), "line": _break_even(drawn)}


def _value(listed: Listed) -> float:
    return max(0.0, (int(listed.figures["net_micros"]) + listed.cost_micros) / 1e6)


def _break_even(drawn: dict[str, Any]) -> dict[str, float]:
    """Where value equals cost: above it an agent earns more than it costs."""
    most = min(drawn["across_top"], drawn["up_top"])
    x, y = _place(10.0**most, 10.0**most, drawn["across_top"], drawn["up_top"])
    x0, y0 = _place(0.0, 0.0, drawn["across_top"], drawn["up_top"])
    return {"x1": x0, "y1": y0, "x2": x, "y2": y}


def _place(cost: float, height: float, across: int, up: int) -> tuple[float, float]:
    return (
        round(_LEFT + (WIDTH - _LEFT - _RIGHT) * _part(cost, across), 1),
        round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * _part(height, up), 1),
    )


def _drawn(dots: Iterable[Dot]) -> dict[str, Any]:
    shown = list(dots)
    across, up = _top([dot.cost for dot in shown]), _top([dot.height for dot in shown])
    points = [
        {
            "x": x, "y": y, "tone": TONES[dot.suggestion], "shape": _SHAPES[dot.suggestion],
            "name": dot.name, "url": dot.url,
            "said": f"{dot.name}: ${dot.cost:,.2f}, {dot.said}, {dot.suggestion}",
        }
        for dot in shown
        for x, y in [_place(dot.cost, dot.height, across, up)]
    ]  # fmt: skip
    return {
        "across_top": across, "up_top": up,
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
