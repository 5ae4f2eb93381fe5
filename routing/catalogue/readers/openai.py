"""OpenAI's list of models, and those that are shaped like it.

``{"object": "list", "data": [{"id", "shutdown_date": "YYYY-MM-DD" | null}]}``. OpenRouter says
``expiration_date`` for the same. Without a date nothing is said: most servers have no such field.
"""

from __future__ import annotations

from routing.catalogue.readers.listed import (
    DEPRECATED,
    Listed,
    ListPage,
    day_of,
    entries_of,
    named,
    text_of,
)


def read_openai(raw: bytes) -> ListPage:
    """Read one page. Raises: CatalogueUnreadable."""
    entries, around = entries_of(raw, "data")
    models = []
    for name, entry in named(entries, "id"):
        ends = day_of(entry.get("shutdown_date")) or day_of(entry.get("expiration_date"))
        models.append(
            Listed(
                name=name,
                status=DEPRECATED if ends else "",
                retires_on=ends,
                date_precision="exact" if ends else "",
                speaks=ends is not None,
            )
        )
    after = text_of(around.get("last_id")) if around.get("has_more") is True else ""
    return ListPage(models, after, len(entries) - len(models))
