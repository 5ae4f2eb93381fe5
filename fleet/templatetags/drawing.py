"""The geometry of the charts the server draws.

Numbers in, SVG coordinates out; the partials hold the markup. Geometry goes into SVG
attributes only, because the content security policy refuses style attributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

Item = Any  # a mapping or an object: pages hand over either


def part(item: Item, name: str, default: Any = None) -> Any:
    """Read one field of a mapping or an object."""
    if isinstance(item, dict):
        return item.get(name, default)
    return getattr(item, name, default)


def spark(values: Iterable[float | None]) -> dict[str, Any]:
    """Lay a series into a 100 by 30 box; a missing value breaks nothing and counts as none."""
    points = [float(value or 0) for value in values]
    if not points:
        return {"line": "", "area": "", "bars": []}
    top = max(points) or 1.0
    step = 100 / max(len(points) - 1, 1)
    spots = [
        (round(i * step, 2), round(29 - 28 * value / top, 2)) for i, value in enumerate(points)
    ]
    if len(spots) == 1:
        spots.append((100.0, spots[0][1]))
    line = " ".join(f"{x},{y}" for x, y in spots)
    slot = 100 / len(points)
    bars = [
        {
            "x": round(i * slot + slot * 0.12, 2),
            "y": round(30 - max(29 * value / top, 1 if value else 0), 2),
            "width": round(slot * 0.76, 2),
            "height": round(max(29 * value / top, 1 if value else 0), 2),
        }
        for i, value in enumerate(points)
    ]
    return {"line": line, "area": f"0,30 {line} 100,30", "bars": bars}


def shares(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Give each item its part of the whole, where it begins, and a colour."""
    total = sum(max(float(part(item, "value") or 0), 0) for item in items)
    rows, begin = [], 0.0
    for index, item in enumerate(items):
        value = part(item, "value") or 0
        width = 100 * max(float(value), 0) / total if total else 0.0
        tone = part(item, "tone")
        rows.append(
            {
                "label": part(item, "label"),
                "value": value,
                "display": part(item, "display") or f"{value:,}",
                "url": part(item, "url"),
                "colour": f"tone-{tone}" if tone else f"series-{index % 6 + 1}",
                "begin": round(begin, 3),
                "offset": round(-begin, 3),
                "width": round(width, 3),
                "rest": round(100 - width, 3),
                "ratio": width / 100,
            }
        )
        begin += width
    return rows


def bars(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Give each item a width against the largest."""
    top = max((float(part(item, "value") or 0) for item in items), default=0) or 1.0
    return [
        {
            "label": part(item, "label"),
            "note": part(item, "note"),
            "url": part(item, "url"),
            "display": part(item, "display") or f"{part(item, 'value') or 0:,}",
            "tone": part(item, "tone"),
            "width": round(100 * max(float(part(item, "value") or 0), 0) / top, 2),
        }
        for item in items
    ]


def spans(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Lay pieces of work on one time axis, from the first start to the last end."""
    edges = [
        (_instant(part(item, "started_at")), _instant(part(item, "ended_at"))) for item in items
    ]
    known = [edge for pair in edges for edge in pair if edge is not None]
    if not known:
        return []
    begin, end = min(known), max(known)
    length = (end - begin) or 1.0
    rows = []
    for item, (start, stop) in zip(items, edges, strict=True):
        left = 100 * ((start if start is not None else begin) - begin) / length
        right = 100 * ((stop if stop is not None else end) - begin) / length
        rows.append(
            {
                "label": part(item, "label"),
                "note": part(item, "note"),
                "url": part(item, "url"),
                "tone": part(item, "tone") or "info",
                "open": stop is None,
                # Work too short to see still has a mark.
                "left": round(min(left, 99.4), 3),
                "width": round(max(right - left, 0.6), 3),
                "milliseconds": None if start is None or stop is None else (stop - start) * 1000,
            }
        )
    return rows


def _instant(value: datetime | float | None) -> float | None:
    if isinstance(value, datetime):
        return value.timestamp()
    return None if value is None else float(value)
