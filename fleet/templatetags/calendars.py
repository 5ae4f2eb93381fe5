"""A calendar of what ends when, drawn by the server: months as a scale, ends as marks.

Pieces are laid into lanes so that no label covers another; their words stand beside the
picture too, because a picture is never the only place where something is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django import template

from fleet.templatetags.drawing import part
from kernel import clock

register = template.Library()

HEAD: Final = 26
LANE: Final = 24
MOST_LANES: Final = 8
LETTER: Final = 0.62  # of the width, in percent, that one letter of a label takes
CLEAR: Final = 10
SOON_DAYS: Final = 30
NEAR_DAYS: Final = 90


@dataclass(frozen=True, slots=True)
class Mark:
    """One end on the scale."""

    left: float
    top: int
    label: str
    title: str
    url: str
    tone: str
    anchor: str
    text_left: float


@register.inclusion_tag("_partials/end_calendar.html")
def end_calendar(items: Sequence[Any], label: str, days: int = 180) -> dict[str, Any]:
    """Draw when things end in the coming days; item: ``label on [note url]``."""
    today = clock.now().date()
    marks, left_out = _marks(items, today, days)
    lanes = max((mark.top for mark in marks), default=HEAD) - HEAD
    return {
        "label": label,
        "marks": marks,
        "left_out": left_out,
        "months": list(_months(today, days)),
        "height": HEAD + lanes + LANE,
        "bed": lanes + LANE,
        "head": HEAD,
    }


def tone_of(days_left: int) -> str:
    """Name the tone of an end so many days away."""
    if days_left <= SOON_DAYS:
        return "error"
    return "warning" if days_left <= NEAR_DAYS else "info"


def _marks(items: Sequence[Any], today: date, days: int) -> tuple[list[Mark], int]:
    taken: list[float] = []  # how far each lane is filled
    marks, left_out = [], 0
    for item in sorted(items, key=lambda one: part(one, "on")):
        left = _place(part(item, "on"), today, days)
        words = str(part(item, "label"))[:34]
        width = len(words) * LETTER + 3
        is_late = left + width > 100
        begin, end = (left - width, left + 1.5) if is_late else (left - 1.5, left + width)
        lane = next((i for i, filled in enumerate(taken) if filled <= begin), len(taken))
        if lane >= MOST_LANES:
            left_out += 1
            continue
        if lane == len(taken):
            taken.append(0.0)
        taken[lane] = end
        ends = part(item, "on")
        marks.append(
            Mark(
                left=left,
                top=HEAD + lane * LANE,
                label=words,
                title=f"{part(item, 'label')}: {ends:%-d %b %Y}, {part(item, 'note') or ''}".rstrip(
                    ", "
                ),
                url=part(item, "url") or "",
                tone=tone_of((ends - today).days),
                anchor="end" if is_late else "start",
                text_left=round(left - 1.1 if is_late else left + 1.1, 2),
            )
        )
    return marks, left_out


def _place(day: date, today: date, days: int) -> float:
    ratio = (day - today).days / days
    return round(0.8 + 98.4 * min(max(ratio, 0.0), 1.0), 2)


def _months(today: date, days: int) -> Iterator[dict[str, Any]]:
    end = today + timedelta(days=days)
    first = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    while first <= end:
        left = _place(first, today, days)
        word = f"{first:%b %Y}" if first.month == 1 else f"{first:%b}"
        # Too near to today's own word, or to the edge, a month goes without one.
        shown = word if CLEAR <= left <= 100 - CLEAR / 2 else ""
        yield {"left": left, "label": shown, "minor": first.month % 3 != 1}
        first = (first + timedelta(days=32)).replace(day=1)
