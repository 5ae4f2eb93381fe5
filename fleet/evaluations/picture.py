"""The picture of a report: a bar for each axis, what may be true as a band, the bound as a line.

Owns where things stand on a line from 0 to 100, as percentages that an SVG takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fleet.evaluations.report import TITLES

_TONES: Final = {
    "passed": "success", "failed": "error", "inconclusive": "warning", "shown": "neutral",
}  # fmt: skip
_RATIOS: Final = frozenset({"cost", "latency"})
_YARDSTICKS: Final = {
    "again": "asked again", "recorded": "as recorded", "bound": "", "": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Band:
    """An estimate and its interval on the line."""

    low: float
    width: float
    at: float
    said: str


@dataclass(frozen=True, slots=True)
class Line:
    """One axis of one candidate, drawn."""

    axis: str
    title: str
    method: str
    verdict: str
    tone: str
    count: int
    candidate: Band | None
    baseline: Band | None
    bound: float | None
    said: str
    note: str
    more_runs: int | None


def lines_of(figures: list[Mapping[str, Any]]) -> list[Line]:
    """Return the axes of which there is something to see."""
    return [_line(one) for one in figures if one["verdict"] != "nothing"]


def _line(one: Mapping[str, Any]) -> Line:
    draw = _ratio if one["axis"] in _RATIOS else _share
    candidate, baseline, bound = draw(one)
    return Line(
        one["axis"],
        TITLES.get(one["axis"], one["axis"]),
        one["method"],
        one["verdict"],
        _TONES.get(one["verdict"], "neutral"),
        one["count"],
        candidate,
        baseline,
        bound,
        _said(one, candidate, baseline),
        one["note"],
        one["more_runs"] if one["verdict"] == "inconclusive" else None,
    )


def _share(one: Mapping[str, Any]) -> tuple[Band | None, Band | None, float | None]:
    candidate, baseline = _band(one["candidate"]), _band(one["baseline"])
    if one["bound"] is None:
        return candidate, baseline, None
    if one["yardstick"] == "bound":
        return candidate, baseline, round(100 * one["bound"], 2)
    if baseline is None:
        return candidate, None, None
    sign = 1 if one["axis"] in {"failures", "refusals"} else -1
    return candidate, baseline, _within(baseline.at + sign * 100 * one["bound"])


def _ratio(one: Mapping[str, Any]) -> tuple[Band | None, Band | None, float | None]:
    """Draw a ratio: half the line is as much as the baseline, the whole twice the bound."""
    found = one["difference"]
    if found is None or found["value"] is None:
        return None, None, None
    whole = 2 * max(one["bound"] or 1.0, found["value"], 1.0)
    low = found["low"] if found["low"] is not None else 0.0
    high = found["high"] if found["high"] is not None else whole
    said = f"{found['value']:.2f} times"
    band = Band(
        _within(100 * low / whole),
        _within(100 * (high - low) / whole),
        _within(100 * found["value"] / whole),
        said,
    )
    at = _within(100 / whole)
    bound = None if one["bound"] is None else _within(100 * one["bound"] / whole)
    return band, Band(at, 0.0, at, "1 time"), bound


def _band(found: Mapping[str, Any] | None) -> Band | None:
    if found is None or found.get("value") is None:
        return None
    value = found["value"]
    low, high = found.get("low"), found.get("high")
    low, high = (value if low is None else low), (value if high is None else high)
    return Band(
        round(100 * low, 2), round(100 * (high - low), 2), round(100 * value, 2),
        f"{100 * value:.0f} %",
    )  # fmt: skip


def _said(one: Mapping[str, Any], candidate: Band | None, baseline: Band | None) -> str:
    if candidate is None:
        return "not known"
    said = candidate.said
    if one["axis"] not in _RATIOS and candidate.width:
        said += f" ({candidate.low:.0f} to {candidate.low + candidate.width:.0f} %)"
    if baseline is not None and one["axis"] not in _RATIOS:
        how = _YARDSTICKS.get(one["yardstick"], "")
        said += f", today's model {baseline.said}{' ' + how if how else ''}"
    return said


def _within(value: float) -> float:
    return round(min(100.0, max(0.0, value)), 2)
