"""Changes between two manifests as rows of a diff, and text in which nothing hides.

Owns what a reviewer sees of text that somebody else wrote: every character that is not
seen, or that makes others read otherwise, is written out.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

_PLAIN: Final = "\n\t"
_HIDING: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@register.filter
def change_rows(changes: Iterable[Any]) -> dict[str, list[dict[str, Any]]]:
    """Lay changes out as rows, and name those that carry a risk."""
    rows = [_row(change) for change in changes]
    return {"rows": rows, "risks": [row for row in rows if row["risk"]]}


@register.filter
def visible(text: object) -> SafeString:
    """Show a text with every unseen or direction-changing character written out."""
    parts = _split(str(text or ""))
    return format_html_join("", "{}", ((_shown(part, hidden),) for part, hidden in parts))


@register.filter
def spelled(text: object) -> str:
    """Write every such character out where no tags may stand: in a title, a label, a message."""
    parts = _split(str(text or ""))
    return "".join(f"[U+{ord(part):04X}]" if hidden else part for part, hidden in parts)


def _row(change: Any) -> dict[str, Any]:
    facts: Mapping[str, Any] = change if isinstance(change, Mapping) else change.facts()
    return {
        "kind": facts["kind"],
        "path": visible(facts["path"]),
        "risk": facts.get("risk", ""),
        "before": visible(_written(facts.get("before"))),
        "after": visible(_written(facts.get("after"))),
    }


def _written(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _split(text: str) -> Iterable[tuple[str, bool]]:
    plain = ""
    for char in text:
        if char not in _PLAIN and unicodedata.category(char) in _HIDING:
            if plain:
                yield plain, False
                plain = ""
            yield char, True
        else:
            plain += char
    if plain:
        yield plain, False


def _shown(part: str, is_hidden: bool) -> SafeString | str:  # noqa: FBT001
    if not is_hidden:
        return part
    name = unicodedata.name(part, "control character").lower()
    return format_html(
        '<span class="tag tone-warning tone-text mono" title="{}">U+{}</span>',
        name,
        f"{ord(part):04X}",
    )
