"""The timeline of retirements: one bar a model, from its announcement to its end.

The server draws it: places across in percent, so that it fits any width, and down in pixels.
An end that may still move is hatched; the days of notice are ticks on the bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Any, Final

from django import template

from fleet.templatetags.calendars import tone_of
from fleet.templatetags.drawing import part
from kernel import clock

register = template.Library()

HEAD: Final = 28
TITLE: Final = 26
LANE: Final = 36
MOST: Final = 60
PAST: Final = 30
CLEAR: Final = 7.0
HATCHED: Final = 1.6  # of the width, in percent


@dataclass(frozen=True, slots=True)
class Bar:
    """One model on the scale."""

    top: int
    left: float
    width: float
    end: float
    tone: str
    name: str
    note: str
    title: str
    url: str
    is_vague: bool
    ticks: list[dict[str, Any]] = field(default_factory=list)


@register.inclusion_tag("campaigns/_timeline.html")
def retirement_timeline(
    ends: Sequence[Any], label: str, days: int, notices: Sequence[int] = ()
) -> dict[str, Any]:
    """Draw when models end; item: ``group name ends_on [announced_on precision url note]``."""
    today = clock.now().date()
    shown = sorted(ends[:MOST], key=lambda one: str(part(one, "group")).lower())
    groups, bars, top = [], [], HEAD
    for group, items in groupby(shown, key=lambda one: part(one, "group")):
        groups.append({"top": top, "label": group})
        top += TITLE
        for item in sorted(items, key=lambda one: part(one, "ends_on")):
            bars.append(_bar(item, top, today, days, notices))
            top += LANE
    return {
        "label": label,
        "groups": groups,
        "bars": bars,
        "left_out": max(len(ends) - MOST, 0),
        "months": _months(today, days),
        "now": _place(today, today, days),
        "height": top + 6,
        "head": HEAD,
    }


def _bar(item: Any, top: int, today: date, days: int, notices: Sequence[int]) -> Bar:
    ends_on = part(item, "ends_on")
    first = today - timedelta(days=PAST)
    begins = max(part(item, "announced_on") or first, first)
    left, end = _place(min(begins, ends_on), today, days), _place(ends_on, today, days)
    is_vague = part(item, "precision") == "earliest"
    ticks = [
        {"left": _place(day, today, days), "label": f"{ahead} days before"}
        for ahead in notices
        if first <= (day := ends_on - timedelta(days=ahead)) and day >= begins
    ]
    words = f"{'earliest ' if is_vague else ''}{ends_on:%-d %b %Y}"
    note = ", ".join(filter(None, (words, part(item, "note"))))
    return Bar(
        top=top,
        left=left,
        width=round(max(end - left, 0.8), 2),
        end=end,
        tone=tone_of((ends_on - today).days),
        name=str(part(item, "name")),
        note=note,
        title=f"{part(item, 'name')}, {part(item, 'group')}: ends {note}",
        url=part(item, "url") or "",
        is_vague=is_vague,
        ticks=ticks,
    )


def _place(day: date, today: date, days: int) -> float:
    ratio = ((day - today).days + PAST) / (days + PAST)
    return round(0.5 + 98.5 * min(max(ratio, 0.0), 1.0), 2)


def _months(today: date, days: int) -> list[dict[str, Any]]:
    first = (today - timedelta(days=PAST)).replace(day=1)
    now, found = _place(today, today, days), []
    while first <= today + timedelta(days=days):
        left = _place(first, today, days)
        word = f"{first:%b %Y}" if first.month == 1 else f"{first:%b}"
        is_clear = CLEAR / 2 <= left <= 100 - CLEAR / 2 and abs(left - now) > CLEAR
        if first >= today - timedelta(days=PAST):
            found.append(
                {"left": left, "label": word if is_clear else "", "minor": first.month % 3 != 1}
            )
        first = (first + timedelta(days=32)).replace(day=1)
    return found
