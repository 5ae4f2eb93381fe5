"""How the admin looks: the portal's colours and its mark, in django-unfold's terms.

Owns no colour of its own; the hues are those of frontend/unsprawl.css.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static

# Lightness and chroma by step; the hue is the portal's.
_BASE = {
    "50": "98.2% .003",
    "100": "96.6% .004",
    "200": "91.8% .007",
    "300": "85% .01",
    "400": "70% .014",
    "500": "52% .02",
    "600": "43% .022",
    "700": "36% .016",
    "800": "27% .014",
    "900": "20.8% .012",
    "950": "15% .011",
}
_PRIMARY = {
    "50": "97.2% .014",
    "100": "94% .03",
    "200": "88.5% .06",
    "300": "80.5% .1",
    "400": "72% .135",
    "500": "58% .185",
    "600": "48.5% .205",
    "700": "43% .19",
    "800": "37% .155",
    "900": "32% .12",
    "950": "24% .085",
}


def _hued(steps: dict[str, str]) -> dict[str, str]:
    return {step: f"oklch({value} 265)" for step, value in steps.items()}


def _mark(request: HttpRequest) -> str:
    return static("favicon.svg")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Unsprawl",
    "SITE_HEADER": "Unsprawl",
    "SITE_SUBHEADER": "Administration",
    "SITE_URL": "/",
    "SITE_ICON": _mark,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _mark}],
    "BORDER_RADIUS": "6px",
    "COLORS": {"base": _hued(_BASE), "primary": _hued(_PRIMARY)},
}
