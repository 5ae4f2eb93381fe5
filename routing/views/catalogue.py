"""The catalogue: what is known of models on every platform, each row with its source."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.portal import signed_in
from routing.queries.catalogue import loaded_documents
from routing.queries.ends import catalogue_by_end, ends_by_month, platforms
from routing.views.models import WINDOW_WORDS, tabs


@signed_in
@require_GET
def catalogue(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the catalogue, the soonest end first."""
    named = platforms()
    window = chosen(request, "window", dict(WINDOW_WORDS))
    platform = chosen(request, "platform", named)
    words = asked(request, "search")
    rows = found(
        # Who searches means anything that was ever there; who only looks, what is ahead.
        catalogue_by_end(window=window or ("" if words else "ahead"), platform=platform),
        words, "model_id", "canonical_id", "provider", "replacement",
    )  # fmt: skip
    context = {
        "page": cut(request, rows, ordering="ends", tie="id", size=50),
        "total": rows.count(),
        "selects": [
            {
                "name": "platform", "label": "Any platform", "value": platform,
                "options": [(name, name) for name in named],
            },
            {
                "name": "window", "label": "Not ended yet", "value": window,
                "options": WINDOW_WORDS,
            },
        ],
        "is_narrowed": bool(window or platform or words),
        "tabs": tabs("catalogue"),
        "chart": _chart(ends_by_month(platform=platform)),
        "documents": list(loaded_documents()),
    }  # fmt: skip
    return render(request, "routing/catalogue.html", context)


def _chart(months: list[tuple[date, int]]) -> dict[str, Any]:
    return {
        "times": [
            int(datetime(month.year, month.month, 1, tzinfo=UTC).timestamp()) for month, _ in months
        ],
        "series": [
            {"label": "Models that end", "values": [number for _, number in months],
             "tone": "warning"},
        ],
    }  # fmt: skip
