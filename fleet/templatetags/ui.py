"""The template tags of the design system: `{% load ui %}`; listed in docs/design-system.md.

Owns how a value reaches a partial of templates/_partials/. It imports no app: tags take
what a page hands them, so that every app's templates can use them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from fleet.templatetags import drawing, figures, states
from kernel import clock

register = template.Library()
ICONS = Path(__file__).resolve().parents[2] / "static" / "icons"

for _filter in (
    figures.money,
    figures.money_short,
    figures.count,
    figures.compact,
    figures.percent,
    figures.duration,
    figures.initials,
    figures.series_of,
):
    register.filter(_filter.__name__, _filter)


@lru_cache(maxsize=256)
def _shapes(name: str) -> str:
    svg = (ICONS / f"{name}.svg").read_text(encoding="utf-8")
    return svg[svg.index(">") + 1 : svg.rindex("</svg>")]


@register.simple_tag
def icon(name: str, css: str = "", *, label: str = "") -> SafeString:
    """Draw a vendored icon; without a label it is decoration."""
    role = mark_safe('aria-hidden="true"')
    if label:
        role = format_html('role="img" aria-label="{}"', label)
    shapes = mark_safe(_shapes(name))  # noqa: S308 - a file of our own
    return format_html('<svg class="icon {}" viewBox="0 0 24 24" {}>{}</svg>', css, role, shapes)


@register.filter
def capped(count: int) -> str:
    """Write a number that is counted to a hundred: beyond that nobody needs it."""
    return "99+" if count > 99 else str(count)


@register.simple_tag
def ago(moment: datetime | date | None, missing: str = figures.DASH) -> str:
    """Say when, relative to now; the exact time is in the title, in the reader's zone."""
    if moment is None:
        return missing
    return _time(moment, figures.relative(moment, clock.now()), "ago")


@register.simple_tag
def stamp(moment: datetime | date | None, missing: str = figures.DASH) -> str:
    """Write a moment in full; the script turns it into the reader's zone."""
    return missing if moment is None else _time(moment, figures.exact(moment), "stamp")


def _time(moment: datetime | date, text: str, kind: str) -> str:
    if isinstance(moment, datetime):
        machine = moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    else:
        machine, kind = moment.isoformat(), "day"
    return format_html(
        '<time datetime="{}" title="{}" data-time="{}">{}</time>',
        machine,
        figures.exact(moment),
        kind,
        text,
    )


@register.simple_tag
def badge(state: object, label: str = "") -> str:
    """Show a state as a pill: tone, mark and word."""
    look = states.look_of(state)
    return format_html(
        '<span class="pill tone-{} {}">{}</span>', look.tone, look.mark, label or look.label
    )


@register.simple_tag
def agent_badge(agent: object) -> str:
    """Show an agent's stage, or that it is suspended or killed."""
    return badge(states.state_of_agent(agent))


@register.filter
def state_label(state: object) -> str:
    """Name a state."""
    return states.look_of(state).label


@register.filter
def state_tone(state: object) -> str:
    """Name the tone of a state."""
    return states.look_of(state).tone


@register.inclusion_tag("_partials/owner.html")
def owner(person: object, note: str = "", url: str = "") -> dict[str, object]:
    """Show a person as a chip; one who has left is marked."""
    return {
        "name": str(person) if person else "",
        "gone": getattr(person, "deactivated_at", None) is not None,
        "note": note,
        "url": url,
    }


@register.inclusion_tag("_partials/field.html")
def field(
    bound: BoundField, help: str = "", label: str = "", prefix: str = ""
) -> dict[str, object]:
    """Show a form field with its label, help and errors, tied together for screen readers."""
    widget = bound.field.widget
    several = isinstance(widget, CheckboxSelectMultiple | RadioSelect)
    return {
        "field": bound,
        "label": label or bound.label,
        "help": help or bound.help_text,
        "prefix": prefix,
        "single_check": isinstance(widget, CheckboxInput),
        "several": several,
        # Something is always chosen in a list, so nobody can leave it out.
        "optional": not bound.field.required and not isinstance(widget, Select),
    }


@register.inclusion_tag("_partials/sparkline.html")
def sparkline(
    values: Sequence[float], label: str, tone: str = "", kind: str = "line"
) -> dict[str, object]:
    """Draw a small series; the label says in words what the picture shows."""
    return {**drawing.spark(values), "label": label, "tone": tone, "kind": kind}


@register.inclusion_tag("_partials/bars.html")
def bars(items: Sequence[Any], tone: str = "") -> dict[str, object]:
    """List items with a bar each, largest as full width."""
    return {"rows": drawing.bars(items), "tone": tone}


@register.inclusion_tag("_partials/split_bar.html")
def split_bar(items: Sequence[Any], label: str) -> dict[str, object]:
    """Draw one bar divided among items, with a legend."""
    return {"rows": drawing.shares(items), "label": label}


@register.inclusion_tag("_partials/donut.html")
def donut(items: Sequence[Any], label: str, total: str = "", word: str = "") -> dict[str, object]:
    """Draw a ring divided among items, with a legend."""
    return {"rows": drawing.shares(items), "label": label, "total": total, "word": word}


@register.inclusion_tag("_partials/meter.html")
def meter(ratio: float | None, label: str, tone: str = "primary") -> dict[str, object]:
    """Draw how much of a limit is used."""
    width = round(100 * min(max(ratio or 0.0, 0.0), 1.0), 2)
    return {"width": width, "label": label, "tone": tone}


@register.inclusion_tag("_partials/span_chart.html")
def span_chart(items: Sequence[Any], label: str) -> dict[str, object]:
    """Draw pieces of work on one time axis."""
    return {"rows": drawing.spans(items), "label": label}


@register.inclusion_tag("_partials/time_chart.html")
def time_chart(
    chart_id: str, chart: dict[str, Any], label: str, kind: str = "line", unit: str = ""
) -> dict[str, object]:
    """Draw series over time in the browser, with the same figures as a table beneath."""
    times = [datetime.fromtimestamp(second, UTC) for second in chart["times"]]
    series = chart["series"]
    rows = zip(times, *(entry["values"] for entry in series), strict=True)
    return {
        "chart_id": chart_id,
        "chart": {**chart, "kind": kind, "unit": unit, "label": label},
        "label": label,
        "heads": [entry["label"] for entry in series],
        "rows": [(row[0], row[1:]) for row in rows],
        "unit": unit,
        "empty": not any(value for entry in series for value in entry["values"]),
    }


@register.inclusion_tag("_partials/crumbs.html")
def crumbs(*parts: str) -> dict[str, object]:
    """Show the way here: label and address in turn, the last label alone."""
    return {"crumbs": [tuple(parts[at : at + 2]) for at in range(0, len(parts), 2)]}


@register.inclusion_tag("_partials/sort_header.html", takes_context=True)
def sort_header(
    context: template.Context, label: str, key: str, css: str = ""
) -> dict[str, object]:
    """Show a column head that sorts by `?ordering=`; it leaves out the cursor."""
    request = context["request"]
    current = request.GET.get("ordering", "")
    query = request.GET.copy()
    query.pop("cursor", None)
    query["ordering"] = f"-{key}" if current == key else key
    direction = {key: "ascending", f"-{key}": "descending"}.get(current, "")
    return {"label": label, "css": css, "direction": direction, "query": query.urlencode()}


@register.filter
def pretty_json(value: object) -> str:
    """Lay a value out as JSON for reading."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False, default=str)
