"""The filters of the list of findings, the same on the page and over REST."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet

from fleet.discovery.models import Finding
from fleet.discovery.models.finding import OPEN
from fleet.discovery.signs import FORMATS, REPORT

SOURCES: Final = (*FORMATS, REPORT)
STATES: Final = ("open", *Finding.State.values)
RISKS: Final = {"high": (50, 100), "medium": (20, 49), "low": (0, 19)}


def filtered(rows: QuerySet[Finding], asked: dict[str, Any]) -> QuerySet[Finding]:
    """Return the findings that some filters leave."""
    if asked.get("state") == "open":
        rows = rows.filter(state__in=OPEN)
    elif asked.get("state"):
        rows = rows.filter(state=asked["state"])
    if asked.get("source"):
        rows = rows.filter(sources__contains=[asked["source"]])
    if asked.get("kind"):
        rows = rows.filter(kind=asked["kind"])
    if asked.get("risk"):
        least, most = RISKS[asked["risk"]]
        rows = rows.filter(risk__gte=least, risk__lte=most)
    if asked.get("vendor"):
        rows = rows.filter(vendor__iexact=asked["vendor"])
    if asked.get("owner"):
        rows = rows.filter(owner__email__iexact=asked["owner"])
    return rows
