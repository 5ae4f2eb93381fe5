"""Where a fact is from, in few words: the site, linked, and whether the catalogue says so."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from django import template
from django.utils.html import format_html

from fleet.templatetags.figures import DASH

register = template.Library()
_CATALOGUE: Final = "catalogue: "
_LONGEST: Final = 60


@register.simple_tag
def source(text: str, missing: str = DASH) -> str:
    """Show a source; only an https address becomes a link."""
    said = (text or "").removeprefix(_CATALOGUE).strip()
    if not said:
        return missing
    if said.startswith("set by person:"):
        return "set by hand"  # by whom is on the record
    short = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
    if not said.startswith("https://"):
        return format_html("{}", short)
    try:
        host = urlsplit(said).hostname or short
    except ValueError:
        return format_html("{}", short)
    if any(letter in said for letter in " \"'<>\\"):
        return format_html('<span title="{}">{}</span>', said, host)
    return format_html(
        '<a class="a" href="{}" rel="noreferrer nofollow" title="{}">{}</a>', said, said, host
    )
